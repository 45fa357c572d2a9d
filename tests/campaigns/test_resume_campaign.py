"""Real workers killed and paused at random moments of both phases: what comes out is what nobody disturbed."""

import random
from collections import Counter

import pytest

from tests.campaigns.ward import TRAINING, Plan, kill, live, pause, train_undisturbed
from tests.support.pictures.corpus import write_classes
from thaw.jobs import starts
from thaw.jobs.starts import waiting_job
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.features import compute
from tlcore.progress import Stage
from tlcore.settings import FineTuneSettings, HeadSettings

# Every epoch draws new views: what is cached is over before it can be disturbed.
DRAWN = {"augmentation": "light", "exact": True}
HEAD = HeadSettings(image_size=48, epochs=30, batch_size=2, validation_split=0.25, patience=1000, **DRAWN)
TUNE = FineTuneSettings(layers=9, epochs=20, batch_size=2, learning_rate=1e-5, patience=1000, insist=True)
RESULTS = ("head.npz", "predictions-1.npz", "tuned.npz", "predictions-2.npz")
IMAGES, AT_ONCE = 32, 8


@pytest.fixture(scope="module")
def plan(tiny_dataset):
    return Plan(tiny_dataset, HEAD, TUNE, RESULTS)


@pytest.fixture(scope="module")
def undisturbed(store, plan):
    return train_undisturbed(store, plan)


def test_a_kill_in_each_phase_leaves_no_trace_in_the_weights(store, plan, undisturbed, wait_for, campaign):
    tally, stages = campaign("runs killed in each phase"), Counter()
    with tally.trial("run 1"):
        # Both moments that this seed chooses are in the first tenth of the training, however fast it is.
        stages = live(store, plan, undisturbed, kill, 1, random.Random(238), wait_for, here=True)
    tally.facts["kills"] = stages.total()
    assert stages.total() == 2


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
def test_a_hundred_kills_leave_no_trace_in_the_weights(store, plan, undisturbed, wait_for, campaign):
    tally, chance, stages = campaign("runs killed up to ten times"), random.Random(100), Counter()
    while stages.total() < 100 and not tally.lost:
        with tally.trial(f"run {tally.n + 1}"):
            stages += live(store, plan, undisturbed, kill, 5, chance, wait_for)
        tally.facts["kills"] = stages.total()
    assert set(TRAINING) < stages.keys()


@pytest.mark.slow
def test_a_pause_within_an_epoch_loses_that_epoch_at_most(store, plan, undisturbed, wait_for):
    stages = live(store, plan, undisturbed, pause, 1, random.Random(2), wait_for)
    assert stages.total() >= 1


def test_a_pause_while_features_are_computed_keeps_every_batch_that_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(compute, "BATCH", AT_ONCE)
    # Each batch is heard of, also where all of them take less time than lies between two reports.
    monkeypatch.setattr("thaw.jobs.reporter.WRITE_EVERY_S", 0.0)
    store = Store(open_workspace(tmp_path / "workspace"))
    folder = write_classes(tmp_path / "photos", {"rose": IMAGES // 2, "tulip": IMAGES // 2})
    job_id = store.add_job("import", {"kind": "folder", "path": str(folder), "name": "Photos"})
    work(store, job_id)
    run_id = starts.add_head_job(store, store.job(job_id).dataset_id, HeadSettings(image_size=160, epochs=1))
    for kind in ("head", "fine_tune"):
        if kind == "fine_tune":
            starts.add_fine_tune_job(store, run_id, FineTuneSettings(layers=5, epochs=1, insist=True))
        done = pause_among_features(store, run_id)
        assert store.latest_job(run_id).status == "stopped"
        assert 0 < done < IMAGES
        store.add_job(kind, {"resume": True}, store.run(run_id).dataset_id, run_id)
        work(store, waiting_job(store, run_id))
        assert store.latest_job(run_id).status == "finished", store.latest_job(run_id).error
        assert getattr(store.run(run_id).facts, kind).features_computed <= IMAGES - done


def pause_among_features(store, run_id):
    """Do a run's job and pause it when some of its features are there; return of how many images."""
    heard = []

    def pause_once(stage, done, total):
        if stage == Stage.COMPUTING_FEATURES and 0 < done < total and not heard:
            heard.append(done)
            pause(store, store.latest_job(run_id))

    work(store, waiting_job(store, run_id), pause_once)
    return sum(heard)
