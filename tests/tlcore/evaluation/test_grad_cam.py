"""Grad-CAM against what it must be: the closed form on the last features, finite differences further down."""

import keras
import numpy as np
import pytest

from tests.support.models.transformers import shrink
from tests.support.pictures.corpus import photo
from tlcore.errors import SettingsError
from tlcore.evaluation.grad_cam import GradCam, first_trained, last_frozen
from tlcore.evaluation.heat_maps import normalise_map
from tlcore.models import classifier as models
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import find_backbone
from tlcore.models.backend import freeze
from tlcore.models.classifier import Classifier
from tlcore.models.keras_graph import name_tensor
from tlcore.models.layers import describe_layers
from tlcore.models.preprocessing import normalise
from tlcore.models.weights import fetch
from tlcore.settings import HeadSettings

SIDE = 96
CLASSES = 3
MID_BLOCK = 38
STEP = 1e-2


@pytest.fixture(scope="module")
def backbone():
    row = find_backbone("efficientnet-lite0")
    return build_backbone(row, SIDE, fetch(row))


@pytest.fixture(scope="module")
def classifier(backbone):
    return classifier_of(backbone, HeadSettings(seed=5))


@pytest.fixture(scope="module")
def pixels():
    return np.asarray(photo(3, SIDE, SIDE))


@pytest.fixture(scope="module")
def drawing(classifier):
    """Where the head alone was trained; to build one takes seconds."""
    return GradCam(classifier, 0)


def classifier_of(backbone, settings, row=None, side=SIDE):
    row = row or find_backbone(settings.backbone)
    classes = 2 if settings.output == "sigmoid" else CLASSES
    head = models.build_head(models.row_channels(backbone), classes, settings)
    draw = np.random.default_rng(settings.seed)
    head.set_weights([draw.normal(0, 0.05, weight.shape) for weight in head.get_weights()])
    assembled = models.assemble(row, backbone, head, side)
    return Classifier(assembled, row, backbone, head, [f"c{n}" for n in range(classes)], side, settings.output)


def last_features(classifier, pixels):
    prepared = normalise(classifier.row, pixels[None].astype(np.float32))
    return np.asarray(classifier.backbone(prepared, training=False))[0]


def test_on_the_last_features_it_is_the_closed_form(classifier, drawing, pixels):
    features = last_features(classifier, pixels)
    kernel, _ = classifier.head.get_layer("head_output").get_weights()
    maps = []
    for number in range(CLASSES):
        found, frozen, trained = drawing.draw(pixels, number)
        assert found == number
        assert trained is None
        np.testing.assert_allclose(frozen.values, normalise_map(features @ kernel[:, number]), atol=1e-4)
        assert (frozen.values.max(), frozen.values.dtype, frozen.values.shape) == (1, np.float32, features.shape[:2])
        assert frozen.layer == classifier.backbone.layers[-1].name
        maps.append(frozen.values)
    assert max(np.abs(maps[0] - each).max() for each in maps[1:]) > 0.1, "every class has a map of its own"
    likeliest = int(classifier.predict(pixels[None])[0].argmax())
    assert drawing.draw(pixels, None)[0] == likeliest
    assert drawing._gradients.experimental_get_tracing_count() == 1


def test_below_trained_layers_the_channels_weigh_what_they_change_in_the_score(classifier, drawing, pixels):
    number, frozen, trained = GradCam(classifier, MID_BLOCK).draw(pixels, 1)
    assert number == 1
    np.testing.assert_allclose(trained.values, drawing.draw(pixels, 1)[1].values, atol=1e-4)
    backbone = classifier.backbone
    tensor = last_frozen(classifier, first_trained(classifier, MID_BLOCK))
    assert frozen.layer == name_tensor(tensor)
    below, above = keras.Model(backbone.inputs, tensor), keras.Model(tensor, backbone.output)
    made = np.asarray(below(normalise(classifier.row, pixels[None].astype(np.float32))))[0]
    kernel, _ = classifier.head.get_layer("head_output").get_weights()
    forward = freeze(above)

    def score(steps):
        moved = (made + steps[:, None, None, :]).astype(np.float32)
        return forward(moved)[0].mean(axis=(1, 2)) @ kernel[:, 1]

    steps = np.eye(made.shape[-1]) * STEP
    slopes = (score(steps) - score(-steps)) / (2 * STEP)
    np.testing.assert_allclose(frozen.values, normalise_map(made @ slopes), atol=0.05)
    assert frozen.values.shape == made.shape[:2]


def test_of_a_transformer_the_patches_weigh_what_their_channels_change_in_the_score(pixels):
    """The tokens stand for their places, as they enter the attention of the last block, frozen or trained."""
    keras.utils.set_random_seed(8)
    row, side = shrink(), 84
    backbone = build_backbone(row, side, None)
    classifier = classifier_of(backbone, HeadSettings(seed=9), row, side)
    number, frozen, trained = GradCam(classifier, 0).draw(pixels[:side, :side], 1)
    assert (number, trained) == (1, None)
    assert (frozen.layer, frozen.block, frozen.values.shape) == ("block2_norm1", "block 2", (6, 6))
    below = keras.Model(backbone.inputs, [backbone.get_layer(name).output for name in ("block1_add2", "block2_norm1")])
    above = keras.Model(below.outputs, backbone.output)
    kernel, _ = classifier.head.get_layer("head_output").get_weights()
    picture = normalise(row, pixels[None, :side, :side].astype(np.float32))
    beside, made = (np.asarray(each) for each in below(picture, training=False))

    def score(steps):
        moved = np.repeat(made, len(steps), axis=0)
        moved[:, 1:] += steps[:, None].astype(np.float32)
        features = above([np.repeat(beside, len(steps), axis=0), moved], training=False)
        return np.asarray(features).mean(axis=(1, 2)) @ kernel[:, 1]

    steps = np.eye(made.shape[-1]) * STEP
    slopes = (score(steps) - score(-steps)) / (2 * STEP)
    expected = normalise_map((made[0, 1:] @ slopes).reshape(6, 6))
    assert expected.std() > 0.05
    np.testing.assert_allclose(frozen.values, expected, atol=0.02)
    half = next(place for place, layer in enumerate(backbone.layers) if layer.name.startswith("block2_"))
    _, lower, upper = GradCam(classifier, len(backbone.layers) - half).draw(pixels[:side, :side], 1)
    np.testing.assert_allclose(upper.values, frozen.values, atol=1e-4)
    assert (lower.layer, upper.layer, lower.values.shape) == ("block1_norm1", "block2_norm1", (6, 6))


def test_a_sigmoids_two_classes_are_two_sides_of_one_score(backbone, pixels):
    classifier = classifier_of(backbone, HeadSettings(output="sigmoid", seed=6))
    weighted = last_features(classifier, pixels) @ classifier.head.get_layer("head_output").get_weights()[0][:, 0]
    drawing = GradCam(classifier, len(backbone.layers))
    for number, sign in enumerate((-1, 1)):
        _, frozen, trained = drawing.draw(pixels, number)
        np.testing.assert_allclose(trained.values, normalise_map(sign * weighted), atol=1e-4)
        assert frozen is None, "every layer was trained"
    assert drawing.draw(pixels, None)[0] == int(classifier.predict(pixels[None])[0].argmax())


def test_a_hidden_layer_of_the_head_takes_part(backbone, pixels):
    classifier = classifier_of(backbone, HeadSettings(hidden_units=8, seed=7))
    features = last_features(classifier, pixels)
    hidden, bias, kernel, _ = classifier.head.get_weights()
    active = features.mean(axis=(0, 1)) @ hidden + bias > 0
    expected = features @ ((hidden * active) @ kernel[:, 2])
    np.testing.assert_allclose(GradCam(classifier, 0).draw(pixels, 2)[1].values, normalise_map(expected), atol=1e-4)


def test_the_last_frozen_block_is_one_that_lies_whole_below_what_was_trained(classifier):
    described = describe_layers(classifier.row, classifier.backbone)
    places = {layer["name"]: place for place, layer in enumerate(described)}
    for layers in (3, 5, 20, MID_BLOCK, 100):
        first = first_trained(classifier, layers)
        place = places[name_tensor(last_frozen(classifier, first))]
        assert described[place]["block"] != described[first]["block"]
        assert described[place + 1]["block"] == described[first]["block"], "and it is the last such block"
    assert first_trained(classifier, 0) is None
    assert described[-1]["trainable_parameters"] == 0
    assert first_trained(classifier, 1) is None, "a layer without weights stays as it was"
    assert last_frozen(classifier, first_trained(classifier, len(described))) is None


def test_a_class_that_there_is_not_is_refused(drawing, pixels):
    with pytest.raises(SettingsError, match=r"from 0 to 2\. Received: 3"):
        drawing.draw(pixels, CLASSES)
