"""Backbones built once for all tests of a file."""

import functools

import keras
import numpy as np

from tests.support.models.transformers import shrink
from tests.support.pictures.corpus import photo
from tlcore.models import weights
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import BACKBONES
from tlcore.models.preprocessing import normalise

PRETRAINED = "efficientnet-lite0, pretrained"
TRANSFORMER = "dinov2-vits14, small"
IMAGES = 6


def row_of(network):
    return shrink() if network == TRANSFORMER else BACKBONES[network.partition(",")[0]]


def size_of(network):
    row = row_of(network)
    return row.fit_size(max(48, row.min_size))


@functools.cache
def pictures(size):
    return np.stack([np.asarray(photo(300 + number, size, size)) for number in range(IMAGES)])


@functools.cache
def built(network):
    """Build a backbone once; where its weights are random, give it statistics under which its output varies."""
    keras.utils.set_random_seed(3)
    row, size = row_of(network), size_of(network)
    if network == PRETRAINED:
        return build_backbone(row, size, weights.fetch(row))
    return vary(row, build_backbone(row, size, None), size)


def vary(row, backbone, size):
    """Give a network whose weights are random statistics under which its output varies; return it."""
    norms = [layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    pixels = keras.Input((size, size, 3), dtype="uint8")
    keras.Model(pixels, backbone(normalise(row, pixels)))(pictures(size), training=True)
    for norm in norms:
        norm.momentum = 0.99
    return backbone
