"""A real small disk that fills up within an import or a relabelling, at the first write, the second, and so on: plain
words, the earlier data set whole, and both go through once there is room."""

import os
import sqlite3
import subprocess
import sys

import pytest

from tests.support.pictures.corpus import digests, in_words, leftovers, write_classes
from thaw.datasets import edits
from thaw.jobs import lifecycle
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.errors import ThawError
from tlcore.progress import Stage

DISK_BYTES = 24 << 20
PAGE_BYTES = 4096
CLASSES = {"rose": 6, "tulip": 6}
FEW = [0, 1, 6, 20]


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """Mount a file system of a few MB in memory; return its folder."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk wants root on Linux")
    folder = tmp_path_factory.mktemp("disk")
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def store(disk, monkeypatch):
    # The disk fills up after it was looked at, as it does where another program writes to it.
    monkeypatch.setattr("thaw.storage.disk_space.SPARE_BYTES", 0)
    # It stays full until the job has ended, however long that waits.
    monkeypatch.setattr("thaw.jobs.reporter.PAUSES_S", (), raising=False)
    return Store(open_workspace(disk / "workspace"))


@pytest.fixture
def dataset_id(store, tmp_path):
    return take_in(store, write_classes(tmp_path / "first", CLASSES, 500)).dataset_id


class Ballast:
    """What another program writes: all that is free but some pages."""

    def __init__(self, disk):
        self._path = disk / "ballast"

    def leave(self, pages):
        disk = self._path.parent
        with self._path.open("wb") as file:
            file.write(bytes((free_pages(disk) - pages) * PAGE_BYTES))
        assert free_pages(disk) == pages

    def drop(self):
        self._path.unlink(missing_ok=True)


def free_pages(folder):
    return os.statvfs(folder).f_bavail


def take_in(store, folder, ballast=None, pages=None):
    """Import a folder as its process does, with so many pages left once its files are listed; return the job as it is
    told when the ballast has gone."""

    def fill(stage, done, total):
        if ballast and stage == Stage.CHECKING_IMAGES and done == 0:
            ballast.leave(pages)

    job_id = store.add_job("import", {"kind": "folder", "path": str(folder), "name": "Photos"})
    try:
        work(store, job_id, fill)
    except (OSError, sqlite3.OperationalError, ThawError):
        # With it the process ends; the job's row is what a person sees.
        assert ballast
    if ballast:
        ballast.drop()
    lifecycle.reconcile(store)
    return store.job(job_id)


def state(store):
    """Return all that the database and the disk hold of data sets."""
    rows = {each.id: (each.version, each.classes, store.every_image(each.id)) for each in store.datasets()}
    return rows, digests(store.workspace.root / "datasets")


def require_sound(store):
    with sqlite3.connect(store.workspace.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def trials(every):
    """Count the pages that are left: all from none on, or a few."""
    return range(DISK_BYTES // PAGE_BYTES) if every else FEW


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.timeout(3600)
def test_an_import_on_a_disk_that_fills_up(every, disk, store, dataset_id, tmp_path, campaign):
    tally, ballast = campaign("imports on a disk that fills up at the n-th write"), Ballast(disk)
    for pages in trials(every):
        folder = write_classes(tmp_path / str(pages), CLASSES, 1000 + 100 * pages)
        before = state(store)
        with tally.trial(f"{pages} pages left"):
            job = take_in(store, folder, ballast, pages)
            require_sound(store)
            if job.status == "finished":
                break
            assert job.status == "failed"
            assert "disk" in job.error
            assert in_words(job.error.replace(str(store.workspace.root), "the workspace"))
            assert state(store) == before, "an earlier data set is another"
            assert leftovers(store) == []
            if not every or pages % 10 == 0:
                again = take_in(store, folder)
                assert again.status == "finished", again.error
                assert store.dataset(again.dataset_id).accepted == sum(CLASSES.values())
    assert tally.n == len(FEW) if not every else tally.n > len(FEW)


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_relabelling_on_a_full_disk(every, disk, store, dataset_id, campaign):
    tally, ballast = campaign("relabellings on a disk that fills up at the n-th write"), Ballast(disk)
    moved = [image.id for image in store.images(dataset_id) if image.label == "rose"][:3]
    failed = 0
    for pages in trials(every):
        before, edited = state(store), store.edits(dataset_id)
        ballast.leave(pages)
        with tally.trial(f"{pages} pages left"):
            try:
                edits.move_images(store, dataset_id, moved, "tulip")
                refusal = None
            except (sqlite3.OperationalError, ThawError) as problem:
                refusal = problem
            ballast.drop()
            require_sound(store)
            if refusal is None:
                assert store.dataset(dataset_id).classes == {"rose": 3, "tulip": 9}
                assert len(store.edits(dataset_id)) == len(edited) + 1
                break
            failed += 1
            assert "disk" in str(refusal)
            assert state(store) == before
            assert store.edits(dataset_id) == edited
            edits.move_images(store, dataset_id, moved, "tulip")
            edits.undo(store, dataset_id)
            assert state(store)[0][dataset_id][1] == before[0][dataset_id][1]
    tally.facts["refused"] = failed
    assert failed >= 1
