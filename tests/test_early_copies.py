"""An upload that is decoded while it arrives: the import is the same as ever, whatever becomes of the early decoder."""

import json
import threading
import time

import psutil
import pytest

from tests.corpus import ACCEPTED, Case, jpeg, write_upload
from tlcore import early_copies, early_decoder
from tlcore.importer import run_import
from tlcore.store import Store
from tlcore.workspace import open_workspace

PHOTOS = [
    Case(f"photos/{label}/{n}.jpg", jpeg(100 + n + 20 * len(label)), ACCEPTED)
    for label in ("ash", "maple")
    for n in range(12)
]
FILES = [*PHOTOS, Case("photos/ash/torn.jpg", jpeg(7)[:200], "cut"), Case("photos/.DS_Store", b"x", "junk")]
TOLD = ("label", "name", "content", "suffix", "width", "height", "original", "sharpness", "fingerprint", "notes")


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


@pytest.fixture
def staging(store):
    return write_upload(store.workspace.staging("upload-0123456789ab"), FILES)


def take_in(store, staging):
    """Import the upload; return what is told of every image, those set aside, and the data set's id."""
    job_id = store.add_job("import", {"kind": "staged", "path": str(staging), "name": "photos"})
    run_import(store, job_id)
    dataset_id = store.job(job_id).dataset_id
    assert dataset_id, store.job(job_id).error
    images = store.images(dataset_id)
    for image in images:
        assert store.workspace.image(image.folder, image.id, image.suffix).is_file()
        assert store.workspace.thumbnail(image.folder, image.id).is_file()
    told = sorted(tuple(str(getattr(image, name)) for name in TOLD) for image in images)
    return told, {row.name: row.reason for row in store.set_aside(dataset_id)}


def copied_early(staging):
    return len(list(staging.glob("early/*-thumbnail.jpg")))


def decoded_early(staging):
    """Count what is on record, which comes some pictures behind."""
    record = staging / "early.jsonl"
    return record.read_bytes().count(b"\n") if record.exists() else 0


def decoders_of(staging):
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if early_copies.DECODER in (process.info["cmdline"] or ()) and str(staging) in process.info["cmdline"]
    ]


def test_an_import_takes_what_was_decoded_early_and_is_like_any_other(store, staging, tmp_path, wait_for):
    plain = Store(open_workspace(tmp_path / "plain"))
    expected = take_in(plain, write_upload(plain.workspace.staging("upload-1"), FILES))
    early_copies.start(staging)
    wait_for(lambda: copied_early(staging) == len(PHOTOS), what="every photo decoded early")
    # A copy that the early decoder alone can have made.
    early = next((staging / "early").glob("*.jpg")).stat().st_ino
    assert take_in(store, staging) == expected
    assert early in {path.stat().st_ino for path in (store.workspace.root / "datasets").rglob("*.jpg")}
    wait_for(lambda: not decoders_of(staging), what="the early decoder's end")


def test_files_that_come_later_are_decoded_early_too(staging, wait_for):
    thread = threading.Thread(target=early_decoder.decode_arriving, args=(staging,))
    thread.start()
    (staging / "files" / "late").write_bytes(jpeg(500))
    with (staging / "manifest.jsonl").open("a") as manifest:
        manifest.write(json.dumps({"file": "late", "name": "photos/ash/late.jpg", "size": len(jpeg(500))}) + "\n")
        # Torn: its other half may come yet.
        manifest.write('{"file": "half')
    wait_for(lambda: copied_early(staging) == len(PHOTOS) + 1, what="the late one decoded")
    taken = early_copies.take_over(staging, lambda: None)
    thread.join(10)
    assert not thread.is_alive()
    assert len(taken) == len(PHOTOS) + 1
    assert staging / "files" / "late" in taken


def test_what_a_killed_early_decoder_left_torn_is_decoded_again(store, staging, tmp_path, wait_for):
    plain = Store(open_workspace(tmp_path / "plain"))
    expected = take_in(plain, write_upload(plain.workspace.staging("upload-1"), FILES))
    early_copies.start(staging)
    wait_for(lambda: decoded_early(staging) >= 2, what="some photos decoded early")
    for process in decoders_of(staging):
        process.kill()
        process.wait()
    record = staging / "early.jsonl"
    record.write_bytes(record.read_bytes()[:-5])
    # And one copy that vanished although it is on record.
    first = json.loads(record.read_bytes().splitlines()[0])
    (staging / "early" / f"{first['file']}{first['suffix']}").unlink()
    assert take_in(store, staging) == expected


def test_an_upload_that_is_given_up_or_idle_is_let_go(staging):
    started = time.monotonic()
    early_decoder.decode_arriving(staging, idle_s=0.3)
    assert time.monotonic() - started < 20
    (staging / "manifest.jsonl").unlink()
    early_decoder.decode_arriving(staging)
    assert len(early_copies.take_over(staging, lambda: None)) == len(PHOTOS)


def test_one_that_is_started_again_goes_on_where_the_first_was_killed(staging):
    early_decoder.decode_arriving(staging, idle_s=0.3)
    record = staging / "early.jsonl"
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(lines[:3]) + lines[3][:-5])
    kept = json.loads(lines[0])
    copy = staging / "early" / f"{kept['file']}{kept['suffix']}"
    made_at = copy.stat().st_mtime_ns
    early_decoder.decode_arriving(staging, idle_s=0.3)
    assert copy.stat().st_mtime_ns == made_at
    assert len(early_copies.take_over(staging, lambda: None)) == len(PHOTOS)


def test_a_second_early_decoder_leaves_the_first_alone(staging):
    with early_copies.recording(staging):
        early_decoder.decode_arriving(staging)
        early_copies.start(staging)
        assert not decoders_of(staging)
    assert decoded_early(staging) == 0


def test_an_upload_that_nobody_decoded_early_is_not_touched(staging):
    before = sorted(path.name for path in staging.iterdir())
    assert len(early_copies.take_over(staging, lambda: None)) == 0
    assert sorted(path.name for path in staging.iterdir()) == before
