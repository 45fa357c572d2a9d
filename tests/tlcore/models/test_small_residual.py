"""ResNet-20 as its paper has it, and the rows of networks that have no pretrained weights."""

import keras
import pytest

from tlcore.errors import BackboneError
from tlcore.models.architectures import build_backbone
from tlcore.models.backbone_table import SMALL_RESIDUAL
from tlcore.models.backbones import BACKBONES, FRESH, block_names, find_backbone, read_backbone, without_pretrained
from tlcore.models.small_residual import build_small_residual


@pytest.fixture(scope="module")
def network():
    return build_backbone(SMALL_RESIDUAL, 32, None)


def test_the_network_is_that_of_the_paper(network):
    assert network.output.shape[1:] == (8, 8, SMALL_RESIDUAL.features)
    assert (network.count_params(), len(network.layers)) == (SMALL_RESIDUAL.parameters, SMALL_RESIDUAL.layers)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    deep = [layer for layer in convolutions if "shortcut" not in layer.name]
    # With the classifier twenty layers: 6 n + 2 for n = 3.
    assert [layer.filters for layer in deep] == [16] * 7 + [32] * 6 + [64] * 6
    assert [layer.kernel_size for layer in convolutions if layer not in deep] == [(1, 1)] * 2
    assert not any(layer.use_bias for layer in convolutions)
    assert build_small_residual("any", 48).output.shape[1:] == (12, 12, 64)
    with pytest.raises(BackboneError, match=r"at least 32 pixels.*image_size=31"):
        build_backbone(SMALL_RESIDUAL, 31, None)


def test_its_blocks_have_names_for_people(network):
    blocks = block_names(SMALL_RESIDUAL, [layer.name for layer in network.layers])
    stages = [f"stage {stage} block {block}" for stage in range(3) for block in range(3)]
    assert list(dict.fromkeys(blocks)) == ["stem", *stages]


def test_every_row_has_one_without_weights():
    assert list(FRESH) == ["resnet20-from-scratch", *(f"{name}-from-scratch" for name in BACKBONES)]
    for row in FRESH.values():
        assert row.fresh
        assert (row.weights_bytes, row.download_mb, row.weights_source) == (
            0,
            0,
            "nowhere: all of it learns from scratch",
        )
        assert find_backbone(row.name) is row
        assert without_pretrained(row.name) is row
    for row in BACKBONES.values():
        fresh = without_pretrained(row.name)
        assert (fresh.network, fresh.layers, fresh.application) == (row.name, row.layers, row.application)
        assert not row.fresh


def test_a_network_is_found_by_what_a_person_calls_it():
    assert read_backbone("ResNet-20") is SMALL_RESIDUAL
    assert read_backbone("ResNet50, from scratch") is FRESH["resnet50-from-scratch"]
    assert read_backbone("ResNet50") is BACKBONES["resnet50"]
    with pytest.raises(BackboneError, match=r"Did you mean 'resnet20-from-scratch'\?"):
        read_backbone("resnet-2O from scratch")


def test_a_row_without_weights_builds_the_same_network_with_others():
    models = [
        build_backbone(row, 32, None)
        for row in (BACKBONES["efficientnet-lite0"], FRESH["efficientnet-lite0-from-scratch"])
    ]
    assert [layer.name for layer in models[0].layers] == [layer.name for layer in models[1].layers]
    assert models[1].count_params() == BACKBONES["efficientnet-lite0"].parameters
