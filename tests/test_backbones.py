"""The table of backbones: its facts are those of the real networks."""

import functools
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import keras
import pytest

from tlcore.architectures import build_backbone
from tlcore.backbones import BACKBONES, block_names, find_backbone
from tlcore.errors import BackboneError

ROWS = list(BACKBONES.values())
EXPECTED_BLOCKS = {
    "efficientnet-lite0": 18,
    "efficientnet-lite1": 23,
    "efficientnet-lite2": 23,
    "mobilenet-v2": 19,
    "inception-v3": 12,
    "resnet50": 17,
    "efficientnetv2-b0": 23,
}


@functools.cache
def real_model(name: str) -> keras.Model:
    return build_backbone(BACKBONES[name], BACKBONES[name].input_size, None)


def blocks_of(name: str) -> tuple[list[str], list[str]]:
    names = [layer.name for layer in real_model(name).layers]
    return names, block_names(BACKBONES[name], names)


@pytest.mark.parametrize("row", ROWS, ids=BACKBONES)
def test_facts_are_those_of_the_real_model(row):
    model = real_model(row.name)
    assert model.count_params() == row.parameters
    assert len(model.layers) == row.layers
    assert model.output.shape[-1] == row.features


@pytest.mark.parametrize("row", [row for row in ROWS if row.application], ids=lambda row: row.name)
def test_min_size_is_the_smallest_that_keras_accepts(row):
    size = row.min_size - 1
    with pytest.raises(ValueError, match="at least"):
        getattr(keras.applications, row.application)(include_top=False, weights=None, input_shape=(size, size, 3))


def test_weight_facts_are_those_in_keras_own_source():
    for row in ROWS:
        if row.application is None:
            continue
        module = sys.modules[getattr(keras.applications, row.application).__module__]
        source = Path(module.__file__).read_text().replace('"\n    "', "")
        folder, _, file_name = row.weights_url.rpartition("/")
        assert folder in source
        assert file_name == row.weights_file
        assert row.weights_hash is None or row.weights_hash in source


def test_every_row_is_complete_and_honest():
    for name, row in BACKBONES.items():
        assert row.name == name
        assert 50 < row.imagenet_top1 < 100
        assert urlparse(row.accuracy_url).scheme == "https"
        assert (row.bundled_package is None) != (row.weights_url is None)
        assert row.download_mb == pytest.approx(row.weights_bytes / 1e6, abs=0.06)
        assert ("conversion" in row.accuracy_source) == (row.bundled_package is not None)


def test_find_backbone_lists_the_known_names():
    assert find_backbone("resnet50").title == "ResNet50"
    with pytest.raises(BackboneError, match=r"efficientnet-lite0.*efficientnetv2-b0.*Received: 'vgg99'"):
        find_backbone("vgg99")


@pytest.mark.parametrize("row", ROWS, ids=BACKBONES)
def test_blocks_are_contiguous_and_complete(row):
    names, blocks = blocks_of(row.name)
    assert len(blocks) == len(names)
    assert blocks[0] == "stem"
    runs = [block for i, block in enumerate(blocks) if i == 0 or blocks[i - 1] != block]
    assert len(runs) == len(set(runs)) == EXPECTED_BLOCKS[row.name]


def test_block_names_of_known_layers():
    known = {
        ("efficientnet-lite0", "stem_activation"): "stem",
        ("efficientnet-lite0", "block12_expand_conv"): "block 12",
        ("efficientnet-lite0", "head_conv"): "head",
        ("mobilenet-v2", "Conv1_relu"): "stem",
        ("mobilenet-v2", "expanded_conv_project_BN"): "block 0",
        ("mobilenet-v2", "block_16_project"): "block 16",
        ("mobilenet-v2", "Conv_1_bn"): "head",
        ("inception-v3", "max_pooling2d_1"): "stem",
        ("inception-v3", "mixed0"): "mixed 0",
        ("inception-v3", "mixed9_1"): "mixed 10",
        ("inception-v3", "mixed10"): "mixed 10",
        ("resnet50", "pool1_pool"): "stem",
        ("resnet50", "conv5_block3_out"): "stage 5 block 3",
        ("efficientnetv2-b0", "normalization"): "stem",
        ("efficientnetv2-b0", "block6h_add"): "block 6h",
        ("efficientnetv2-b0", "top_activation"): "head",
    }
    for (backbone, layer), block in known.items():
        names, blocks = blocks_of(backbone)
        assert blocks[names.index(layer)] == block, (backbone, layer)


def test_an_inception_block_ends_at_its_concatenation():
    names, blocks = blocks_of("inception-v3")
    for k in range(11):
        end = names.index(f"mixed{k}")
        assert blocks[end] == f"mixed {k}"
        assert end + 1 == len(blocks) or blocks[end + 1] == f"mixed {k + 1}"


def test_what_pages_read_does_not_import_keras_or_tensorflow():
    code = (
        "import sys, tlcore.backbones, tlcore.weights, tlcore.anatomy, tlcore.checkpoint;"
        "sys.exit(bool({'keras', 'tensorflow', 'streamlit'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
