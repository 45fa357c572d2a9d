"""The many files of an import: by one range of grey, and by other machines as this one would decode them."""

import hashlib
import os
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures.corpus import encoded, jpeg
from thaw.archives.entries import CHANGED, mark_of
from thaw.decoding import many
from thaw.decoding.decoder import Decoded, DecodeJob, Decoder, HeldBack
from thaw.decoding.many import Answer, SpreadDecoder, carry_originals, decode_by_one_range, decode_shard
from tlcore.errors import ImageRejected, Undecoded
from tlcore.progress import never_stop


def job(folder, name, content):
    path = folder / f"{name}.bin"
    path.write_bytes(content)
    (folder / "out").mkdir(exist_ok=True)
    return DecodeJob(
        path,
        folder / "out" / name,
        folder / "out" / f"{name}-thumbnail.jpg",
        mark=mark_of(path.stat()),
        grey_range=None,
    )


def deep(largest):
    values = np.linspace(0, largest, 24 * 32).reshape(24, 32).astype(np.uint16)
    return encoded(Image.fromarray(values), "PNG")


def test_deep_pictures_wait_until_the_range_of_all_is_known(tmp_path):
    asked = [job(tmp_path, f"{n}", content) for n, content in enumerate([deep(900), jpeg(1), deep(4000), deep(200)])]
    with Decoder(children=2) as decoder:
        outcomes = dict(decode_by_one_range(decoder, asked))
    assert outcomes.keys() == set(asked)
    assert [outcomes[each].grey_range for each in asked] == [4095, None, 4095, 4095]
    assert outcomes[asked[0]].notes == ["scaled from more than 8 bits (0 to 4,095)"]


def test_a_picture_whose_values_decide_the_range_decides_it_for_those_that_wait(tmp_path):
    asked = [job(tmp_path, f"{n}", deep(largest)) for n, largest in enumerate([900, 40_000])]
    with Decoder(children=1) as decoder:
        outcomes = [outcome for _, outcome in decode_by_one_range(decoder, asked)]
    assert [outcome.grey_range for outcome in outcomes] == [65535, 65535]


def test_a_picture_that_waits_keeps_its_file(tmp_path):
    asked = replace(job(tmp_path, "deep", deep(900)), spent=True)
    with Decoder(children=1) as decoder:
        assert decoder.decode(asked) == HeldBack(900)
        assert asked.path.exists()
        assert isinstance(dict(decode_by_one_range(decoder, [asked]))[asked], Decoded)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(many, "FEW", 64)


class Elsewhere:
    """Stands for other machines, which do not see this one's files: `fails` are the shards that cannot be done there,
    and after `ends` shards there are no machines any more."""

    def __init__(self, fails=(), ends=None):
        self.fails, self.ends, self.shards, self.declined = fails, ends, [], []

    def __call__(self, function, common, tasks, carry, witness, check_stop):
        assert witness.is_file()
        for number, task in enumerate(tasks):
            if number == self.ends:
                return
            self.shards.append(len(task))
            yield None if number in self.fails else function(common, carry(task))

    def decline(self, reason):
        self.declined.append(reason)


class Counting(Decoder):
    """Counts the files that are decoded on this machine."""

    def __init__(self):
        super().__init__(1)
        self.asked = Counter()

    def decode(self, job):
        self.asked[job.path.name] += 1
        return super().decode(job)


def ask(folder, count=150):
    folder.mkdir()
    contents = {f"{number}": jpeg(number, 32, 24) for number in range(count)}
    contents |= {"deep": deep(900), "wide": deep(4000), "torn": jpeg(1)[:300], "words": b"not a picture"}
    return [job(folder, name, content) for name, content in contents.items()]


def decode(asked, spread=None):
    """Return what came of each file, the hashes of what was written, and which files were decoded here."""
    with Counting() as here:
        decoder = SpreadDecoder(here, spread, never_stop) if spread else here
        outcomes = {job.path.name: outcome for job, outcome in decode_by_one_range(decoder, asked)}
    kept = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in asked[0].target.parent.iterdir()}
    told = {name: str(each) if isinstance(each, ImageRejected) else each for name, each in outcomes.items()}
    return told, kept, here.asked


@pytest.mark.parametrize("elsewhere", [{}, {"fails": (1,)}, {"ends": 1}, {"ends": 0}])
def test_what_other_machines_decode_is_what_this_one_would(tmp_path, elsewhere):
    told, kept, _ = decode(ask(tmp_path / "here"))
    spread = Elsewhere(**elsewhere)
    assert decode(ask(tmp_path / "there"), spread)[:2] == (told, kept)
    assert len(told) == 154
    assert spread.shards == [64, 64, 26][: elsewhere.get("ends")]
    assert spread.declined == [], "those that waited for a range were few, but not all"


def test_this_machine_decodes_what_others_could_not_and_those_few_that_wait_for_a_range(tmp_path):
    asked = ask(tmp_path / "photos")
    _, _, here = decode(asked, Elsewhere(fails=(0,)))
    assert here == Counter([*(each.path.name for each in asked[:64]), "deep.bin", "wide.bin"])


def test_few_files_are_not_worth_another_machine(tmp_path):
    spread = Elsewhere()
    told, _, here = decode(ask(tmp_path / "photos", 20), spread)
    assert spread.shards == []
    assert here.keys() == told.keys()
    assert spread.declined == ["24 files are decoded here before others are ready"]


def test_a_shard_ends_where_its_files_are_large(tmp_path, monkeypatch):
    monkeypatch.setattr(many, "SHARD_BYTES", 20_000)
    asked = ask(tmp_path / "photos")
    largest, spread = max(each.path.stat().st_size for each in asked), Elsewhere()
    decode(asked, spread)
    assert len(spread.shards) > 3
    assert sum(spread.shards) == len(asked)
    assert max(spread.shards) * largest < 40_000 + 64 * largest


def test_a_file_that_changed_is_refused_as_that_wherever_it_is_decoded(tmp_path):
    asked = ask(tmp_path / "photos")
    asked[3].path.write_bytes(jpeg(77, 40, 40))
    told, _, here = decode(asked, Elsewhere())
    assert told["3.bin"] == CHANGED
    assert sum(each == CHANGED for each in told.values()) == 1
    assert here == Counter(["3.bin", "deep.bin", "wide.bin"])


def test_what_ends_a_decoder_elsewhere_is_left_to_this_machine(tmp_path, monkeypatch):
    class Dying:
        def map(self, jobs):
            for number, each in enumerate(jobs):
                yield each, Undecoded("it crashed") if number else ImageRejected("it is no picture")

    monkeypatch.setattr(many, "_decoder", Dying)
    shard = many.Originals((many.Original(b"a", None, None), many.Original(b"b", None, None)))
    assert decode_shard(None, shard) == [Answer("it is no picture"), None]


def test_a_file_that_is_gone_is_not_carried_and_costs_no_other(tmp_path):
    there = job(tmp_path, "there", jpeg(1))
    paths = str(tmp_path / "gone"), str(there.path)
    carried = carry_originals(many.Originals(tuple(many.Original(path, None, None) for path in paths)))
    gone, decoded = decode_shard(None, carried)
    assert gone is None
    assert isinstance(decoded.outcome, Decoded)


def test_a_file_that_another_machine_cannot_read_is_left_to_this_one(tmp_path):
    there = job(tmp_path, "there", jpeg(1))
    files = str(tmp_path / "not mounted there"), str(there.path)
    unread, decoded = decode_shard(None, many.Originals(tuple(many.Original(each, None, None) for each in files)))
    assert unread is None
    assert isinstance(decoded.outcome, Decoded)


def test_what_is_too_large_to_be_a_picture_is_not_carried(tmp_path):
    film, pipe = tmp_path / "film.mov", tmp_path / "pipe"
    with film.open("wb") as file:
        file.truncate(many.MAX_FILE_BYTES + 1)
    os.mkfifo(pipe)
    files = tuple(many.Original(str(path), None, None) for path in (film, pipe))
    assert [each.file for each in carry_originals(many.Originals(files)).files] == [None, None]


def test_a_shard_of_what_an_archive_held_ends_where_its_files_are_large(tmp_path, monkeypatch):
    monkeypatch.setattr(many, "SHARD_BYTES", 20_000)
    spread = Elsewhere()
    decode([replace(each, mark=None) for each in ask(tmp_path / "photos")], spread)
    assert len(spread.shards) > 3
