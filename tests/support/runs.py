"""What training left behind, to be compared to the last bit."""

import numpy as np

from thaw.jobs import starts
from thaw.worker import work
from tlcore.settings import FineTuneSettings, HeadSettings


def train_head(store, dataset_id, settings: HeadSettings):
    """Do phase 1 of a new run in this process; return its id."""
    return finish(store, starts.add_head_job(store, dataset_id, settings))


def fine_tune(store, run_id, settings: FineTuneSettings):
    """Do phase 2 of a run in this process; return the id of the run that has it, a new one where it had one before."""
    return finish(store, starts.add_fine_tune_job(store, run_id, settings))


def finish(store, run_id):
    """Do a run's job in this process; return the run's id once it has finished."""
    work(store, starts.waiting_job(store, run_id))
    assert store.latest_job(run_id).status == "finished", store.latest_job(run_id).error
    return run_id


def measured(store, run_id):
    """Return all that a seed decides of a run's epochs."""
    return [
        (epoch.epoch, epoch.phase, epoch.loss, epoch.accuracy, epoch.val_loss, epoch.val_accuracy)
        for epoch in store.epochs(run_id)
    ]


def arrays(path):
    """Return the arrays of an .npz file as bytes, by their names."""
    with np.load(path) as archive:
        return {name: archive[name].tobytes() for name in archive.files}
