"""Both phases on photos in a folder, as a notebook has them: no workspace, no run, and the same end after a kill."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.watched import Killed, Watcher
from tests.support.watched import every_epoch as every_epoch
from tests.support.watched import prepare as prepare
from tlcore.errors import RunError, SettingsError, Stopped
from tlcore.features.frozen import TENSORFLOW, FrozenPart
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.phases import HEAD_SNAPSHOT, fine_tune, forget_snapshots, train_head

HEAD = HeadSettings(image_size=48, epochs=3, validation_split=0.25, patience=20)
TUNED = FineTuneSettings(layers=3, epochs=1, learning_rate=1e-5)


pytestmark = pytest.mark.usefixtures("every_epoch")


@pytest.fixture(scope="module")
def head(prepare, tmp_path_factory):
    return train_head(prepare(HEAD), tmp_path_factory.mktemp("head"))


def test_a_killed_head_goes_on_to_the_same_end(prepare, head, tmp_path):
    watcher = Watcher(last=2)
    with pytest.raises(Killed):
        train_head(prepare(HEAD), tmp_path, watcher)
    resumed = train_head(prepare(HEAD), tmp_path, history=watcher.epochs)
    assert resumed.epochs_trained == 2, "the epoch that was told and not saved is trained again"
    assert [epoch.epoch for epoch in resumed.epochs] == [1, 2, 3]
    assert [epoch.val_loss for epoch in resumed.epochs] == [epoch.val_loss for epoch in head.epochs]
    assert resumed.kept.val_loss == head.kept.val_loss
    assert all(np.array_equal(resumed.weights[name], head.weights[name]) for name in head.weights)
    np.testing.assert_array_equal(resumed.probabilities["validation"], head.probabilities["validation"])
    assert (tmp_path / HEAD_SNAPSHOT).exists()
    forget_snapshots(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_head_that_is_stopped_keeps_the_best_so_far(prepare, tmp_path, monkeypatch):
    monkeypatch.setattr("tlcore.training.early_stopping.STOP_CHECK_EVERY_S", -1.0)
    result = train_head(prepare(HEAD), tmp_path, Watcher(last=1, error=Stopped))
    assert (result.stopped, [epoch.epoch for epoch in result.epochs]) == (True, [1])
    assert result.probabilities["validation"].shape == (6, 3)


def test_phase_2_starts_where_phase_1_ended(prepare, head, tmp_path):
    tuned = fine_tune(prepare(HEAD), TUNED, head.weights, head.epochs, head.kept, tmp_path)
    assert [(epoch.epoch, epoch.phase) for epoch in tuned.epochs] == [(4, 2)]
    assert tuned.kept.val_loss == pytest.approx(head.kept.val_loss, rel=0.1)
    assert {(row.mean, row.variance) for row in tuned.drift} == {(0.0, 0.0)}
    assert tuned.precision == "float32"


def test_phase_2_says_what_it_needs(prepare, head, tmp_path):
    with pytest.raises(SettingsError, match=r"Received: layers=None, learning_rate=None\. Take what"):
        fine_tune(prepare(HEAD), FineTuneSettings(), head.weights, head.epochs, head.kept, tmp_path)


def test_phase_2_keeps_nothing_of_what_it_learnt_from_answers_that_prove_to_be_others(
    prepare, head, tmp_path, monkeypatch
):
    materials = replace(prepare(HEAD), caches=tmp_path / "caches")
    materials.caches.mkdir()
    before, watcher = head.kept, Watcher()

    def tune():
        return fine_tune(materials, TUNED, head.weights, head.epochs, before, tmp_path, watcher)

    with monkeypatch.context() as lying:
        lying.setattr(FrozenPart, "_compare", lambda *_: 0.5)
        with pytest.raises(RunError, match=r"Received: 50\.0% from them.*Start again"):
            tune()
    assert watcher.epochs, "the comparison was to come after the curve"
    assert list(tmp_path.glob("snapshot*")) == []
    tuned = tune()
    assert tuned.feed.frozen.engine == TENSORFLOW
    assert tuned.feed.computed > 0
