"""Where a detector takes features from a backbone."""

import numpy as np
import pytest

from tlcore.detection.places import STRIDES
from tlcore.detection.taps import find_taps, tap, tapped_cut
from tlcore.errors import BackboneError
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import find_backbone
from tlcore.models.keras_graph import name_tensor


def taps_of(name, side):
    row = find_backbone(name)
    tapped = tap(row, build_backbone(row, side, None))
    return [(name_tensor(each), tuple(each.shape[1:])) for each in tapped.outputs]


@pytest.mark.parametrize(
    ("name", "side", "expected"),
    [
        (
            "efficientnet-lite0",
            320,
            [("block4_add", (40, 40, 40)), ("block10_add", (20, 20, 112)), ("block14_add", (10, 10, 192))],
        ),
        (
            "efficientnet-lite0",
            416,
            [("block4_add", (52, 52, 40)), ("block10_add", (26, 26, 112)), ("block14_add", (13, 13, 192))],
        ),
        (
            "mobilenet-v2",
            96,
            [("block_5_add", (12, 12, 32)), ("block_12_add", (6, 6, 96)), ("block_15_add", (3, 3, 160))],
        ),
        (
            "mobilenet-v3-small",
            64,
            [
                ("expanded_conv_2_add", (8, 8, 24)),
                ("expanded_conv_7_add", (4, 4, 48)),
                ("expanded_conv_10_add", (2, 2, 96)),
            ],
        ),
        ("vgg16", 64, [("block3_pool", (8, 8, 256)), ("block4_pool", (4, 4, 512)), ("block5_pool", (2, 2, 512))]),
    ],
)
def test_the_last_tensor_that_a_block_has_added_to_is_taken_at_each_stride(name, side, expected):
    assert taps_of(name, side) == expected


def test_a_network_that_loses_pixels_at_its_edges_is_refused_with_a_way_on():
    row = find_backbone("inception-v3")
    backbone = build_backbone(row, 96, None)
    assert set(STRIDES) - set(find_taps(row, backbone))
    with pytest.raises(BackboneError, match=r"InceptionV3, which has none .*Choose an EfficientNet-Lite"):
        tap(row, backbone)


def test_the_taps_are_what_the_whole_network_makes_on_its_way():
    row = find_backbone("efficientnet-lite0")
    backbone = build_backbone(row, 64, None)
    tapped = tap(row, backbone)
    assert tapped_cut(tapped).shapes == tuple(tuple(each.shape[1:]) for each in tapped.outputs)
    assert tapped_cut(tapped).boundary == len(tapped.layers) < len(backbone.layers)
    assert [layer for layer in tapped.layers if layer not in backbone.layers] == []
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, *backbone.input_shape[1:])).astype(np.float32)
    deepest = tapped(pixels, training=False)[-1]
    assert float(np.abs(np.asarray(deepest)).max()) > 0
