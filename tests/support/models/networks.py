"""Classifiers whose heads tell photos apart, on backbones that are not pretrained."""

import functools

import keras
import numpy as np

from tests.support.models.backbones import built, size_of, vary
from tests.support.models.patchwork import SIDE, build_patchwork
from tests.support.pictures.corpus import photo
from tlcore.models import classifier as models
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import BACKBONES
from tlcore.models.classifier import Classifier
from tlcore.settings import HeadSettings

LABELS = ["ant", "bée", "cat"]
IMAGES = 24
# With random weights its features run into the thousands, and differ as much between one batch and another in Keras.
CHAOTIC = "efficientnetv2-s"


def kind(layer: keras.Layer) -> tuple[str, ...]:
    """Say what a layer is to a converter, whatever its size."""
    config = layer.get_config()
    padding = "" if isinstance(layer, keras.layers.ZeroPadding2D) else config.get("padding")
    return tuple(map(str, (type(layer).__name__, config.get("activation"), config.get("strides"), padding)))


def beginning(backbone: keras.Model) -> keras.Model:
    """Return the shortest beginning of a backbone that has a layer of every kind that the whole has."""
    kinds = [kind(layer) for layer in backbone.layers]
    first = next(end for end in range(len(kinds)) if set(kinds[: end + 1]) == set(kinds))
    shortened = (keras.Model(backbone.inputs, layer.output, name=backbone.name) for layer in backbone.layers[first:])
    return next(each for each in shortened if {kind(layer) for layer in each.layers} == set(kinds))


def classifier(name: str, whole: bool = True, **settings) -> Classifier:
    """Assemble a classifier with weights of its architecture, not pretrained, and a head that tells photos apart."""
    keras.utils.set_random_seed(0)
    backbone = built(name) if whole else beginning(built(name))
    return assemble(BACKBONES[name], backbone, size_of(name), HeadSettings(**settings))


def patchwork(**settings) -> Classifier:
    """Assemble a classifier on a layer of every kind there is, of pixels that are turned to BGR and centred first."""
    keras.utils.set_random_seed(0)
    row = BACKBONES["vgg16"]
    return assemble(row, vary(row, build_patchwork(), SIDE), SIDE, HeadSettings(**settings))


def assemble(row: Backbone, backbone: keras.Model, side: int, head_settings: HeadSettings) -> Classifier:
    """Assemble a classifier of images of `side` pixels, with a head that tells photos apart."""
    labels = LABELS[:2] if head_settings.output == "sigmoid" else LABELS
    head = models.build_head(models.row_channels(backbone), len(labels), head_settings)
    model = models.assemble(row, backbone, head, side)
    features = keras.Model(model.input, model.get_layer("pooling").output).predict(pixels(side), verbose=0)
    output = head.get_layer("head_output")
    kernel, _ = output.get_weights()
    if not head_settings.hidden_units:
        # Along what the photos differ in most: a network that has learnt nothing finds them much the same otherwise.
        centre = features.mean(axis=0)
        _, scale, directions = np.linalg.svd(features - centre, full_matrices=False)
        mixing = np.random.default_rng(0).normal(0, 3, (2, kernel.shape[1])) * np.sqrt(IMAGES) / scale[:2, None]
        kernel = directions[:2].T @ mixing
        output.set_weights([kernel, -(centre @ kernel)])
    return Classifier(model, row, backbone, head, labels, side, head_settings.output)


@functools.cache
def pixels(side: int) -> np.ndarray:
    return np.stack([np.asarray(photo(number, side, side)) for number in range(IMAGES)])
