import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from tests.support.pictures.corpus import (
    ACCEPTED,
    SET_ASIDE,
    Case,
    encoded,
    jpeg,
    leftovers,
    write_classes,
    write_folder,
    zip_of,
)
from thaw.datasets import edits
from thaw.datasets.health import examine
from thaw.datasets.ingest import ingest
from thaw.jobs.sweeper import sweep
from thaw.sources.sources import Source
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError, Stopped
from tlcore.progress import Stage

pytestmark = pytest.mark.usefixtures("warm_decoder")


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def source(kind, path):
    return Source(kind, path, str(path))


def test_copies_conflicts_twins_and_empty_classes_are_found(store, tmp_path):
    files = [
        Case("Cat/a.jpg", jpeg(1), ACCEPTED),
        Case("cat/b.jpg", jpeg(2), ACCEPTED),
        Case("cat/b again.jpg", jpeg(2), ACCEPTED),
        Case("dog/c.jpg", jpeg(1), ACCEPTED),
        Case("empty/page.jpg", b"<html>", SET_ASIDE),
    ]
    dataset = store.dataset(ingest(store, source("folder", write_folder(tmp_path / "pets", files)), "Pets"))
    assert ["Class 'empty' has no usable image" in note for note in dataset.notes] == [True]
    findings = {finding.kind: finding for finding in examine(store.images(dataset.id), 224)}
    assert findings["twins"].classes == ("Cat", "cat")
    assert [image.name for image in findings["conflict"].images] == ["Cat/a.jpg", "dog/c.jpg"]
    assert [image.name for image in findings["copies"].images] == ["cat/b again.jpg", "cat/b.jpg"]
    assert dataset.classes == {"Cat": 1, "cat": 2, "dog": 1}


def test_nothing_usable_is_refused_with_advice(store, tmp_path):
    folder = write_folder(tmp_path / "docs", [Case("a/b.txt", b"hello", SET_ASIDE), Case("c.mp4", bytes(9), SET_ASIDE)])
    with pytest.raises(DatasetError, match=r"like flowers/rose/a.jpg.*0 usable images among 2 files.*text file"):
        ingest(store, source("folder", folder), "Docs")
    assert leftovers(store) == []
    assert store.datasets() == []


def test_a_refused_zip_leaves_nothing(store, tmp_path):
    path = tmp_path / "bomb.zip"
    path.write_bytes(zip_of({"rose/a.jpg": jpeg(1), "rose/b.bmp": b"\0" * 30_000_000}))
    with pytest.raises(DatasetError, match="zip bomb"):
        ingest(store, source("zip", path), "Bomb")
    assert leftovers(store) == []


def test_a_stop_leaves_nothing(store, tmp_path):
    folder = write_classes(tmp_path / "photos", {"rose": 20, "tulip": 20})

    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        ingest(store, source("folder", folder), "Photos", check_stop=stop)
    assert leftovers(store) == []


def test_progress_is_told_by_stages(store, tmp_path):
    folder = write_classes(tmp_path / "photos", {"rose": 3, "tulip": 3})
    told = []
    ingest(store, source("folder", folder), "Photos", progress=lambda *report: told.append(report))
    assert told[0] == (Stage.FINDING_FILES, 0, 0)
    assert told[-2:] == [(Stage.CHECKING_IMAGES, 6, 6), (Stage.FINDING_NEAR_DUPLICATES, 0, 0)]
    assert [done for stage, done, _ in told if stage == Stage.CHECKING_IMAGES] == [0, 1, 2, 3, 4, 5, 6, 6]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_sweep_removes_a_killed_import_and_spares_a_living_one(store, tmp_path):
    folder = write_classes(tmp_path / "photos", {"rose": 2, "tulip": 2})
    finished = ingest(store, source("folder", folder), "Photos")
    code = f"""
import time
from pathlib import Path
from thaw.datasets.ingest import hold_folders
from thaw.storage.workspace import open_workspace
with hold_folders(open_workspace({str(store.workspace.root)!r}), "data-living") as (folder, unpacked):
    unpacked.mkdir()
    print("ready", flush=True)
    time.sleep(60)
"""
    living = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert living.stdout.readline() == "ready\n"
        sweep(store)
        assert store.workspace.dataset("data-living").is_dir()
        assert store.workspace.staging("data-living").is_dir()
    finally:
        living.send_signal(signal.SIGKILL)
        living.wait()
        living.stdout.close()
    time.sleep(0.05)
    sweep(store)
    assert not store.workspace.dataset("data-living").exists()
    assert not store.workspace.staging("data-living").exists()
    assert store.workspace.dataset(finished).is_dir()
    assert leftovers(store) == []


def test_of_two_additions_at_once_the_second_knows_what_the_first_brought(store, tmp_path):
    dataset_id = ingest(store, source("folder", write_classes(tmp_path / "base", {"ant": 3, "bee": 3})), "Insects")
    more = source("folder", write_classes(tmp_path / "more", {"ant": 12, "bee": 12}, seed=5000))

    def add(role):
        with contextlib.suppress(DatasetError):
            ingest(store, more, "", into=dataset_id, role=role)

    threads = [threading.Thread(target=add, args=(role,)) for role in ("main", "holdout")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    dataset = store.dataset(dataset_id)
    assert sorted([dataset.included - 6, dataset.holdout]) == [0, 24]


def test_an_addition_that_waits_for_another_says_so_and_can_be_stopped(store, tmp_path):
    dataset_id = ingest(store, source("folder", write_classes(tmp_path / "base", {"ant": 3})), "Insects")
    told = []

    def stop():
        raise Stopped

    with FileLock(store.workspace.job_lock(dataset_id)), pytest.raises(Stopped):
        ingest(store, source("folder", tmp_path / "base"), "", lambda *each: told.append(each), stop, dataset_id)
    assert told == [(Stage.WAITING_FOR_IMPORT, 0, 0)]


def test_a_drop_that_was_undone_can_come_again_in_the_other_role(store, tmp_path):
    dataset_id = ingest(store, source("folder", write_classes(tmp_path / "base", {"ant": 3, "bee": 3})), "Insects")
    far = source("folder", write_classes(tmp_path / "far", {"ant": 2, "bee": 2}, seed=5000))
    ingest(store, far, "", into=dataset_id)
    withdrawn = [image.id for image in store.images(dataset_id) if image.folder != dataset_id]
    edits.undo(store, dataset_id)
    ingest(store, far, "", into=dataset_id, role="holdout")
    dataset = store.dataset(dataset_id)
    assert (dataset.included, dataset.holdout, dataset.excluded, dataset.known) == (6, 4, 4, 0)
    with pytest.raises(DatasetError, match="came again in the other role"):
        edits.restore_images(store, dataset_id, withdrawn)
    edits.undo(store, dataset_id)
    edits.restore_images(store, dataset_id, withdrawn)
    assert (store.dataset(dataset_id).included, store.dataset(dataset_id).holdout) == (10, 0)


def deep_photos(folder, largest, seed=0):
    """Write deep greys that all fill 0..largest, a photo of 8 bits beside them."""
    random = np.random.default_rng(seed)
    files = [Case("cell/plain.jpg", jpeg(900 + seed), ACCEPTED)]
    for number in range(3):
        values = random.integers(0, largest + 1, (24, 32)).astype(np.uint16)
        values[0, :2] = 0, largest
        files.append(Case(f"cell/{number}.png", encoded(Image.fromarray(values), "PNG"), ACCEPTED))
    return write_folder(folder, files)


def kept_greys(store, image):
    with Image.open(store.workspace.image(image.folder, image.id, image.suffix)) as copy:
        return np.asarray(copy)[..., 0]


def test_deep_pictures_of_a_data_set_have_one_range_and_keep_it(store, tmp_path):
    dataset_id = ingest(store, source("folder", deep_photos(tmp_path / "first", 4000)), "Cells")
    assert store.dataset(dataset_id).grey_range == 4095
    images = {image.name: image for image in store.images(dataset_id)}
    assert images["cell/0.png"].notes == ["scaled from more than 8 bits (0 to 4,095)"]
    assert images["cell/plain.jpg"].notes == []
    for name in ("cell/0.png", "cell/1.png"):
        with Image.open(tmp_path / "first" / name) as original:
            expected = np.floor(np.asarray(original, dtype=float) * 255 / 4095 + 0.5)
        assert np.array_equal(kept_greys(store, images[name]), expected)

    ingest(store, source("folder", deep_photos(tmp_path / "brighter", 9000, seed=1)), "more", into=dataset_id)
    ingest(store, source("folder", deep_photos(tmp_path / "darker", 200, seed=2)), "more", into=dataset_id)
    assert store.dataset(dataset_id).grey_range == 4095
    notes = [image.notes for image in store.images(dataset_id)]
    assert notes.count(["scaled from more than 8 bits (0 to 4,095)", "values above 4,095 were clipped"]) == 3
    assert notes.count(["scaled from more than 8 bits (0 to 4,095)"]) == 6


def test_the_first_import_with_deep_pictures_decides_their_range(store, tmp_path):
    dataset_id = ingest(store, source("folder", write_classes(tmp_path / "plain", {"cell": 3})), "Cells")
    assert store.dataset(dataset_id).grey_range is None
    ingest(store, source("folder", deep_photos(tmp_path / "deep", 60_000)), "more", into=dataset_id)
    assert store.dataset(dataset_id).grey_range == 65535


def test_deep_pictures_that_wait_are_accounted_for_and_leave_nothing(store, tmp_path):
    folder = deep_photos(tmp_path / "photos", 900)
    (folder / "cell" / "cut.png").write_bytes((folder / "cell" / "0.png").read_bytes()[:200])
    told = []
    dataset_id = ingest(
        store, source("folder", folder), "Cells", lambda stage, done, total: told.append((stage, done, total))
    )
    dataset = store.dataset(dataset_id)
    assert (dataset.accepted, dataset.set_aside, dataset.grey_range) == (4, 1, 1023)
    counts = [done for stage, done, total in told if stage == Stage.CHECKING_IMAGES]
    assert counts == sorted(counts)
    assert counts[-1] == 5
    assert not leftovers(store)
    files = [path for path in store.workspace.dataset(dataset_id).rglob("*") if path.is_file()]
    assert len(files) == 8 + 1, "four copies, their thumbnails and the journal"


def test_more_classes_than_can_be_trained_are_told_at_the_import(store, tmp_path, monkeypatch):
    for module in ("thaw.datasets.ingest", "tlcore.splits.splits"):
        monkeypatch.setattr(f"{module}.MAX_CLASSES", 2)
    folder = write_classes(tmp_path / "photos", {"ant": 2, "bee": 2, "fly": 2})
    (note,) = store.dataset(ingest(store, source("folder", folder), "Insects")).notes
    assert "at most 2 classes. Received: 3" in note
