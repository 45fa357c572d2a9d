"""Exports whose converters, provers or own process are killed: the earlier export stays whole, and nothing is left."""

import os
import random
import time

import psutil
import pytest

from tests.support.pictures.corpus import digests, in_words
from tests.support.runs import train_head
from thaw.exporting import exports
from thaw.jobs.lifecycle import launch
from thaw.jobs.threads import start_thread
from thaw.storage.export_record import OLD_FOLDER, WORK_PREFIX, export_folder, find_changed
from thaw.worker import work
from tlcore.progress import Stage
from tlcore.settings import HeadSettings

# The moment of changing places takes longer; who looked without a pause kept a core from what is to be killed.
LIMIT_S, LOOK_EVERY_S = 240, 0.001
FORMATS = ["keras", "onnx"]


def child(module, seconds=0.0):
    """Return a function that finds the job's process that runs `module`, once it is that old."""

    def find(store, job):
        try:
            family = psutil.Process(job.pid).children(recursive=True)
            return next(
                (
                    each.pid
                    for each in family
                    if module in each.cmdline() and time.time() - each.create_time() >= seconds
                ),
                None,
            )
        except psutil.NoSuchProcess:
            return None

    return find


def stage(name, done=0):
    return lambda store, job: job.pid if job.stage == name and job.done >= done else None


def parent_of(find):
    return lambda store, job: job.pid if find(store, job) else None


def changing_places(store, job):
    run = store.workspace.run(job.request["run"])
    return job.pid if (run / OLD_FOLDER).exists() and not (run / "export").exists() else None


# Who is killed when: each returns the process to kill once its moment has come.
MOMENTS = {
    "a converter": child("tlcore.exporting.converters", 1.0),
    "the exporter as it builds": stage(Stage.BUILDING_MODEL),
    "the exporter as it converts": parent_of(child("tlcore.exporting.converters")),
    "the exporter as it proves": stage(Stage.VERIFYING, 1),
    "the exporter as it times": stage(Stage.MEASURING_SPEED),
    "a prover": child("tlcore.exporting.verify_file", 1.0),
    "the exporter as it changes places": changing_places,
}
SHORT = ["a converter", "the exporter as it converts"]
# Whoever of the exporter's processes is killed, it may be this one, which has loaded TensorFlow already.
HERE = SHORT[:1]


def strike(store, job_id, comes, kill):
    deadline = time.monotonic() + LIMIT_S
    while (job := store.job(job_id)).active:
        pid = comes(store, job) if job.pid else None
        if pid and kill(pid):
            return True
        assert time.monotonic() < deadline, "the moment did not come"
        time.sleep(LOOK_EVERY_S)
    return False


def left_behind(store, run_id):
    run = store.workspace.run(run_id)
    hidden = [path for path in run.iterdir() if path.name.startswith(".")]
    return hidden + list((store.workspace.root / "staging").glob(f"{WORK_PREFIX}*"))


def orphans(store):
    """Return the processes that still make or prove a file of this workspace."""
    words = [(each, each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]
    return [
        each
        for each, line in words
        if "tlcore.exporting.subprocesses" in line and str(store.workspace.root) in " ".join(line)
    ]


@pytest.fixture(scope="module")
def model(store, tiny_dataset):
    return train_head(store, tiny_dataset, HeadSettings(image_size=48, epochs=1, validation_split=0.25))


@pytest.fixture(scope="module")
def exported(store, model):
    """Export a run in this process; return the digests of the whole export."""
    job_id = exports.add_export_job(store, model, FORMATS[1:])
    work(store, job_id)
    assert store.job(job_id).status == "finished", store.job(job_id).error
    return digests(export_folder(store.workspace, model))


def require_whole(store, run_id):
    made, folder = exports.latest_export(store, run_id), export_folder(store.workspace, run_id)
    assert made is not None, "the earlier export is lost"
    assert find_changed(folder, made) == []
    assert [each.name for each in made.formats if not each.offered] == [], "a half file took the place of a proven one"


@pytest.mark.parametrize("kills", [0, pytest.param(14, marks=pytest.mark.slow)])
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.timeout(3600)
def test_killed_exports_leave_the_earlier_one(kills, store, model, exported, settle, kill, campaign, wait_for):
    chance, tally = random.Random(3), campaign("kills of exports")
    moments = [(name, MOMENTS[name]) for name in (MOMENTS if kills else SHORT)]
    for _ in range(kills):
        module = chance.choice(["tlcore.exporting.converters", "tlcore.exporting.verify_file"])
        moments.append((f"{module} at a random moment", child(module, chance.uniform(0, 8))))
    before, in_time = exported, 0
    for name, comes in moments:
        with tally.trial(name):
            job_id = exports.add_export_job(store, model, FORMATS)
            if name in HERE and not kills:
                start_thread(work, store, job_id)
            else:
                launch(store, job_id)
            in_time += strike(store, job_id, comes, kill)
            job = settle(job_id, LIMIT_S)
            require_whole(store, model)
            if job.status == "finished":
                before = digests(export_folder(store.workspace, model))
            assert digests(export_folder(store.workspace, model)) == before, "the earlier export is another"
            if job.status == "failed":
                assert "killed" in job.error
                assert "earlier" in job.error
                assert in_words(job.error)
            assert left_behind(store, model) == []
            wait_for(lambda: orphans(store) == [], 15, "the end of a killed job's processes")
    tally.facts["in_time"] = in_time
    assert in_time > len(moments) // 2, "kills came in time"
