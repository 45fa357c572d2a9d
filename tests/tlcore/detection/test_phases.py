"""Both phases of a detector on photos that are drawn here: what is found, and the same end after a kill."""

import numpy as np
import pytest
from PIL import Image

import tlcore
from tests.support.boxed import draw_boxed
from tests.support.watched import Killed, Watcher
from tlcore.boxes import corners, overlaps
from tlcore.detection.detector import assemble_detector
from tlcore.detection.inputs import DetectorMaterials, list_windows, prepare_box_feed
from tlcore.detection.phases import fine_tune_detector, miss, train_detector
from tlcore.detection.taps import tapped_cut
from tlcore.errors import BackboneError, RunError, SettingsError
from tlcore.models.backbones import find_backbone
from tlcore.models.loading import load_backbone
from tlcore.progress import ignore_progress, never_stop
from tlcore.settings import FineTuneSettings

SIDE = 128
CHOSEN = {"image_size": SIDE, "epochs": 14, "batch_size": 4, "views": 3, "learning_rate": 3e-3, "patience": 100}
TUNED = FineTuneSettings(layers=20, epochs=1, batch_size=4, learning_rate=1e-4)


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch):
    """Each epoch is kept, as those that take long are."""
    monkeypatch.setattr("tlcore.training.early_stopping.KEEP_EVERY_S", -1.0)


@pytest.fixture(scope="module")
def boxed(tmp_path_factory):
    return draw_boxed(tmp_path_factory.mktemp("boxed"), 24)


@pytest.fixture(scope="module")
def first(boxed, tmp_path_factory):
    return tlcore.train_detector(boxed, folder=tmp_path_factory.mktemp("first"), **CHOSEN)


@pytest.fixture
def materials(boxed, first):
    """What `first` learnt from, with the backbone loaded anew."""
    loaded = load_backbone(find_backbone("efficientnet-lite0"), SIDE)
    caches = first.folder / "features"
    return DetectorMaterials(
        **vars(loaded), settings=first.settings, split=first.split, boxes=boxed.boxes, caches=caches
    )


def test_objects_are_found_on_photos_that_were_not_learnt_from(boxed, first):
    losses = [epoch.loss for epoch in first.epochs]
    assert losses[-1] < losses[0] / 2
    assert first.precision > 0.5
    assert first.labels == ["disc", "square"]
    assert first.kept.val_loss == min(epoch.val_loss for epoch in first.epochs)
    files = [photo.file for photo in first.split.validation]
    answers = first.predict(files, confidence=0.2)
    right = 0
    for photo, seen in zip(first.split.validation, answers, strict=True):
        drawn = boxed.boxes[photo.id]
        over = overlaps(corners([each.box for each in seen]), corners(drawn))
        right += len({b for a, b in np.argwhere(over > 0.5) if seen[a].label == drawn[b].label})
    assert right >= sum(len(boxed.boxes[photo.id]) for photo in first.split.validation) / 2
    assert first.predict(files[0], confidence=0.2) == answers[:1]
    figures = first.measure()
    assert figures.ap50.value == pytest.approx(first.precision, abs=0.02)
    judged = first.judge(confidence=0.2)
    assert sum(kind.found for kind in judged.kinds) == right
    assert sum(kind.objects for kind in judged.kinds) == sum(len(each.edges) for each in first.drawn["validation"])
    edges, scores = first.model.predict(np.zeros((1, SIDE, SIDE, 3), np.uint8), verbose=0)
    assert edges.shape == (1, 16 * 16 + 8 * 8 + 4 * 4, 4)
    assert scores.shape == (1, 16 * 16 + 8 * 8 + 4 * 4, 2)


def test_boxes_come_with_the_view_whose_features_are_drawn(materials):
    feed = prepare_box_feed(materials, tapped_cut(materials.tapped), 4, 1, ignore_progress, never_stop)
    views = list_windows(materials.split.training, materials.settings)
    assert len({view.key for view in views}) == 3 * len(materials.split.training)
    rows = feed.frozen.cache.rows([view.key for view in views])
    lowest = feed.frozen.cache.tensors()[2]
    seen = set()
    for _ in range(3):
        tensors, boxes = feed.training[0]
        assert [each.dtype for each in tensors] == [np.float16] * 3
        for features, mine in zip(tensors[2], boxes, strict=True):
            (place,) = [at for at, row in enumerate(rows) if np.array_equal(lowest[row], features)]
            view = views[place]
            seen.add(view.number)
            (drawn,) = materials.drawn([view.photo])
            real = mine[mine[:, 4] >= 0]
            assert len(real) <= len(drawn.edges)
            if view.number < 2:
                np.testing.assert_allclose(
                    real[:, :4], materials.window(view.photo, view.number).place(drawn.edges), atol=1e-3
                )
                assert real[:, 4].tolist() == drawn.kinds.tolist()
        feed.training.on_epoch_end()
    assert seen == {0, 1, 2}


def test_a_killed_detector_goes_on_to_the_same_end(materials, first, tmp_path):
    watcher = Watcher(last=12)
    with pytest.raises(Killed):
        train_detector(materials, tmp_path, watcher)
    resumed = train_detector(materials, tmp_path, history=watcher.epochs)
    assert resumed.epochs_trained == 3, "the epoch that was told and not saved is trained again"
    assert [epoch.epoch for epoch in resumed.epochs] == list(range(1, 15))
    again, before = ([epoch.val_loss for epoch in each.epochs] for each in (resumed, first))
    assert again == pytest.approx(before, rel=0.02)
    assert resumed.kept.epoch == first.kept.epoch
    assert resumed.feed.computed == 0, "what was cached is not computed again"


def test_phase_2_starts_where_phase_1_ended_and_leaves_statistics_alone(materials, first, tmp_path):
    before = {layer.name: layer.get_weights() for layer in materials.tapped.layers if layer.weights}
    tuned = fine_tune_detector(materials, TUNED, first.weights, first.epochs, first.kept, tmp_path)
    assert [(epoch.epoch, epoch.phase) for epoch in tuned.epochs] == [(15, 2)]
    assert tuned.kept.val_loss < first.kept.val_loss * 1.2
    assert {(row.mean, row.variance) for row in tuned.drift} == {(0.0, 0.0)}
    moved = {
        layer.name
        for layer in materials.tapped.layers
        if layer.weights
        and any(not np.array_equal(*pair) for pair in zip(layer.get_weights(), before[layer.name], strict=True))
    }
    top = {layer.name for layer in materials.tapped.layers[-20:]}
    assert moved
    assert moved <= top
    # Of photos, the model that is put together says what was said of the features in the cache.
    photo = materials.split.validation[0]
    model = assemble_detector(materials.row, materials.tapped, tuned.head, SIDE)
    with Image.open(photo.file) as picture:
        edges, scores = model.predict(materials.window(photo, 0).draw(picture)[None], verbose=0)
    sure = tuned.found["validation"][0].scores
    assert scores.max() == pytest.approx(sure[0] if len(sure) else 0.0, abs=0.05)
    assert np.isfinite(edges).all()


def test_the_epoch_that_finds_most_is_kept_and_the_least_loss_of_those_that_find_as_much(first):
    epochs = [{"val_accuracy": found, "val_loss": loss} for found, loss in ((0.5, 3.0), (0.6, 9.0), (0.6, 4.0))]
    assert sorted(epochs, key=miss) == [epochs[2], epochs[1], epochs[0]]
    most = max(epoch.val_accuracy for epoch in first.epochs)
    assert first.kept.val_accuracy == most


def test_what_cannot_be_trained_is_refused_with_a_way_on(boxed, materials, first, tmp_path):
    with pytest.raises(SettingsError, match="Expected a number of layers and a learning rate"):
        fine_tune_detector(materials, FineTuneSettings(), first.weights, first.epochs, None, tmp_path)
    wrong = {"head/0": np.zeros(3)}
    with pytest.raises(RunError, match="Expected weights that fit this model"):
        fine_tune_detector(materials, TUNED, wrong, first.epochs, None, tmp_path)
    with pytest.raises(BackboneError):
        tlcore.train_detector(boxed, "resnet20")
