"""Real workers killed and paused at random moments of both phases: what comes out is what nobody disturbed."""

import json
import os
import random
import signal
import time
from collections import Counter

import numpy as np
import pytest

from tests.support.pictures.corpus import write_classes
from tests.support.runs import arrays, measured
from thaw.jobs import lifecycle, starts
from thaw.jobs.starts import waiting_job
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.features import compute
from tlcore.progress import Stage
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.early_stopping import KEEP_EVERY_S

TRAINING = Stage.TRAINING_HEAD, Stage.FINE_TUNING
# Every epoch draws new views: what is cached is over before it can be disturbed.
DRAWN = {"augmentation": "light", "exact": True}
HEAD = HeadSettings(image_size=48, epochs=30, batch_size=2, validation_split=0.25, patience=1000, **DRAWN)
TUNE = FineTuneSettings(layers=9, epochs=20, batch_size=2, learning_rate=1e-5, patience=1000, insist=True)
EPOCHS = {"head": HEAD.epochs, "fine_tune": TUNE.epochs}
PHASES = {"head": 1, "fine_tune": 2}
RESULTS = ("head.npz", "predictions-1.npz", "tuned.npz", "predictions-2.npz")
# Of all the moments that may be chosen, the share before the first step: imports, features, what was kept read back.
EARLY = 0.25
LIMIT_S = 240
IMAGES, AT_ONCE = 32, 8


class Ward:
    """One run that is disturbed: what has happened to it, and what it had finished at each time."""

    def __init__(self, store, run_id, chance):
        self.store, self.run_id, self.chance = store, run_id, chance
        self.stages = Counter()

    @property
    def job(self):
        return self.store.latest_job(self.run_id)

    def disturb(self, act, kind, spans, wait_for):
        """Wait for a random moment of the present job, then `act` on it; say whether it was still going on."""
        early, training = spans
        left = 1 - sum(epoch.phase == PHASES[kind] for epoch in self.store.epochs(self.run_id)) / EPOCHS[kind]
        if self.chance.random() < EARLY:
            time.sleep(self.chance.uniform(0, early))
        else:
            wait_for(lambda: not self.job.active or self.job.stage in TRAINING, LIMIT_S, "the training")
            time.sleep(self.chance.uniform(0, training * left))
        job = self.job
        if not job.active:
            return False
        act(self.store, job)
        wait_for(lambda: ended(self.store, self.run_id), LIMIT_S, "the end of the disturbed process")
        if self.job.status == "finished":
            return False
        if act is kill:
            assert self.job.status == "failed"
            assert "press Resume" in self.job.error
            assert self.store.run(self.run_id).result_phase == (None if kind == "head" else 1)
        self.stages[job.stage] += 1
        self.require_little_lost(kind)
        return True

    def require_little_lost(self, kind):
        """Check that resuming trains again at most one epoch that had been finished, or what is kept at a time."""
        kept = standing(self.store, self.run_id, PHASES[kind])
        lost = [each.seconds for each in self.store.epochs(self.run_id) if each.epoch > kept]
        assert sum(lost[:-1]) <= KEEP_EVERY_S

    def resume(self, here):
        """Go on, in a process of its own or to the end in this one."""
        if here:
            job = self.job
            self.store.add_job(job.kind, {"resume": True}, job.dataset_id, self.run_id)
            work(self.store, waiting_job(self.store, self.run_id))
        else:
            starts.resume(self.store, self.run_id)


def kill(store, job):
    os.kill(job.pid, signal.SIGKILL)


def pause(store, job):
    store.ask_to_stop(job.id)


def ended(store, run_id):
    lifecycle.reconcile(store)
    return not store.latest_job(run_id).active


def standing(store, run_id, phase):
    """Return the epoch from which a resume goes on, or the one before the phase's first where nothing is kept."""
    path = store.workspace.run(run_id) / f"snapshot-{phase}.npz"
    if not path.exists():
        return 0 if phase == 1 else HEAD.epochs
    with np.load(path) as archive:
        return json.loads(str(archive["standing"]))["epoch"]


@pytest.fixture(scope="module")
def undisturbed(store, tiny_dataset):
    """Train both phases without a break; return the run's id and, by phase, the seconds before and in training."""
    run_id, spans = starts.add_head_job(store, tiny_dataset, HEAD), {}
    for kind in EPOCHS:
        if kind == "fine_tune":
            starts.add_fine_tune_job(store, run_id, TUNE)
        stages = {}
        work(
            store,
            waiting_job(store, run_id),
            lambda stage, done, total, stages=stages: stages.setdefault(stage, time.monotonic()),
        )
        assert store.latest_job(run_id).status == "finished", store.latest_job(run_id).error
        first = next(at for stage, at in stages.items() if stage in TRAINING)
        spans[kind] = (max(first - min(stages.values()), 5.0), time.monotonic() - first)
    assert len(store.epochs(run_id)) == HEAD.epochs + TUNE.epochs
    return run_id, spans


def live(store, dataset_id, undisturbed, act, times, chance, wait_for, here=False):
    """Train both phases, disturbed `times` times in each; check that nothing of it shows. Return the disturbances.

    What is resumed goes on in a process of its own, or in this one, if `here`.
    """
    model, spans = undisturbed
    ward = Ward(store, starts.start_head(store, dataset_id, HEAD), chance)
    try:
        for kind, epochs in EPOCHS.items():
            if kind == "fine_tune":
                assert starts.start_fine_tune(store, ward.run_id, TUNE) == ward.run_id
            for _ in range(times):
                if not ward.disturb(act, kind, spans[kind], wait_for):
                    break
                kept = standing(store, ward.run_id, PHASES[kind])
                ward.resume(here)
            else:
                wait_for(lambda: ended(store, ward.run_id), LIMIT_S, "the end of the resumed run")
                # The last process did what was missing and no more.
                offset = 0 if kind == "head" else HEAD.epochs
                facts = getattr(store.run(ward.run_id).facts, kind)
                trained = round(facts.images_per_second * facts.seconds.training / 18)
                assert trained == epochs + offset - kept
                # Features are computed before the first epoch: where one is kept, so are they.
                assert facts.features_computed == 0 or kept == offset
            assert ward.job.status == "finished", ward.job.error
    finally:
        if ward.job.active:
            kill(store, ward.job)
    assert measured(store, ward.run_id) == measured(store, model)
    for name in RESULTS:
        ours, theirs = (arrays(store.workspace.run(one) / name) for one in (ward.run_id, model))
        assert ours == theirs, name
    return ward.stages


def test_a_kill_in_each_phase_leaves_no_trace_in_the_weights(store, tiny_dataset, undisturbed, wait_for, campaign):
    tally, stages = campaign("runs killed in each phase"), Counter()
    with tally.trial("run 1"):
        # Both moments that this seed chooses are early in the training.
        stages = live(store, tiny_dataset, undisturbed, kill, 1, random.Random(50), wait_for, here=True)
    tally.facts["kills"] = stages.total()
    assert stages.total() == 2


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
def test_a_hundred_kills_leave_no_trace_in_the_weights(store, tiny_dataset, undisturbed, wait_for, campaign):
    tally, chance, stages = campaign("runs killed up to ten times"), random.Random(100), Counter()
    while stages.total() < 100 and not tally.lost:
        with tally.trial(f"run {tally.n + 1}"):
            stages += live(store, tiny_dataset, undisturbed, kill, 5, chance, wait_for)
        tally.facts["kills"] = stages.total()
    assert set(TRAINING) < stages.keys()


@pytest.mark.slow
def test_a_pause_within_an_epoch_loses_that_epoch_at_most(store, tiny_dataset, undisturbed, wait_for):
    stages = live(store, tiny_dataset, undisturbed, pause, 1, random.Random(2), wait_for)
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
    for kind in EPOCHS:
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
