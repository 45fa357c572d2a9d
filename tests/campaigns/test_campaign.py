"""Nothing bad gets in: every bad input through every entrance, a thousand mutants, decoders that hang and die."""

import collections
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.command_line import ask
from tests.support.pictures import corpus
from tests.support.pictures.corpus import (
    ACCEPTED,
    IGNORED,
    SET_ASIDE,
    Case,
    jpeg,
    write_classes,
    write_folder,
    write_upload,
    write_zip,
)
from tests.support.pictures.mutants import DAMAGES, mutants
from thaw.datasets.health import examine
from thaw.datasets.ingest import ingest
from thaw.decoding.decoder import Decoded, DecodeJob, Decoder
from thaw.jobs import starts
from thaw.sources.sources import Source
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import ImageRejected
from tlcore.images.pixels import load_pixels
from tlcore.progress import Stage

ROOT = Path(__file__).parents[2]
ENTRANCES = ["folder", "zip", "staged", "command-line-folder", "command-line-zip"]
WRITERS = {"folder": write_folder, "zip": write_zip, "staged": write_upload}
posix = pytest.mark.skipif(os.name != "posix", reason="signals, pipes and links of POSIX")


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


@pytest.fixture(scope="module")
def cases():
    return [*corpus.cases(), *corpus.awkward_cases()]


@dataclass(frozen=True)
class Ending:
    """How an import ended: the data set's id, or None and the reason."""

    dataset_id: str | None
    error: str | None


def command(store, *words):
    """Run `python -m thaw ...` as a process of its own; return its status and its one JSON value."""
    line = [sys.executable, "-m", "thaw", *map(str, words), "--workspace", str(store.workspace.root), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=200)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def enter(store, entrance, files, folder):
    """Lay files out and import them through an entrance, in a real process; the originals must not change."""
    kind = entrance.removeprefix("command-line-")
    path = WRITERS[kind](folder / ("photos.zip" if kind == "zip" else "photos"), files)
    before = corpus.digests(path)
    answer = enter_path(store, entrance, path)
    if kind != "staged":
        assert corpus.digests(path) == before, "the originals are never changed"
    return answer


def enter_path(store, entrance, path):
    if entrance.startswith("command-line"):
        status, told = command(store, "import", path)
        assert status == ("error" in told)
        if status:
            return Ending(None, told["error"])
        dataset = store.dataset(told["dataset"])
        assert (told["accepted"], told["ignored"], told["classes"]) == (
            dataset.accepted,
            dataset.ignored,
            dataset.classes,
        )
        assert {row["name"]: row["reason"] for row in told["rejected"]} == reasons(store, dataset.id)
        return Ending(dataset.id, None)
    job_id = starts.start_import(store, {"kind": entrance, "path": str(path), "name": "Campaign"})
    deadline = time.monotonic() + 200
    while store.job(job_id).active:
        assert time.monotonic() < deadline, "the import did not end"
        time.sleep(0.02)
    return Ending(store.job(job_id).dataset_id, store.job(job_id).error)


def reasons(store, dataset_id):
    return {row.name: row.reason for row in store.set_aside(dataset_id)}


def require_accounts(store, dataset_id, count):
    """Check that every file of a source is told of, and that what was accepted is there and can be read."""
    dataset, images = store.dataset(dataset_id), store.images(dataset_id)
    assert dataset.accepted + dataset.set_aside + dataset.ignored + dataset.known == count
    assert len(images) == dataset.accepted
    for image in images:
        copy = store.workspace.image(image.folder, image.id, image.suffix)
        assert load_pixels(copy, 16).shape == (16, 16, 3)
        assert store.workspace.thumbnail(image.folder, image.id).is_file()
    assert corpus.leftovers(store) == []


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_every_bad_input_gets_its_verdict_at_every_entrance(entrance, cases, store, tmp_path):
    files = [case for case in cases if corpus.fits_in_a_folder(case) or "folder" not in entrance]
    answer = enter(store, entrance, files, tmp_path)
    assert answer.error is None
    require_accounts(store, answer.dataset_id, len(files))
    assert store.dataset(answer.dataset_id).ignored == sum(case.verdict == IGNORED for case in files)
    accepted = {image.name: image for image in store.images(answer.dataset_id)}
    assert accepted.keys() == {case.name for case in files if case.verdict == ACCEPTED}
    said = reasons(store, answer.dataset_id)
    assert said.keys() == {case.name for case in files if case.verdict == SET_ASIDE}
    for case in files:
        told = "; ".join(accepted[case.name].notes) if case.name in accepted else said.get(case.name, "")
        assert case.says in told, case.name
    assert [reason for reason in said.values() if not corpus.in_words(reason)] == []


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_classes_that_are_nearly_the_same_are_told_apart_or_flagged(entrance, store, tmp_path):
    files = [
        Case("Cat/a.jpg", jpeg(1), ACCEPTED),
        Case("cat/b.jpg", jpeg(2), ACCEPTED),
        Case("dog/c.jpg", jpeg(1), ACCEPTED),
        Case("caf\u00e9/d.jpg", jpeg(3), ACCEPTED),
        Case("cafe\u0301/e.jpg", jpeg(4), ACCEPTED),
        Case("empty/page.jpg", b"<html>", SET_ASIDE),
    ]
    answer = enter(store, entrance, files, tmp_path)
    require_accounts(store, answer.dataset_id, len(files))
    dataset = store.dataset(answer.dataset_id)
    assert dataset.classes == {"Cat": 1, "cat": 1, "caf\u00e9": 2, "dog": 1}
    notes = "\n".join(dataset.notes)
    assert "merged into one" in notes
    assert "Class 'empty' has no usable image" in notes
    findings = {finding.kind: finding for finding in examine(store.images(dataset.id), 224)}
    assert findings["twins"].classes == ("Cat", "cat")
    assert {image.name for image in findings["conflict"].images} == {"Cat/a.jpg", "dog/c.jpg"}


@posix
@pytest.mark.parametrize("entrance", ["folder", "command-line-folder"])
def test_links_loops_and_pipes_are_told_and_not_followed(entrance, store, tmp_path):
    rose = write_classes(tmp_path / "photos", {"rose": 2}) / "rose"
    (rose / "link.jpg").symlink_to(rose / "0.jpg")
    (rose / "loop").symlink_to(tmp_path / "photos", target_is_directory=True)
    os.mkfifo(rose / "pipe.jpg")
    files = 5
    if os.geteuid() != 0:
        (rose / "1.jpg").chmod(0)
    answer = enter_path(store, entrance, tmp_path / "photos")
    require_accounts(store, answer.dataset_id, files)
    said = reasons(store, answer.dataset_id)
    assert "symbolic link" in said["rose/link.jpg"]
    assert "symbolic link" in said["rose/loop"]
    assert "not a plain file" in said["rose/pipe.jpg"]
    assert ("rose/1.jpg" in said) == (os.geteuid() != 0)


def test_100_good_and_50_bad_files_train_on_exactly_100(store, tmp_path):
    folder = write_classes(tmp_path / "photos", {f"class-{n}": 20 for n in range(5)})
    refused = [case for case in corpus.cases() if case.verdict == SET_ASIDE and "/" in case.name]
    bad = [refused[n % len(refused)] for n in range(50)]
    for number, case in enumerate(bad):
        (folder / f"class-{number % 5}" / f"bad-{number}{Path(case.name).suffix}").write_bytes(case.content)
    told = ask(store, "import", folder)
    assert (told["accepted"], len(told["rejected"]), told["ignored"]) == (100, 50, 0)
    require_accounts(store, told["dataset"], 150)
    options = ["--backbone", "efficientnet-lite0", "--image-size", 32, "--epochs", 1, "--batch-size", 50]
    run = ask(store, "train", told["dataset"], *options)
    assert run["result_phase"] == 1
    sides = json.loads((store.workspace.run(run["run"]) / "split.json").read_text())
    seen = [str(entry) for side in sides.values() for entry in side]
    assert (len(seen), len(set(seen))) == (100, 100)
    assert all(sides[side] for side in ("training", "validation"))
    facts = store.run(run["run"]).facts
    assert facts.training_images + facts.validation_images == 100


@pytest.mark.parametrize("count", [1000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_every_mutant_is_decoded_or_refused_in_words(count, tmp_path, campaign):
    (tmp_path / "copies").mkdir()
    asked = []
    for mutant in mutants(count):
        path = tmp_path / mutant.name
        path.write_bytes(mutant.content)
        asked.append(DecodeJob(path, tmp_path / "copies" / mutant.name, tmp_path / "copies" / f"{mutant.name}.jpg"))
    started = time.monotonic()
    with Decoder() as decoder:
        children = decoder.pids
        outcomes = {job.path.name: outcome for job, outcome in decoder.map(iter(asked))}
        assert decoder.pids == children, "not even a child died or hung"
    assert time.monotonic() - started < count / 10
    assert len(outcomes) == count
    refused = {name: str(outcome) for name, outcome in outcomes.items() if not isinstance(outcome, Decoded)}
    tally = campaign("damaged pictures")
    tally.n, tally.facts["refused"] = count, len(refused)
    assert all(isinstance(outcomes[name], ImageRejected) for name in refused)
    assert {reason for reason in refused.values() if not corpus.in_words(reason)} == set()
    assert not any("memory" in reason for reason in refused.values())
    damages = collections.Counter(name.split("-", 1)[1] for name in refused)
    assert len(damages) == 5 * len(DAMAGES), "each kind of damage is noticed in each format"
    assert len(refused) < count, "some mutants are pictures still"


@posix
@pytest.mark.parametrize(("blow", "reason"), [("SIGSTOP", "longer than 2 s"), ("SIGKILL", "crashed")])
def test_a_decoder_that_hangs_or_dies_costs_an_import_one_file(blow, reason, store, tmp_path, monkeypatch):
    monkeypatch.setattr(Decoder.__init__, "__defaults__", (2, 2.0))
    folder = write_classes(tmp_path / "photos", {"rose": 30, "tulip": 30})
    struck = []
    # Other tests of this worker may have left one that waits.
    idle = {each.pid for each in psutil.Process().children()}

    def strike(stage, done, total):
        if stage == Stage.CHECKING_IMAGES and done >= 10 and not struck:
            child = next(
                each
                for each in psutil.Process().children()
                if each.pid not in idle and "thaw.decoding.decoder" in each.cmdline()
            )
            child.send_signal(getattr(signal, blow))
            struck.append(child.pid)

    dataset_id = ingest(store, Source("folder", folder, "here"), "Photos", strike)
    require_accounts(store, dataset_id, 60)
    assert store.dataset(dataset_id).accepted == 59
    ((name, said),) = reasons(store, dataset_id).items()
    assert name.endswith(".jpg")
    assert reason in said
    assert not psutil.pid_exists(struck[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
def test_a_picture_beyond_the_memory_limit_costs_only_itself(tmp_path):
    (tmp_path / "large.png").write_bytes(corpus.encoded(corpus.Image.new("I;16", (6000, 6000)), "PNG"))
    (tmp_path / "small.jpg").write_bytes(jpeg(1))
    with Decoder(children=1) as decoder:
        (child,) = decoder.pids
        limit = psutil.Process(child).memory_info().vms + 150_000_000
        psutil.Process(child).rlimit(psutil.RLIMIT_AS, (limit, limit))
        large, small = (
            decoder.decode(DecodeJob(tmp_path / name, tmp_path / f"{name}-copy", tmp_path / f"{name}-thumbnail"))
            for name in ("large.png", "small.jpg")
        )
        assert decoder.pids == [child]
    assert "more memory" in str(large)
    assert isinstance(small, Decoded)
