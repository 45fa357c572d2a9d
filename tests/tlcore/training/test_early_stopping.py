"""The end of an epoch: recorded, the best kept, patience counted, and all of it there again after a kill."""

import keras
import numpy as np
import pytest

from thaw.jobs.reporter import Reporter, Stopped
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import RunError
from tlcore.settings import HeadSettings
from tlcore.training.early_stopping import EpochKeeper
from tlcore.training.snapshots import name_variables, trainable

NAN = float("nan")


@pytest.fixture
def store(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    store.add_dataset("data-1", "Photos", "here", Arrival([]))
    return store


@pytest.fixture
def run_id(store):
    return store.add_run("data-1", "resnet50", HeadSettings().to_json())


class Phase:
    """A keeper with a model of one weight, whose value says which epoch it is of."""

    def __init__(
        self, store, run_id, last_epoch=10, patience=3, first_epoch=1, phase=1, smashes=lambda accuracy: False
    ):
        inputs = keras.Input((1,))
        self.model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
        self.model.compile("adam", loss="mse")
        latest = store.latest_job(run_id)
        job_id = latest.id if latest else store.add_job("head", {}, "data-1", run_id)
        path = store.workspace.run(run_id) / "snapshot.npz"
        named = trainable(name_variables(keras.Model(inputs, inputs), self.model))
        self.keeper = EpochKeeper(
            Reporter(store, job_id), run_id, phase, first_epoch, last_epoch, patience, path, named, smashes
        )
        self.keeper.set_model(self.model)
        self.keeper.restore(self.model)
        self.job_id = job_id

    @property
    def weight(self):
        return float(np.asarray(self.model.get_weights()[0]).item())

    def finish(self, number, val_loss):
        self.model.set_weights([np.array([[number]], np.float32)])
        self.model.stop_training = False
        self.keeper.on_epoch_begin(number - 1)
        self.keeper.on_epoch_end(
            number - 1, {"loss": val_loss / 2, "accuracy": 0.5, "val_loss": val_loss, "val_accuracy": 0.25}
        )
        return self.model.stop_training


def test_each_epoch_is_recorded_with_its_number_phase_and_progress(store, run_id):
    phase = Phase(store, run_id, first_epoch=4, last_epoch=6, phase=2)
    stops = [phase.finish(number, 1 / number) for number in (4, 5, 6)]
    assert stops == [False, False, True]
    rows = store.epochs(run_id)
    assert [(row.epoch, row.phase, row.val_loss) for row in rows] == [(4, 2, 1 / 4), (5, 2, 1 / 5), (6, 2, 1 / 6)]
    assert {(row.accuracy, row.val_accuracy) for row in rows} == {(0.5, 0.25)}
    job = store.job(phase.job_id)
    assert (job.stage, job.done, job.total) == ("training, phase 2", 3, 3)


def test_patience_ends_a_phase_and_the_best_weights_come_back(store, run_id):
    phase = Phase(store, run_id, patience=3)
    losses = [0.9, 0.5, 0.6, 0.4, 0.4, 0.5, 0.6]
    assert [phase.finish(number, loss) for number, loss in enumerate(losses, 1)] == [False] * 6 + [True]
    assert phase.weight == 7
    phase.keeper.restore_best()
    assert phase.weight == 4


@pytest.mark.parametrize("killed_after", [1, 3, 5])
def test_a_killed_phase_keeps_its_best_and_the_patience_that_was_left(store, run_id, killed_after):
    losses = [0.9, 0.5, 0.6, 0.7, 0.8]
    phase = Phase(store, run_id)
    for number in range(1, killed_after + 1):
        phase.finish(number, losses[number - 1])
    resumed = Phase(store, run_id)
    assert resumed.keeper.standing == phase.keeper.standing
    assert resumed.weight == killed_after
    assert resumed.keeper.over == (killed_after == 5)
    for number in range(killed_after + 1, 6):
        assert resumed.finish(number, losses[number - 1]) == (number == 5)
    resumed.keeper.restore_best()
    assert resumed.weight == 2


def test_an_epoch_recorded_after_the_snapshot_is_trained_again(store, run_id):
    phase = Phase(store, run_id)
    phase.finish(1, 0.9)
    snapshot = (store.workspace.run(run_id) / "snapshot.npz").read_bytes()
    phase.finish(2, 0.8)
    (store.workspace.run(run_id) / "snapshot.npz").write_bytes(snapshot)
    resumed = Phase(store, run_id)
    assert resumed.keeper.standing.epoch == 1
    assert [epoch.epoch for epoch in store.epochs(run_id)] == [1]


def test_a_stop_is_heard_between_steps(store, run_id):
    phase = Phase(store, run_id)
    phase.keeper.on_train_batch_end(0)
    store.ask_to_stop(phase.job_id)
    phase.keeper._checked_at = 0.0
    with pytest.raises(Stopped):
        phase.keeper.on_train_batch_end(1)


@pytest.mark.parametrize("bad", [NAN, float("inf")])
def test_training_that_runs_away_ends_and_keeps_the_best_before_it(store, run_id, bad):
    phase = Phase(store, run_id)
    assert not phase.finish(1, 0.9)
    assert phase.finish(2, bad)
    assert [epoch.epoch for epoch in store.epochs(run_id)] == [1]
    phase.keeper.restore_best()
    assert phase.weight == 1


def test_training_that_runs_away_at_once_says_so(store, run_id):
    phase = Phase(store, run_id)
    assert phase.finish(1, NAN)
    with pytest.raises(RunError, match=r"the training ran away\. Choose a smaller learning rate"):
        phase.keeper.restore_best()


@pytest.mark.parametrize(("val_loss", "accuracy"), [(0.9, 0.25), (NAN, None)])
def test_a_condemned_first_epoch_ends_the_training_and_leaves_nothing_behind(store, run_id, val_loss, accuracy):
    judged = []

    def smashes(measured):
        judged.append(measured)
        return len(judged) == 1

    phase = Phase(store, run_id, first_epoch=4, phase=2, smashes=smashes)
    assert phase.finish(4, val_loss)
    assert (phase.keeper.smashed, phase.keeper.smashed_accuracy) == (True, accuracy)
    assert store.epochs(run_id) == []
    assert not (store.workspace.run(run_id) / "snapshot.npz").exists()

    phase.keeper.restore(phase.model)
    assert not phase.keeper.smashed
    assert [phase.finish(4, 0.9), phase.finish(5, 0.8)] == [False, False]
    assert judged == [accuracy, 0.25], "only the first epoch is judged, and the second try's as well"
    assert [epoch.epoch for epoch in store.epochs(run_id)] == [4, 5]


def test_a_keeper_goes_back_to_its_last_snapshot_or_to_the_start_without_one(store, run_id):
    phase = Phase(store, run_id)
    phase.finish(1, 0.9)
    (store.workspace.run(run_id) / "snapshot.npz").unlink()
    phase.keeper.restore(phase.model)
    assert (phase.keeper.standing.epoch, phase.keeper.best) == (0, {})
    assert store.epochs(run_id) == []
