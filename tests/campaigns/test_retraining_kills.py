"""Retrainings killed at named points and at random: the fix, the earlier run and its head stay, and what is resumed
ends as an undisturbed one."""

import random
import sys
import time

import pytest

from tests.support.pictures.corpus import digests, in_words
from tests.support.runs import arrays, measured
from thaw.datasets import edits
from thaw.datasets.run_split import read_split
from thaw.jobs import starts
from thaw.retraining import fixes
from thaw.retraining.fix_history import list_chain, read_history
from thaw.retraining.numpy_keeper import SNAPSHOT
from thaw.storage.workspace import SPLIT_FILE
from tlcore.progress import Stage

RESULTS = ("head.npz", "predictions-1.npz")
LIMIT_S, LOOK_EVERY_S = 240, 0.001


def file(name):
    return lambda store, run_id: (store.workspace.run(run_id) / name).exists()


def stage(name, done=0):
    def reached(store, run_id):
        job = store.latest_job(run_id)
        return job.stage == name and job.done >= done

    return reached


# Named moments of a retraining, each seen in the job's row or in the run's folder.
POINTS = {
    "the start of its process": lambda store, run_id: store.latest_job(run_id).status == "running",
    "reading the features": stage(Stage.READING_FEATURES),
    "the split": file(SPLIT_FILE),
    "what the split comes from": lambda store, run_id: store.run(run_id).facts.sides_of is not None,
    "the first epoch": stage(Stage.TRAINING_HEAD),
    "the first snapshot": file(SNAPSHOT),
    "half of the epochs": stage(Stage.TRAINING_HEAD, 20),
    "the head": file("head.npz"),
    "the predictions": file("predictions-1.npz"),
    "the result": lambda store, run_id: store.run(run_id).result_phase is not None,
}
SHORT = ["the split", "the first snapshot"]
# Before the libraries are in memory what is left to ask for is most; later a retraining may get by with what it has.
STARVED = ["the start of its process", "reading the features", "the first epoch", "half of the epochs"]
MORE_TRIALS = 4


@pytest.fixture(scope="module")
def fixed(store, tiny_dataset, taught):
    """Give one photo another class, as a person would; return the fixes that stand."""
    moved = read_split(store, store.run(taught)).training[0]
    edits.move_images(store, tiny_dataset, [moved.id], "sky" if moved.label != "sky" else "leaf")
    yield fixes.list_fixes(store, store.run(taught))
    edits.undo(store, tiny_dataset)


@pytest.fixture(scope="module")
def undisturbed(store, taught, fixed, settle):
    """Retrain without a disturbance; return the run's id and its seconds."""
    started = time.monotonic()
    run_id = fixes.retrain(store, taught)
    assert settle(store.latest_job(run_id).id, LIMIT_S).status == "finished"
    return run_id, time.monotonic() - started


def strike(store, blow, run_id, comes):
    """Kill or starve a retraining as soon as a moment comes; say whether it was still alive."""
    deadline = time.monotonic() + LIMIT_S
    while not comes(store, run_id):
        job = store.latest_job(run_id)
        if not job.active:
            return False
        assert time.monotonic() < deadline, "the moment did not come"
        time.sleep(LOOK_EVERY_S)
    return blow(store.latest_job(run_id).pid)


def recover(store, taught, run_id, settle, anew):
    """Resume what was killed, or begin anew from the earlier run; return the id of the run that finished."""
    job = settle(store.latest_job(run_id).id)
    if job.status == "finished":
        return run_id
    assert job.status == "failed"
    assert "press Resume" in job.error
    if anew:
        run_id = fixes.retrain(store, taught)
    else:
        starts.resume(store, run_id)
    job = settle(store.latest_job(run_id).id, LIMIT_S)
    assert job.status == "finished", job.error
    return run_id


def require_same(store, run_id, undisturbed):
    assert store.run(run_id).facts.warm_start == store.run(undisturbed).facts.warm_start
    assert measured(store, run_id) == measured(store, undisturbed)
    for name in RESULTS:
        ours, theirs = (arrays(store.workspace.run(each) / name) for each in (run_id, undisturbed))
        assert ours == theirs, f"{name} is another"
    names = [{path.name for path in store.workspace.run(each).iterdir()} for each in (run_id, undisturbed)]
    assert names[0] == names[1], "files were left behind"


def after(seconds):
    deadline = time.monotonic() + seconds
    return lambda store, run_id: time.monotonic() >= deadline


@pytest.mark.parametrize("kills", [1, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.timeout(3600)
def test_killed_retrainings_lose_nothing(kills, store, taught, fixed, undisturbed, settle, kill, campaign):
    model, whole_s = undisturbed
    chance, tally = random.Random(15), campaign("kills of retraining")
    before, epochs = digests(store.workspace.run(taught)), measured(store, taught)
    moments = [(name, lambda comes=comes: comes) for name, comes in POINTS.items() if kills > 1 or name in SHORT]
    moments += [("a random moment", lambda: after(chance.uniform(0, whole_s))) for _ in range(kills)]
    in_time = 0
    for number, (name, begin) in enumerate(moments):
        with tally.trial(f"{number}: {name}"):
            run_id = fixes.retrain(store, taught)
            in_time += strike(store, kill, run_id, begin())
            again = recover(store, taught, run_id, settle, anew=number % 3 == 2)
            assert fixes.list_fixes(store, store.run(taught)) == fixed, "the fix is lost"
            assert digests(store.workspace.run(taught)) == before, "the earlier run is another"
            assert measured(store, taught) == epochs
            require_same(store, again, model)
    tally.facts["in_time"] = in_time
    assert in_time > len(moments) // 3, "kills came in time"
    (last,) = read_history(store, list_chain(store, store.run(taught))).rounds
    assert sum(last.moved.values()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
@pytest.mark.parametrize("trials", [2, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.timeout(3600)
def test_retrainings_that_run_out_of_memory_lose_nothing(
    trials, store, taught, fixed, undisturbed, settle, starve, campaign
):
    model, _ = undisturbed
    tally, struck = campaign("retrainings out of memory"), 0
    for number in range(trials + MORE_TRIALS):
        if number >= trials and struck:
            break
        name = STARVED[number % len(STARVED)]
        with tally.trial(f"retraining {number}: {name}"):
            run_id = fixes.retrain(store, taught)
            strike(store, starve, run_id, POINTS[name])
            job = settle(store.latest_job(run_id).id, LIMIT_S)
            struck += job.status == "failed"
            if job.status == "failed":
                assert "memory" in job.error
                assert in_words(job.error)
                starts.resume(store, run_id)
                job = settle(store.latest_job(run_id).id, LIMIT_S)
            assert job.status == "finished", job.error
            assert fixes.list_fixes(store, store.run(taught)) == fixed, "the fix is lost"
            require_same(store, run_id, model)
    tally.facts["struck"] = struck
    assert struck >= 1
