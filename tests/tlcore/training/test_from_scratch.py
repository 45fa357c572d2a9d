"""All of a network learns from photos alone: its rates, that BatchNormalization learns too, and the same end after a
kill."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest

import tlcore
from tests.support.pictures.families import each_backbone
from tests.support.watched import Killed, Watcher, list_photos
from tests.support.watched import every_epoch as every_epoch
from tests.support.watched import prepare as prepare
from thaw.sources.samples import write_digits
from tlcore.errors import SettingsError, Stopped
from tlcore.images.pixels import load_pixels
from tlcore.models.backbone_table import SMALL_RESIDUAL
from tlcore.models.backbones import without_pretrained
from tlcore.models.classifier import Classifier, assemble
from tlcore.photos import Photo
from tlcore.progress import Stage
from tlcore.settings import HeadSettings, scratch_settings
from tlcore.splits.splits import recommend_image_size
from tlcore.training.from_scratch import MOST_RETRIES, RateSchedule, make_optimizer, rate_at, train_from_scratch
from tlcore.training.phases import HEAD_SNAPSHOT, forget_snapshots
from tlcore.training.recovery import Incidents

NAME = "resnet20-from-scratch"
QUICK = scratch_settings(NAME, image_size=32, epochs=3, batch_size=8, validation_split=0.25, learning_rate=0.03)


pytestmark = pytest.mark.usefixtures("every_epoch")


@pytest.fixture(scope="module")
def trained(prepare, tmp_path_factory):
    return train_from_scratch(prepare(QUICK), tmp_path_factory.mktemp("whole"))


def test_the_rate_grows_and_then_falls_along_a_cosine():
    rates = [rate_at(epoch, 30, 0.1) for epoch in range(1, 31)]
    assert rates[:3] == pytest.approx([0.1 / 3, 0.2 / 3, 0.1])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[16] == pytest.approx(0.05)
    assert 0 < rates[-1] < 1e-3
    assert [rate_at(1, 1, 0.1), rate_at(1, 2, 0.1)] == [0.1, 0.1]


def test_the_rate_of_an_epoch_is_that_of_its_number_and_of_what_a_retry_left():
    incidents = Incidents()
    schedule = RateSchedule(0.1, 30, incidents)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(make_optimizer(1.0))
    schedule.set_model(model)
    schedule.on_epoch_begin(2)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    incidents.lower_rate(0.1, 0.5, None)
    schedule.on_epoch_begin(2)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    later = RateSchedule(0.1, 30, Incidents(), first=16)
    later.set_model(model)
    later.on_epoch_begin(15)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 / 3), "its own first epoch"


def test_all_of_it_learns_and_what_is_left_answers_as_it_did(prepare, trained):
    assert [(epoch.epoch, epoch.phase) for epoch in trained.epochs] == [(1, 1), (2, 1), (3, 1)]
    assert trained.cut.names == ("pixels",)
    assert trained.checks.backbone_training == 0
    materials = prepare(QUICK)
    fresh = materials.backbone
    moved = [name for name in trained.weights if name.startswith("backbone/")]
    averages = [each for layer in fresh.layers if hasattr(layer, "moving_mean") for each in layer.non_trainable_weights]
    assert len(moved) == len(fresh.weights) == len(fresh.trainable_weights) + len(averages)
    for place, layer in enumerate(fresh.layers):
        layer.set_weights([trained.weights[f"backbone/{place}/{index}"] for index in range(len(layer.weights))])
        if isinstance(layer, keras.layers.BatchNormalization):
            assert float(keras.ops.max(keras.ops.abs(layer.moving_mean))) > 0, "its averages are those of nothing"
    model = assemble(materials.row, fresh, trained.head, 32)
    labels = materials.split.labels
    classifier = Classifier(model, materials.row, fresh, trained.head, labels, 32, "softmax")
    seen = np.stack([load_pixels(photo.file, 32) for photo in materials.split.validation])
    np.testing.assert_allclose(classifier.predict(seen), trained.probabilities["validation"], atol=1e-5)


def test_a_killed_training_goes_on_to_the_same_end(prepare, trained, tmp_path):
    watcher = Watcher(last=2)
    with pytest.raises(Killed):
        train_from_scratch(prepare(QUICK), tmp_path, watcher)
    assert Stage.TRAINING_FROM_SCRATCH in watcher.stages
    resumed = train_from_scratch(prepare(QUICK), tmp_path, history=watcher.epochs)
    assert resumed.epochs_trained == 2, "the epoch that was told and not saved is trained again"
    assert [epoch.val_loss for epoch in resumed.epochs] == pytest.approx(
        [epoch.val_loss for epoch in trained.epochs], rel=1e-3
    )
    for name, array in trained.weights.items():
        np.testing.assert_allclose(resumed.weights[name], array, atol=1e-3, err_msg=name)
    assert (tmp_path / HEAD_SNAPSHOT).exists()
    forget_snapshots(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_stopped_keeps_the_best_so_far(prepare, tmp_path, monkeypatch):
    monkeypatch.setattr("tlcore.training.early_stopping.STOP_CHECK_EVERY_S", -1.0)
    result = train_from_scratch(prepare(QUICK), tmp_path, Watcher(last=1, error=Stopped))
    assert (result.stopped, [epoch.epoch for epoch in result.epochs]) == (True, [1])
    assert result.probabilities["validation"].shape == (6, 3)


class Spoiler(keras.callbacks.Callback):
    """Makes the second epoch's loss no number, `times` times."""

    def __init__(self, times):
        super().__init__()
        self.left = times

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1 and self.left:
            self.left -= 1
            self.model.trainable_variables[-1].assign([math.nan] * 3)


def test_one_that_runs_away_goes_back_an_epoch_and_on_at_a_tenth_of_the_rate(prepare, tmp_path):
    incidents = Incidents()
    result = train_from_scratch(prepare(QUICK), tmp_path, callbacks=[Spoiler(1)], incidents=incidents)
    assert [epoch.epoch for epoch in result.epochs] == [1, 2, 3]
    assert all(math.isfinite(epoch.loss) for epoch in result.epochs)
    (retry,) = incidents.retries
    assert (retry.rate, retry.next_rate) == pytest.approx((0.03, 0.003))
    assert retry.accuracy_before == result.epochs[0].val_accuracy
    assert retry.accuracy_after is None


def test_one_that_runs_away_again_and_again_ends_with_what_it_had(prepare, tmp_path):
    incidents = Incidents()
    result = train_from_scratch(prepare(QUICK), tmp_path, callbacks=[Spoiler(9)], incidents=incidents)
    assert [epoch.epoch for epoch in result.epochs] == [1]
    assert len(incidents.retries) == MOST_RETRIES
    assert all(np.isfinite(array).all() for array in result.weights.values())


def test_what_has_pretrained_weights_or_takes_one_step_is_refused(prepare, tmp_path):
    settings = HeadSettings(backbone="efficientnet-lite0", image_size=32)
    with pytest.raises(
        SettingsError, match=r"Received: 'efficientnet-lite0', method='gradient'\. Take a name that ends"
    ):
        train_from_scratch(prepare(settings), tmp_path)
    with pytest.raises(SettingsError, match="method='svm'"):
        train_from_scratch(prepare(scratch_settings(NAME, image_size=32, method="svm")), tmp_path)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", each_backbone(later=("mobilenet-v2", "densenet121", "vgg16", "convnext-tiny")))
def test_any_network_of_the_table_learns_without_its_weights(name, prepare, tmp_path):
    row = without_pretrained(name)
    settings = scratch_settings(row.name, image_size=row.min_size, epochs=1, learning_rate=0.01)
    result = train_from_scratch(prepare(settings), tmp_path)
    assert np.isfinite(result.probabilities["validation"]).all()
    assert all(array.dtype.kind == "f" for array in result.weights.values())


def test_settings_that_suit_draw_views_anew_and_never_mirror_them():
    assert QUICK.draws_anew
    assert not QUICK.recipe.mirror
    assert scratch_settings(NAME).epochs > HeadSettings().epochs / 2
    assert scratch_settings(NAME, augmentation="none").draws_anew is False


def test_small_images_are_seen_small_by_a_network_made_for_them(tiny_photos):
    photos = list_photos(tiny_photos)
    assert recommend_image_size(photos, SMALL_RESIDUAL) == 32
    assert recommend_image_size([Photo("a", "a", "a", "a", 640, 480, file="a")], SMALL_RESIDUAL) == 64
    assert recommend_image_size(photos, replace(SMALL_RESIDUAL, input_size=96)) == 96


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("every", "settings", "least"),
    [
        pytest.param(4, {"epochs": 6, "batch_size": 16}, 0.6, id="a quarter of the sample, shortly"),
        pytest.param(1, {}, 0.985, id="all of the sample", marks=pytest.mark.slow),
    ],
)
def test_the_sample_digits_are_learnt_from_nothing(every, settings, least, tmp_path):
    folder = write_digits(tmp_path / "digits")
    for number, file in enumerate(sorted(folder.rglob("*.png"))):
        if number % every:
            file.unlink()
    parts = tlcore.split(tlcore.read_photos(folder), 0.2, 0)
    trained = tlcore.train_from_scratch(parts, **settings)
    assert trained.image_size == 32
    assert trained.accuracy >= least
