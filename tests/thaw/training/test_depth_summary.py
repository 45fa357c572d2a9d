"""What the top layers of a real backbone hold, summed up."""

import functools
from typing import Any

import pytest

from thaw.training.depth_summary import count_last_block, summarise_depth
from tlcore.errors import SettingsError
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import BACKBONES
from tlcore.models.layers import describe_layers

LITE0 = BACKBONES["efficientnet-lite0"]


@functools.cache
def lite0() -> tuple[dict[str, Any], ...]:
    return tuple(describe_layers(LITE0, build_backbone(LITE0, 224, None)))


def test_summary_of_the_top_38_layers():
    layers = lite0()
    summary = summarise_depth(layers, 38)
    assert (summary.top, summary.first_unfrozen, summary.block) == (38, "block12_expand_conv", "block 12")
    assert summary.frozen_batch_norms == 13
    assert 0 < summary.upper_flops < summary.total_flops


def test_summary_at_both_ends():
    layers = lite0()
    nothing, everything = summarise_depth(layers, 0), summarise_depth(layers, len(layers))
    assert (nothing.first_unfrozen, nothing.block, nothing.trainable_parameters, nothing.upper_flops) == (
        None,
        None,
        0,
        0,
    )
    assert everything.first_unfrozen == "backbone_input"
    assert everything.upper_flops == everything.total_flops == nothing.total_flops


def test_the_last_block_reaches_down_to_the_last_one_that_trains_several_layers():
    layers = lite0()
    top = count_last_block(layers)
    assert layers[-top]["block"] == "block 15"
    assert layers[-top - 1]["block"] == "block 14"
    assert count_last_block(layers[:3]) == 3


@pytest.mark.parametrize("top", [-1, 142])
def test_refuses_a_depth_outside_the_backbone(top):
    with pytest.raises(SettingsError, match=rf"0 to 141 top layers. Received: {top}"):
        summarise_depth(lite0(), top)
