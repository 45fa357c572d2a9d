"""Both phases on a small transformer, taken from a file as its publishers write it, as a person would train it."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import tlcore
from tests.support.models.torch_files import write_state
from tests.support.models.transformers import invent_weights, shrink
from tests.support.pictures.corpus import photo
from tlcore.engines.runtime import NETWORK, read_record
from tlcore.errors import BackboneError
from tlcore.evaluation.grad_cam import GradCam
from tlcore.models.backbones import BACKBONES
from tlcore.models.weights import sha256_of

SIDE = 70
# What follows the last block, and that block.
TOP = 7 + 9


@pytest.fixture
def row(tmp_path, monkeypatch):
    """Put a small network and its file into the place of a published one."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    small = shrink()
    path = tmp_path / "keras" / "models" / small.weights_file
    path.parent.mkdir(parents=True)
    write_state(path, invent_weights(small.transformer))
    small = replace(small, weights_bytes=path.stat().st_size, weights_hash=sha256_of(path))
    monkeypatch.setitem(BACKBONES, small.name, small)
    return small


@pytest.fixture
def split(tmp_path):
    """Return photos of two kinds, which their colours tell apart, divided."""
    for label, channel in (("leaf", 1), ("petal", 0)):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for number in range(24):
            pixels = np.asarray(photo(100 * channel + number, SIDE, SIDE)).copy()
            pixels[..., channel] = np.minimum(255, pixels[..., channel] + 60.0)
            keras.utils.save_img(folder / f"{number}.png", pixels)
    return tlcore.split(tlcore.read_photos(tmp_path / "photos"), validation=0.25, seed=0)


def test_a_head_settles_and_then_the_top_block_adapts_and_nothing_below_it(row, split, tmp_path):
    with pytest.raises(BackboneError, match=r"image_size=100. Choose 98 or 112"):
        tlcore.train_head(split, "DINOv2 ViT-S/14", image_size=100)
    settings = {"image_size": SIDE, "batch_size": 8, "epochs": 30, "learning_rate": 1e-2, "folder": tmp_path / "kept"}
    head = tlcore.train_head(split, "DINOv2 ViT-S/14", **settings)
    assert head.accuracy > 0.8
    (network,) = (tmp_path / "kept").rglob(NETWORK)
    assert read_record(network.parent).apart < 1e-4, "ONNX Runtime ran the frozen part, and was compared with Keras"
    tuned = tlcore.fine_tune(head, layers=TOP, learning_rate=1e-4, epochs=5, insist=True)
    before, layers = head.classifier.backbone, tuned.classifier.backbone.layers
    assert tuned is not head
    trained = {layer.name for layer in layers[-TOP:] if layer.weights}
    assert {"block2_norm1", "block2_attention", "block2_scale1", "block2_expand", "head_norm"} < trained
    changed = {
        layer.name
        for layer in layers
        if any(map(differ, layer.get_weights(), before.get_layer(layer.name).get_weights()))
    }
    assert changed == trained
    assert tuned.accuracy >= head.accuracy
    pixels = np.asarray(photo(7, SIDE, SIDE))
    _, frozen, adapted = GradCam(tuned.classifier, TOP).draw(pixels, None)
    assert [each.values.shape for each in (frozen, adapted)] == [(5, 5)] * 2
    assert (frozen.block, adapted.block) == ("block 1", "block 2")


def differ(one, other):
    return not np.array_equal(one, other)
