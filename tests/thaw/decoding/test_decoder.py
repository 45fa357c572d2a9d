import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime

import psutil
import pytest
from PIL import Image

from tests.support.pictures.corpus import encoded, jpeg, photo
from thaw.decoding.child import Child
from thaw.decoding.decoder import Decoded, DecodeJob, Decoder
from thaw.pictures.decode import normalise
from thaw.pictures.quality import measure
from tlcore.errors import DatasetError, ImageRejected, Undecoded
from tlcore.images.pixels import load_pixels

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def job(folder, name, content):
    path = folder / f"{name}.bin"
    path.write_bytes(content)
    (folder / "out").mkdir(exist_ok=True)
    return DecodeJob(path, folder / "out" / name, folder / "out" / f"{name}-thumbnail.jpg")


def jobs(folder, count):
    return [job(folder, str(number), jpeg(number, 32, 24)) for number in range(count)]


class Held(Child):
    """A process that does not get on with its start."""

    def start(self) -> None:
        super().start()
        os.kill(self.process.pid, signal.SIGSTOP)


class Broken(Child):
    """A process that ends before it has begun."""

    def start(self) -> None:
        super().start()
        self.process.kill()


@posix
@pytest.mark.parametrize(("child", "words"), [(Held, "has not begun after 0 s"), (Broken, "ended at once")])
def test_a_process_that_does_not_begin_is_told_as_what_it_is(monkeypatch, child, words):
    monkeypatch.setattr("thaw.decoding.child._START_LIMIT_S", 180.0 if child is Broken else 0.0)
    monkeypatch.setattr("thaw.decoding.decoder.Child", child)
    with pytest.raises(DatasetError, match=words), Decoder(children=1):
        pass


def test_every_job_has_one_outcome_and_its_copies(tmp_path):
    asked = jobs(tmp_path, 12)
    asked[5] = job(tmp_path, "bad", b"<html>")
    with Decoder(children=2) as decoder:
        outcomes = dict(decoder.map(iter(asked)))
    assert outcomes.keys() == set(asked)
    assert isinstance(outcomes[asked[5]], ImageRejected)
    assert "web page" in str(outcomes[asked[5]])
    for done in (outcome for outcome in outcomes.items() if outcome[0] != asked[5]):
        assert isinstance(done[1], Decoded)
        assert (done[1].width, done[1].height) == (32, 24)
        assert load_pixels(done[0].target.with_name(done[0].target.name + done[1].suffix), 16).shape == (16, 16, 3)
        assert done[0].thumbnail.is_file()
    assert len(list((tmp_path / "out").iterdir())) == 22, "no temporary or half-made file is left"


def test_jobs_are_drawn_only_as_they_are_needed(tmp_path):
    drawn = []

    def endless():
        while True:
            drawn.append(1)
            yield job(tmp_path, str(len(drawn)), jpeg(len(drawn), 32, 24))

    with Decoder(children=2) as decoder:
        results = decoder.map(endless())
        for _ in range(10):
            next(results)
        results.close()
    assert len(drawn) <= 10 + 2 * 8


def test_an_outcome_tells_what_was_measured(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2021:05:04 12:30:15"
    content = encoded(photo(3), "JPEG", exif=exif)
    asked = job(tmp_path, "dated", content)
    with Decoder(children=1) as decoder:
        outcome = decoder.decode(asked)
    assert isinstance(outcome, Decoded)
    assert outcome.original == hashlib.sha256(content).hexdigest()
    assert outcome.taken_at == datetime(2021, 5, 4, 12, 30, 15, tzinfo=UTC).timestamp()
    expected = asdict(measure(normalise(asked.path).image))
    assert {name: getattr(outcome, name) for name in expected} == expected


@posix
def test_a_file_over_the_time_limit_costs_only_itself(tmp_path):
    with Decoder(children=1, limit_s=3) as decoder:
        first = decoder.pids
        os.kill(first[0], signal.SIGSTOP)
        outcomes = [outcome for _, outcome in decoder.map(jobs(tmp_path, 4))]
        assert decoder.pids != first
    assert "longer than 3 s" in str(outcomes[0])
    assert [type(outcome) for outcome in outcomes] == [Undecoded, Decoded, Decoded, Decoded]


@posix
def test_a_dead_child_costs_one_file_and_is_replaced(tmp_path):
    with Decoder(children=2) as decoder:
        os.kill(decoder.pids[0], signal.SIGKILL)
        outcomes = [outcome for _, outcome in decoder.map(jobs(tmp_path, 10))]
        assert len(decoder.pids) == 2
    rejected = [outcome for outcome in outcomes if isinstance(outcome, ImageRejected)]
    assert len(outcomes) == 10
    assert len(rejected) == 1
    assert "crashed" in str(rejected[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
@posix
def test_a_child_leaves_it_to_its_parent_what_ctrl_c_means(tmp_path):
    with Decoder(children=1) as decoder:
        before = decoder.pids
        os.kill(before[0], signal.SIGINT)
        assert isinstance(decoder.decode(job(tmp_path, "after", jpeg(1, 32, 24))), Decoded)
        assert decoder.pids == before


@posix
@pytest.mark.slow
def test_a_child_outlives_a_long_wait_for_its_next_picture(tmp_path):
    with Decoder(children=1, limit_s=0.9) as decoder:
        assert isinstance(decoder.decode(job(tmp_path, "first", jpeg(1, 32, 24))), Decoded)
        before = decoder.pids
        time.sleep(11)
        assert isinstance(decoder.decode(job(tmp_path, "second", jpeg(2, 32, 24))), Decoded)
        assert decoder.pids == before


def test_memory_is_limited():
    with Decoder(children=1) as decoder:
        assert psutil.Process(decoder.pids[0]).rlimit(psutil.RLIMIT_AS)[0] == 2_000_000_000


def test_a_copy_that_cannot_be_written_is_no_fault_of_the_image(tmp_path):
    asked = jobs(tmp_path, 1)[0]
    lost = DecodeJob(asked.path, tmp_path / "missing" / "a", tmp_path / "missing" / "t.jpg")
    with Decoder(children=1) as decoder, pytest.raises(FileNotFoundError):
        decoder.decode(lost)


@posix
def test_names_that_are_not_utf8_can_be_read(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    path.write_bytes(jpeg(1))
    with Decoder(children=1) as decoder:
        outcome = decoder.decode(DecodeJob(path, tmp_path / "a", tmp_path / "t.jpg"))
    assert isinstance(outcome, Decoded)


@posix
def test_children_end_with_their_parent(tmp_path):
    code = """
import time
from thaw.decoding.decoder import Decoder
with Decoder(2) as decoder:
    print(*decoder.pids, flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while any(alive(pid) for pid in children):
        assert time.monotonic() < deadline, "a child outlived its killed parent"
        time.sleep(0.05)


def test_the_child_answers_json_lines(tmp_path):
    asked = jobs(tmp_path, 1)[0]
    request = {
        "path": str(asked.path),
        "target": str(asked.target),
        "thumbnail": str(asked.thumbnail),
        "spent": False,
        "grey_range": 65535,
        "limit_s": 5,
        "lent_s": 5,
    }
    answer = subprocess.run(
        [sys.executable, "-m", "thaw.decoding.decoder"],
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    ready, reply = (json.loads(line) for line in answer.stdout.splitlines())
    assert ready == {"ready": True}
    assert reply["suffix"] == ".png"
    assert len(reply["content"]) == 64


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@posix
def test_a_child_that_has_nothing_to_do_is_not_ended_by_the_alarm_of_its_last_picture(tmp_path):
    asked = {"path": str(tmp_path / "absent.jpg"), "target": "", "thumbnail": "", "spent": False, "limit_s": 20}
    asked |= {"grey_range": 65535, "lent_s": 5}
    program = "import signal; from thaw.decoding import decoder; decoder.serve(); print(signal.alarm(0))"
    child = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(asked) + "\n", capture_output=True, text=True, check=True
    )
    ready, answer, seconds_left = child.stdout.splitlines()
    assert json.loads(ready) == {"ready": True}
    assert "rejected" in json.loads(answer)
    assert seconds_left == "0"
