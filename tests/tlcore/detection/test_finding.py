"""A detector without Keras: its file answers as the assembled model does, and is written once."""

import numpy as np
import pytest
from PIL import Image

from tlcore.detection.detector import Detector, assemble_detector
from tlcore.detection.finding import box_of, freeze_detector
from tlcore.detection.network import build_head
from tlcore.detection.taps import tap
from tlcore.engines import writer
from tlcore.models.backbones import find_backbone
from tlcore.models.backend import keras
from tlcore.models.loading import load_backbone

SIDE, LABELS = 96, ["disc", "square", "ring"]


@pytest.fixture(scope="module")
def detector():
    """A detector of noise: a head that has learnt nothing, whose averages and shifts are nobody else's."""
    loaded = load_backbone(find_backbone("efficientnet-lite0"), SIDE)
    keras.utils.set_random_seed(0)
    tapped = tap(loaded.row, loaded.backbone)
    head = build_head(tapped.outputs, len(LABELS))
    chance = np.random.default_rng(1)
    for layer in head.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([chance.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    head.get_layer("object").bias.assign([0.0])
    return Detector(assemble_detector(loaded.row, tapped, head, SIDE), loaded.row, tapped, head, LABELS, SIDE)


def freeze(detector, caches, build=None):
    built = build or (lambda: (detector.tapped, detector.head))
    return freeze_detector(caches, detector.row, "these weights", SIDE, LABELS, built)


def test_it_finds_what_the_keras_model_finds_and_needs_it_once(detector, tmp_path, monkeypatch):
    pixels = np.random.default_rng(2).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    frozen = freeze(detector, tmp_path)
    edges, scores = detector.answer(pixels)
    mine = frozen.answer(pixels)
    np.testing.assert_allclose(mine[0], edges, atol=1e-2, rtol=0)
    np.testing.assert_allclose(mine[1], scores, atol=1e-4, rtol=0)
    assert scores.max() > 0.3, "something is seen"
    monkeypatch.setattr(writer, "write_network", lambda _: pytest.fail("written again"))
    again = freeze(detector, tmp_path, lambda: pytest.fail("built again"))
    np.testing.assert_array_equal(again.answer(pixels)[0], mine[0])


def test_pictures_of_any_size_are_answered_for_in_shares_of_them(detector, tmp_path):
    chance = np.random.default_rng(3)
    pictures = [Image.fromarray(chance.integers(0, 256, (*size, 3)).astype(np.uint8)) for size in ((60, 90), (200, 40))]
    expected, found = detector.find(pictures), freeze(detector, tmp_path).find(pictures)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one.kinds, other.kinds)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
        np.testing.assert_allclose(one.edges, other.edges, atol=1e-3)
    first = detector.name(expected[0])[0]
    assert first.label in LABELS
    assert first.box == box_of(first.label, expected[0].edges[0])


def test_where_the_file_answers_otherwise_keras_runs_it(detector, tmp_path, monkeypatch):
    monkeypatch.setattr("tlcore.features.frozen.TOLERANCE", -1.0)
    pixels = np.random.default_rng(2).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    frozen = freeze(detector, tmp_path)
    np.testing.assert_allclose(frozen.answer(pixels)[1], detector.answer(pixels)[1], atol=1e-5)
    assert not list(tmp_path.rglob("*.onnx"))
