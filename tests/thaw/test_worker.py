"""Real worker processes: killed, resumed, stopped, and waiting for one another."""

import inspect
import os
import pkgutil
import signal
from typing import get_args

import numpy as np
import pytest
from filelock import FileLock

from thaw.jobs import lifecycle, starts
from thaw.jobs.starts import waiting_job
from thaw.storage.records import WITHOUT_DEVICE, JobKind
from thaw.worker import WORK, work
from tlcore.progress import Stage
from tlcore.settings import HeadSettings

LONG = HeadSettings(image_size=48, epochs=40, batch_size=2, validation_split=0.25, patience=1000)
# Every epoch draws new views, or a thousand would be over in seconds.
UNENDING = {"epochs": 1000, "patience": 1000, "augmentation": "light", "exact": True}
ENDLESS = HeadSettings(image_size=48, batch_size=2, validation_split=0.25, **UNENDING)


@pytest.fixture
def started(store):
    """Return a function that starts a run; whatever still runs at the end is killed."""
    run_ids = []

    def start(dataset_id, settings):
        run_ids.append(starts.start_head(store, dataset_id, settings))
        return run_ids[-1]

    yield start
    for run_id in run_ids:
        job = store.latest_job(run_id)
        if job.active and job.pid:
            os.kill(job.pid, signal.SIGKILL)


def test_every_kind_of_job_has_what_does_it():
    assert set(WORK) == set(get_args(JobKind))
    assert {kind for kind, asked in WORK.items() if not asked.needs_device} == set(WITHOUT_DEVICE)
    for asked in WORK.values():
        for name in filter(None, (asked.function, asked.afterwards)):
            assert list(inspect.signature(pkgutil.resolve_name(name)).parameters) == ["reporter", "job"]


def test_a_stopped_run_keeps_its_best_model_and_lets_the_next_one_in(store, tiny_dataset, started, wait_for):
    first = started(tiny_dataset, ENDLESS)
    wait_for(lambda: store.epochs(first), 90, "the first epoch")
    second = started(tiny_dataset, HeadSettings(image_size=48, epochs=2, validation_split=0.25))
    wait_for(lambda: store.latest_job(second).stage == Stage.WAITING_FOR_DEVICE, 60, "the queue")
    assert store.latest_job(first).active
    assert store.epochs(second) == []

    lifecycle.request_stop(store, first)
    wait_for(lambda: not store.latest_job(first).active, 30, "the stop")
    epochs = store.epochs(first)
    assert store.latest_job(first).status == "stopped"
    assert store.latest_job(first).error is None
    assert 1 <= len(epochs) < ENDLESS.epochs
    assert store.run(first).result_phase == 1
    with np.load(store.workspace.run(first) / "predictions-1.npz") as archive:
        assert archive["probabilities"].shape == (6, 3)
    assert (store.workspace.run(first) / "snapshot-1.npz").exists()

    wait_for(lambda: not store.latest_job(second).active, 90, "the second run")
    assert store.latest_job(second).status == "finished", store.latest_job(second).error
    assert len(store.epochs(second)) == 2


def test_a_run_that_is_stopped_while_it_waits_never_starts(store, tiny_dataset):
    run_id = starts.add_head_job(store, tiny_dataset, LONG)
    lifecycle.request_stop(store, run_id)
    with FileLock(store.workspace.device_lock):
        work(store, waiting_job(store, run_id))
    assert store.latest_job(run_id).status == "stopped"
    assert store.epochs(run_id) == []
