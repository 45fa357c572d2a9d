"""The end of an epoch: recorded, the best kept, patience counted, and all of it there again after a kill."""

import keras
import numpy as np
import pytest

from tlcore.errors import RunError, Stopped
from tlcore.progress import Stage
from tlcore.training.early_stopping import EpochKeeper
from tlcore.training.results import Observer
from tlcore.training.snapshots import name_variables, trainable

NAN = float("nan")


class Record(Observer):
    """Keeps what a phase tells, as a database would."""

    def __init__(self):
        self.epochs, self.told, self.stop = {}, [], False

    def progress(self, stage, done, total):
        self.told.append((stage, done, total))

    def check_stop(self):
        if self.stop:
            raise Stopped

    def go_on_after(self, epoch):
        self.epochs = {number: row for number, row in self.epochs.items() if number <= epoch}

    def finish_epochs(self, epochs):
        self.epochs |= {epoch.epoch: epoch for epoch in epochs}


@pytest.fixture
def record():
    return Record()


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch):
    """Each epoch is kept, as those that take long are."""
    monkeypatch.setattr("tlcore.training.early_stopping.KEEP_EVERY_S", -1.0)


class Phase:
    """A keeper with a model of one weight, whose value says which epoch it is of."""

    def __init__(
        self,
        folder,
        record,
        last_epoch=10,
        patience=3,
        first_epoch=1,
        phase=1,
        smashes=lambda accuracy: False,
        **options,
    ):
        inputs = keras.Input((1,))
        self.model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(inputs))
        self.model.compile("adam", loss="mse")
        named = trainable(name_variables(keras.Model(inputs, inputs), self.model))
        snapshot, history = folder / "snapshot.npz", list(record.epochs.values())
        self.keeper = EpochKeeper(
            record, phase, first_epoch, last_epoch, patience, snapshot, named, history, smashes, **options
        )
        self.keeper.set_model(self.model)
        self.keeper.restore(self.model)

    @property
    def weight(self):
        return float(np.asarray(self.model.get_weights()[0]).item())

    def finish(self, number, val_loss, val_accuracy=0.25):
        self.model.set_weights([np.array([[number]], np.float32)])
        self.model.stop_training = False
        self.keeper.on_epoch_begin(number - 1)
        self.keeper.on_epoch_end(
            number - 1, {"loss": val_loss / 2, "accuracy": 0.5, "val_loss": val_loss, "val_accuracy": val_accuracy}
        )
        return self.model.stop_training


def test_each_epoch_is_recorded_with_its_number_phase_and_progress(tmp_path, record):
    phase = Phase(tmp_path, record, first_epoch=4, last_epoch=6, phase=2)
    stops = [phase.finish(number, 1 / number) for number in (4, 5, 6)]
    assert stops == [False, False, True]
    rows = list(record.epochs.values())
    assert [(row.epoch, row.phase, row.val_loss) for row in rows] == [(4, 2, 1 / 4), (5, 2, 1 / 5), (6, 2, 1 / 6)]
    assert {(row.accuracy, row.val_accuracy) for row in rows} == {(0.5, 0.25)}
    assert record.told[-1] == (Stage.FINE_TUNING, 3, 3)


def test_patience_ends_a_phase_and_the_best_weights_come_back(tmp_path, record):
    phase = Phase(tmp_path, record, patience=3)
    losses = [0.9, 0.5, 0.6, 0.4, 0.4, 0.5, 0.6]
    assert [phase.finish(number, loss) for number, loss in enumerate(losses, 1)] == [False] * 6 + [True]
    assert phase.weight == 7
    phase.keeper.restore_best()
    assert phase.weight == 4


@pytest.mark.parametrize("killed_after", [0, 2, 4])
def test_what_else_chooses_the_best_epoch_and_patience_waits_for_both(tmp_path, record, killed_after):
    options = {"patience": 2, "error": lambda measured: 1 - measured["val_accuracy"]}
    measured = [(0.9, 0.5), (0.8, 0.6), (0.9, 0.6), (0.7, 0.4), (0.8, 0.7), (0.9, 0.7), (0.9, 0.1)]
    phase, ended = Phase(tmp_path, record, **options), []
    for number, (loss, accuracy) in enumerate(measured, 1):
        if number == killed_after + 1:
            phase = Phase(tmp_path, record, **options)
        ended.append(phase.finish(number, loss, accuracy))
    assert ended == [False] * 6 + [True], "the loss fell in the fourth, and the accuracy rose in the fifth"
    phase.keeper.restore_best()
    assert phase.weight == 5, "the first of the most accurate, whatever its loss"


@pytest.mark.parametrize("killed_after", [1, 3, 5])
def test_a_killed_phase_keeps_its_best_and_the_patience_that_was_left(tmp_path, record, killed_after):
    losses = [0.9, 0.5, 0.6, 0.7, 0.8]
    phase = Phase(tmp_path, record)
    for number in range(1, killed_after + 1):
        phase.finish(number, losses[number - 1])
    resumed = Phase(tmp_path, record)
    assert resumed.keeper.standing == phase.keeper.standing
    assert resumed.weight == killed_after
    assert resumed.keeper.over == (killed_after == 5)
    for number in range(killed_after + 1, 6):
        assert resumed.finish(number, losses[number - 1]) == (number == 5)
    resumed.keeper.restore_best()
    assert resumed.weight == 2


def test_an_epoch_recorded_after_the_snapshot_is_trained_again(tmp_path, record):
    phase = Phase(tmp_path, record)
    phase.finish(1, 0.9)
    snapshot = (tmp_path / "snapshot.npz").read_bytes()
    phase.finish(2, 0.8)
    (tmp_path / "snapshot.npz").write_bytes(snapshot)
    resumed = Phase(tmp_path, record)
    assert resumed.keeper.standing.epoch == 1
    assert list(record.epochs) == [epoch.epoch for epoch in resumed.keeper.epochs] == [1]


def test_a_stop_is_heard_between_steps(tmp_path, record):
    phase = Phase(tmp_path, record)
    phase.keeper.on_train_batch_end(0)
    record.stop = True
    phase.keeper._checked_at = 0.0
    with pytest.raises(Stopped):
        phase.keeper.on_train_batch_end(1)


@pytest.mark.parametrize("bad", [NAN, float("inf")])
def test_training_that_runs_away_ends_and_keeps_the_best_before_it(tmp_path, record, bad):
    phase = Phase(tmp_path, record)
    assert not phase.finish(1, 0.9)
    assert phase.finish(2, bad)
    assert list(record.epochs) == [epoch.epoch for epoch in phase.keeper.epochs] == [1]
    phase.keeper.restore_best()
    assert phase.weight == 1


def test_training_that_runs_away_at_once_says_so(tmp_path, record):
    phase = Phase(tmp_path, record)
    assert phase.finish(1, NAN)
    with pytest.raises(RunError, match=r"the training ran away\. Choose a smaller learning rate"):
        phase.keeper.restore_best()


@pytest.mark.parametrize(("val_loss", "accuracy"), [(0.9, 0.25), (NAN, None)])
def test_a_condemned_first_epoch_ends_the_training_and_leaves_nothing_behind(tmp_path, record, val_loss, accuracy):
    judged = []

    def smashes(measured):
        judged.append(measured)
        return len(judged) == 1

    phase = Phase(tmp_path, record, first_epoch=4, phase=2, smashes=smashes)
    assert phase.finish(4, val_loss)
    assert (phase.keeper.smashed, phase.keeper.smashed_accuracy) == (True, accuracy)
    assert record.epochs == {}
    assert not (tmp_path / "snapshot.npz").exists()

    phase.keeper.restore(phase.model)
    assert not phase.keeper.smashed
    assert [phase.finish(4, 0.9), phase.finish(5, 0.8)] == [False, False]
    assert judged == [accuracy, 0.25], "only the first epoch is judged, and the second try's as well"
    assert list(record.epochs) == [epoch.epoch for epoch in phase.keeper.epochs] == [4, 5]


def test_a_keeper_goes_back_to_its_last_snapshot_or_to_the_start_without_one(tmp_path, record):
    phase = Phase(tmp_path, record)
    phase.finish(1, 0.9)
    (tmp_path / "snapshot.npz").unlink()
    phase.keeper.restore(phase.model)
    assert (phase.keeper.standing.epoch, phase.keeper.best) == (0, {})
    assert record.epochs == {}


def test_epochs_that_take_no_time_are_told_and_kept_together(tmp_path, record, monkeypatch):
    phase = Phase(tmp_path, record, patience=9)
    phase.finish(1, 0.9)
    assert list(record.epochs) == [1], "the first point of the curve is not waited for"
    monkeypatch.setattr("tlcore.training.early_stopping.KEEP_EVERY_S", 1000.0)
    monkeypatch.setattr("tlcore.training.early_stopping.STOP_CHECK_EVERY_S", -1.0)
    phase.finish(2, 0.5)
    phase.finish(3, 0.7)
    assert list(record.epochs) == [1]
    record.stop = True
    phase.keeper.on_train_batch_end(0)  # in the middle of an epoch there is nothing to be kept

    resumed = Phase(tmp_path, record, patience=9)
    assert resumed.keeper.standing.epoch == 1
    assert resumed.weight == 1

    phase.keeper.on_train_end()
    assert list(record.epochs) == [1, 2, 3]
    resumed = Phase(tmp_path, record, patience=9)
    assert (resumed.keeper.standing.epoch, resumed.keeper.standing.best_epoch, resumed.weight) == (3, 2, 3)
    with pytest.raises(Stopped):
        phase.keeper.on_train_batch_end(0)


def test_a_training_that_runs_away_tells_what_came_before_and_keeps_no_such_weights(tmp_path, record, monkeypatch):
    phase = Phase(tmp_path, record)
    phase.finish(1, 0.9)
    monkeypatch.setattr("tlcore.training.early_stopping.KEEP_EVERY_S", 1000.0)
    phase.finish(2, 0.5)
    assert phase.finish(3, float("nan"))
    phase.keeper.on_train_end()
    assert list(record.epochs) == [1, 2]
    assert Phase(tmp_path, record).keeper.standing.epoch == 1
    phase.keeper.restore_best()
    assert phase.weight == 2
