"""A run that is disturbed at random moments of both phases: what comes out must be what nobody disturbed."""

import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np

from tests.support.runs import arrays, measured
from thaw.jobs import lifecycle, starts
from thaw.jobs.starts import waiting_job
from thaw.worker import work
from tlcore.progress import Stage
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.early_stopping import KEEP_EVERY_S

TRAINING = Stage.TRAINING_HEAD, Stage.FINE_TUNING
PHASES = {"head": 1, "fine_tune": 2}
# Of all the moments that may be chosen, the share before the first step: imports, features, what was kept read back.
EARLY = 0.25
LIMIT_S = 240


@dataclass(frozen=True)
class Plan:
    """What is trained and disturbed: the settings of both phases, and the files that have to be the same."""

    dataset_id: str
    head: HeadSettings
    tune: FineTuneSettings
    results: tuple[str, ...]

    @property
    def epochs(self):
        return {"head": self.head.epochs, "fine_tune": self.tune.epochs}


class Ward:
    """One run that is disturbed: what has happened to it, and what it had finished at each time."""

    def __init__(self, store, plan, run_id, chance):
        self.store, self.plan, self.run_id, self.chance = store, plan, run_id, chance
        self.stages = Counter()

    @property
    def job(self):
        return self.store.latest_job(self.run_id)

    def disturb(self, act, kind, spans, wait_for):
        """Wait for a random moment of the present job, then `act` on it; say whether it was still going on."""
        early, training = spans
        done = sum(epoch.phase == PHASES[kind] for epoch in self.store.epochs(self.run_id))
        left = 1 - done / self.plan.epochs[kind]
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
        kept = self.standing(kind)
        lost = [each.seconds for each in self.store.epochs(self.run_id) if each.epoch > kept]
        assert sum(lost[:-1]) <= KEEP_EVERY_S

    def standing(self, kind):
        """Return the epoch from which a resume goes on, or the one before the phase's first where nothing is kept."""
        path = self.store.workspace.run(self.run_id) / f"snapshot-{PHASES[kind]}.npz"
        if not path.exists():
            return 0 if kind == "head" else self.plan.head.epochs
        with np.load(path) as archive:
            return json.loads(str(archive["standing"]))["epoch"]

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


def train_undisturbed(store, plan):
    """Train both phases without a break; return the run's id and, by phase, the seconds before and in training."""
    run_id, spans = starts.add_head_job(store, plan.dataset_id, plan.head), {}
    for kind in plan.epochs:
        if kind == "fine_tune":
            starts.add_fine_tune_job(store, run_id, plan.tune)
        stages = {}
        work(
            store,
            waiting_job(store, run_id),
            lambda stage, done, total, stages=stages: stages.setdefault(stage, time.monotonic()),
        )
        assert store.latest_job(run_id).status == "finished", store.latest_job(run_id).error
        first = next(at for stage, at in stages.items() if stage in TRAINING)
        spans[kind] = (max(first - min(stages.values()), 5.0), time.monotonic() - first)
    assert len(store.epochs(run_id)) == plan.head.epochs + plan.tune.epochs
    return run_id, spans


def live(store, plan, undisturbed, act, times, chance: random.Random, wait_for, here=False):
    """Train both phases, disturbed `times` times in each; check that nothing of it shows. Return the disturbances.

    What is resumed goes on in a process of its own, or in this one, if `here`.
    """
    model, spans = undisturbed
    ward = Ward(store, plan, starts.start_head(store, plan.dataset_id, plan.head), chance)
    try:
        for kind in plan.epochs:
            if kind == "fine_tune":
                assert starts.start_fine_tune(store, ward.run_id, plan.tune) == ward.run_id
            for _ in range(times):
                if not ward.disturb(act, kind, spans[kind], wait_for):
                    break
                kept = ward.standing(kind)
                ward.resume(here)
            else:
                wait_for(lambda: ended(store, ward.run_id), LIMIT_S, "the end of the resumed run")
                require_only_what_was_missing(store.run(ward.run_id), plan, kind, kept)
            assert ward.job.status == "finished", ward.job.error
    finally:
        if ward.job.active:
            kill(store, ward.job)
    assert measured(store, ward.run_id) == measured(store, model)
    for name in plan.results:
        ours, theirs = (arrays(store.workspace.run(one) / name) for one in (ward.run_id, model))
        assert ours == theirs, name
    return ward.stages


def require_only_what_was_missing(run, plan, kind, kept):
    """Check that the last process of a phase trained from the epoch that was `kept` on, and no more."""
    offset = 0 if kind == "head" else plan.head.epochs
    facts = getattr(run.facts, kind)
    trained = facts.images_per_second * facts.seconds.training / run.facts.training_images
    assert round(trained) == plan.epochs[kind] + offset - kept
    # Features are computed before the first epoch: where one is kept, so are they.
    assert facts.features_computed == 0 or kept == offset
