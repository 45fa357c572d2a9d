"""Real imports, killed at every stage: the data set is there whole or not at all, and nothing is left lying about."""

import itertools
import json
import os
import random
import signal
import time

import psutil
import pytest

from tests.support.boxes.annotations import coco
from tests.support.pictures.corpus import leftovers, write_classes
from thaw.jobs import lifecycle, starts
from thaw.jobs.sweeper import sweep
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.images.pixels import load_pixels
from tlcore.progress import Stage

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

CLASSES = {"rose": 40, "tulip": 40}
FILES = sum(CLASSES.values())
KILLS = [2, pytest.param(100, marks=pytest.mark.slow)]
LOOK_EVERY_S = 0.001

# Named moments of an import, each seen in the job's row, or in the data sets.
STAGES = {
    "finding files": lambda store, job, before: job.stage != Stage.STARTING,
    "the first image": lambda store, job, before: job.stage == Stage.CHECKING_IMAGES,
    "half of the images": lambda store, job, before: job.stage == Stage.CHECKING_IMAGES and job.done >= FILES // 2,
    "all images": lambda store, job, before: job.stage == Stage.CHECKING_IMAGES and job.done >= FILES,
    "the commit": lambda store, job, before: state(store) != before,
    "the end": lambda store, job, before: job.status == "finished",
}
# Up to the commit an addition is an import like any other.
ADDED = [
    stage if stage in ("half of the images", "the commit") else pytest.param(stage, marks=pytest.mark.slow)
    for stage in STAGES
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(open_workspace(tmp_path_factory.mktemp("kills") / "workspace"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Return a function that makes a new folder of photos that were in no other."""
    seeds = itertools.count(10_000, 1000)
    return lambda: write_classes(tmp_path_factory.mktemp("photos"), CLASSES, next(seeds))


@pytest.fixture(scope="module")
def grown(store, photos):
    """Import the data set that others are added to."""
    return finished(store, start(store, photos()))


def state(store):
    """Return what the database says of every data set: its size, its version and the folders of its images."""
    return {
        dataset.id: (dataset.accepted, dataset.version, {image.folder for image in store.every_image(dataset.id)})
        for dataset in store.datasets()
    }


def start(store, folder, dataset_id=None):
    request = {"kind": "folder", "path": str(folder), "name": ""} | ({"dataset": dataset_id} if dataset_id else {})
    return starts.start_import(store, request)


def kill(store, job_id):
    """Kill an import and wait until it and its decoders are gone."""
    pid = store.job(job_id).pid
    try:
        process = psutil.Process(pid)
        family = [process, *process.children()]
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return
    _, alive = psutil.wait_procs(family, timeout=60)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def settle(store, job_id):
    """Do what the next start of the server and the next import do first."""
    deadline = time.monotonic() + 60
    while store.job(job_id).active:
        lifecycle.reconcile(store)
        assert time.monotonic() < deadline, "a killed import is called running"
        time.sleep(0.01)
    sweep(store)


def require_whole(store, before, grown=None):
    """Check that there is either the old state or the new one, and that every row's copies are there.

    Return whether it is the new one. `grown` is the data set that was added to; without it a new one was made.
    """
    after = state(store)
    changed = [dataset_id for dataset_id in after if after[dataset_id] != before.get(dataset_id)]
    assert before.keys() <= after.keys()
    assert leftovers(store) == []
    images = [image for dataset_id in after for image in store.every_image(dataset_id)]
    files = {path for path in (store.workspace.root / "datasets").rglob("*") if path.is_file()}
    journals = {store.workspace.journal(dataset_id) for dataset_id in after}
    assert files == {path for image in images for path in copies(store, image)} | journals
    assert not store.survey().unknown
    assert len(files - journals) == 2 * sum(accepted for accepted, *_ in after.values())
    if changed:
        (dataset_id,) = changed
        assert dataset_id == (grown or dataset_id)
        accepted, version, folders = before.get(dataset_id, (0, 0, set()))
        assert after[dataset_id][:2] == (accepted + FILES, version + 1)
        new = [image for image in images if image.folder in after[dataset_id][2] - folders]
        assert len(new) == FILES
        assert all(load_pixels(path, 8).shape == (8, 8, 3) for image in new for path in copies(store, image))
    return bool(changed)


def copies(store, image):
    workspace = store.workspace
    return [workspace.image(image.folder, image.id, image.suffix), workspace.thumbnail(image.folder, image.id)]


def strike(store, job_id, comes, before):
    """Kill an import as soon as a stage comes; return whether it had told by then that it has images left to look at:
    on a busy machine the kill may come late."""
    deadline = time.monotonic() + 240
    while not comes(store, store.job(job_id), before) and store.job(job_id).active:
        assert time.monotonic() < deadline, "the stage did not come"
        time.sleep(LOOK_EVERY_S)
    kill(store, job_id)
    job = store.job(job_id)
    return job.active and job.stage in (Stage.STARTING, Stage.FINDING_FILES, Stage.CHECKING_IMAGES) and job.done < FILES


def tell_truly(store, job_id, changed):
    """Check that a job is called finished if and only if its data set is there, and that any other says so."""
    job = store.job(job_id)
    assert job.status == ("finished" if changed else "failed")
    if changed:
        assert job.dataset_id in state(store)
    else:
        assert "No half-made data set was kept" in job.error


@pytest.mark.parametrize("stage", STAGES)
def test_an_import_killed_at_a_stage_leaves_all_or_nothing(stage, store, photos):
    before = state(store)
    job_id = start(store, photos())
    early = strike(store, job_id, STAGES[stage], before)
    settle(store, job_id)
    changed = require_whole(store, before)
    tell_truly(store, job_id, changed)
    assert changed >= (stage in ("the commit", "the end"))
    assert not (early and changed)


@pytest.mark.parametrize("stage", ADDED)
def test_an_addition_killed_at_a_stage_leaves_the_old_data_set_or_the_new(stage, store, photos, grown):
    before = state(store)
    job_id = start(store, photos(), grown)
    early = strike(store, job_id, STAGES[stage], before)
    settle(store, job_id)
    changed = require_whole(store, before, grown)
    tell_truly(store, job_id, changed)
    assert changed >= (stage in ("the commit", "the end"))
    assert not (early and changed)


@pytest.mark.parametrize("stage", ADDED)
def test_boxes_come_with_their_photos_or_not_at_all(stage, store, photos):
    folder = photos()
    names = [str(path.relative_to(folder)) for path in folder.rglob("*.jpg")]
    drawn = coco({name: [("apple", 1, 2, 10, 10), ("pear", 500, 2, 10, 10)] for name in names}, sizes=False)
    (folder / "annotations.json").write_text(json.dumps(drawn))
    before = state(store)
    job_id = start(store, folder)
    early = strike(store, job_id, STAGES[stage], before)
    settle(store, job_id)
    changed = require_whole(store, before)
    tell_truly(store, job_id, changed)
    assert not (early and changed)
    assert changed >= (stage in ("the commit", "the end"))
    for dataset_id in state(store).keys() - before.keys():
        assert store.count_boxes(dataset_id) == {"apple": FILES}
        assert len(store.rejected_boxes(dataset_id)) == FILES


@pytest.mark.parametrize("kills", KILLS)
def test_imports_and_additions_killed_at_random_leave_all_or_nothing(kills, store, photos, grown, campaign):
    started = time.monotonic()
    finished(store, start(store, photos(), grown))
    whole_s = time.monotonic() - started
    chance = random.Random(1)
    tally, changes = campaign("kills of imports and additions"), 0
    for number in range(kills):
        before = state(store)
        target = grown if number % 2 else None
        job_id = start(store, photos(), target)
        time.sleep(chance.uniform(0, 1.1 * whole_s))
        kill(store, job_id)
        with tally.trial(f"import {number}"):
            settle(store, job_id)
            changed = require_whole(store, before, target)
            tell_truly(store, job_id, changed)
            changes += changed
    tally.facts["in_time"] = kills - changes
    assert changes < kills, "some kills came in time"
    before = state(store)
    finished(store, start(store, photos(), grown))
    assert require_whole(store, before, grown)


def finished(store, job_id):
    deadline = time.monotonic() + 240
    while store.job(job_id).active:
        assert time.monotonic() < deadline, "the import did not end"
        time.sleep(0.01)
    assert store.job(job_id).status == "finished", store.job(job_id).error
    return store.job(job_id).dataset_id
