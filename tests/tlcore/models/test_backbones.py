"""The table of backbones: its facts are those of the real networks."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import keras
import pytest

from tests.support.models.networks import kind
from tests.support.models.patchwork import build_patchwork
from tests.support.pictures.families import each_backbone
from tlcore.errors import BackboneError
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import BACKBONES, block_names, find_backbone, read_backbone

ROWS = list(BACKBONES.values())
EXPECTED_BLOCKS = {
    "efficientnet-lite0": 18,
    "efficientnet-lite1": 23,
    "efficientnet-lite2": 23,
    "mobilenet-v2": 19,
    "mobilenet-v2-160": 19,
    "mobilenet-v2-96": 19,
    "mobilenet-v2-torch": 19,
    "mobilenet-v3-small": 13,
    "mobilenet-v3-large": 17,
    "inception-v3": 12,
    "resnet50": 17,
    "resnet50-v2": 18,
    "efficientnet-b0": 18,
    "efficientnet-b4": 34,
    "efficientnet-b7": 57,
    "efficientnetv2-b0": 23,
    "efficientnetv2-b3": 34,
    "efficientnetv2-s": 42,
    "xception": 15,
    "densenet121": 63,
    "nasnet-mobile": 18,
    "vgg16": 6,
    "convnext-tiny": 23,
    "dinov2-vits14": 14,
    "dinov2-vitb14": 14,
}
KNOWN_BLOCKS = {
    "efficientnet-lite0": {"stem_activation": "stem", "block12_expand_conv": "block 12", "head_conv": "head"},
    "mobilenet-v2": {
        "Conv1_relu": "stem",
        "expanded_conv_project_BN": "block 0",
        "block_16_project": "block 16",
        "Conv_1_bn": "head",
    },
    "mobilenet-v3-small": {
        "conv_bn": "stem",
        "activation": "stem",
        "expanded_conv_squeeze_excite_conv_1": "block 0",
        "expanded_conv_1_expand": "block 1",
        "multiply": "block 0",
        "expanded_conv_10_add": "block 10",
        "conv_1_bn": "head",
        "activation_17": "head",
    },
    "inception-v3": {"max_pooling2d_1": "stem", "mixed0": "mixed 0", "mixed9_1": "mixed 10", "mixed10": "mixed 10"}
    | {f"mixed{number}": f"mixed {number}" for number in range(11)},
    "resnet50": {"pool1_pool": "stem", "conv5_block3_out": "stage 5 block 3"},
    "resnet50-v2": {"conv2_block1_preact_bn": "stage 2 block 1", "post_relu": "head"},
    "efficientnetv2-b0": {"normalization": "stem", "block6h_add": "block 6h", "top_activation": "head"},
    "efficientnetv2-s": {"rescaling": "stem", "block6o_add": "block 6o", "top_activation": "head"},
    "xception": {
        "backbone_input": "stem",
        "conv2d": "block 2",
        "add_11": "block 13",
        "block14_sepconv2_act": "block 14",
    },
    "densenet121": {
        "pool1": "stem",
        "conv2_block1_0_bn": "stage 2 block 1",
        "pool2_conv": "transition 2",
        "conv5_block16_concat": "stage 5 block 16",
        "bn": "head",
        "relu": "head",
    },
    "nasnet-mobile": {
        "stem_bn1": "stem",
        "reduction_concat_stem_2": "stem cell 2",
        "normal_concat_0": "cell 0",
        "reduction_concat_reduce_4": "reduction 4",
        "normal_concat_12": "cell 12",
        "activation_187": "head",
    },
    "vgg16": {"backbone_input": "stem", "block1_conv1": "block 1", "block5_pool": "block 5"},
    "convnext-tiny": {
        "convnext_tiny_stem": "stem",
        "convnext_tiny_stage_0_block_0_layer_scale": "stage 0 block 0",
        "add": "stage 0 block 0",
        "convnext_tiny_downsampling_block_2": "downsampling 2",
        "layer_normalization": "head",
    },
    "dinov2-vits14": {"embedding": "stem", "block1_norm1": "block 1", "block12_add2": "block 12", "head_norm": "head"},
}


@pytest.fixture(scope="module")
def known_kinds():
    """The kinds of layers that the tests of exports have files made of."""
    return {kind(layer) for layer in build_patchwork().layers}


def count_positions(row, size):
    """Return how many numbers of a transformer's positions a network has less at a size than at its own."""
    if row.transformer is None:
        return 0
    own, other = ((side // row.transformer.patch) ** 2 for side in (row.input_size, size))
    return (own - other) * row.transformer.width


@pytest.mark.parametrize("name", each_backbone())
def test_facts_and_blocks_are_those_of_the_real_model_at_its_smallest_size(name, known_kinds):
    row = BACKBONES[name]
    model = build_backbone(row, row.min_size, None)
    side = 3 if name == "xception" or row.transformer else 1
    assert model.output.shape[1:] == (side, side, row.features)
    assert model.name == row.name
    with pytest.raises(BackboneError, match=rf"at least {row.min_size} pixels.*{row.min_size - 1}.*{row.input_size}"):
        build_backbone(row, row.min_size - 1, None)
    assert model.count_params() == row.parameters - count_positions(row, row.min_size)
    assert len(model.layers) == row.layers
    assert all(isinstance(operation, keras.Layer) for operation in model.operations)
    assert {kind(layer) for layer in model.layers} <= known_kinds, "tests/support/models/patchwork.py lacks a kind"
    names = [layer.name for layer in model.layers]
    blocks = block_names(row, names)
    assert len(blocks) == len(names)
    assert blocks[0] == "stem"
    runs = [block for i, block in enumerate(blocks) if i == 0 or blocks[i - 1] != block]
    assert len(runs) == len(set(runs)) == EXPECTED_BLOCKS[name], runs
    for layer, block in KNOWN_BLOCKS.get(name, {}).items():
        assert blocks[names.index(layer)] == block, layer


@pytest.mark.parametrize("row", [row for row in ROWS if row.application], ids=lambda row: row.name)
def test_min_size_is_the_smallest_that_keras_accepts(row):
    size = row.min_size - 1
    with pytest.raises(ValueError, match="at least"):
        getattr(keras.applications, row.application)(include_top=False, weights=None, input_shape=(size, size, 3))


def test_weight_facts_are_those_in_keras_own_source():
    # All of them: ResNet50V2's hash stands in the module of ResNet50.
    folder = Path(sys.modules[keras.applications.ResNet50.__module__].__file__).parent
    source = "".join(path.read_text() for path in folder.glob("*.py")).replace('"\n    "', "")
    for row in ROWS:
        if row.application is None:
            continue
        folder, _, file_name = row.weights_url.rpartition("/")
        assert folder in source
        assert file_name == row.weights_file
        assert row.weights_hash is None or row.weights_hash in source


class Asked(Exception):
    """Keras has asked for a file; this ends its building."""


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if row.application], ids=lambda row: row.name)
def test_the_file_is_the_one_that_keras_asks_for(row, monkeypatch):
    def get_file(name, origin, file_hash=None, **_):
        raise Asked(name, origin, file_hash)

    module = sys.modules[getattr(keras.applications, row.application).__module__]
    monkeypatch.setattr(module.file_utils, "get_file", get_file)
    with pytest.raises(Asked) as asked:
        getattr(keras.applications, row.application)(include_top=False, input_shape=(row.input_size,) * 2 + (3,))
    assert asked.value.args == (row.weights_file, row.weights_url, row.weights_hash)


def test_every_row_is_complete_and_honest():
    for name, row in BACKBONES.items():
        assert row.name == name
        assert 50 < row.imagenet_top1 < 100
        assert urlparse(row.accuracy_url).scheme == "https"
        fetched = row.python_package.wheel_bytes if row.python_package else row.weights_bytes
        assert row.download_mb == pytest.approx(fetched / 1e6, abs=0.06)
        assert ("conversion" in row.accuracy_source) == (row.bundled_package is not None)


def test_find_backbone_lists_the_known_names():
    assert find_backbone("resnet50").title == "ResNet50"
    with pytest.raises(BackboneError, match=r"efficientnet-lite0.*efficientnetv2-b0.*Received: 'vgg99'"):
        find_backbone("vgg99")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ResNet50", "resnet50"),
        ("RESNET_50", "resnet50"),
        ("EfficientNet Lite0", "efficientnet-lite0"),
        ("efficientnet_v2_b0", "efficientnetv2-b0"),
        ("MobileNetV2", "mobilenet-v2"),
        ("mobilenet v2 160", "mobilenet-v2-160"),
        ("MobileNetV2 (PyTorch)", "mobilenet-v2-torch"),
    ],
)
def test_a_name_is_read_in_any_case_with_spaces_dashes_or_underscores(text, name):
    assert read_backbone(text).name == name


def test_a_name_that_is_nearly_one_is_suggested_and_every_name_reads_as_itself():
    with pytest.raises(BackboneError, match=r"Received: 'Resnet5O'. Did you mean 'resnet50'\?"):
        read_backbone("Resnet5O")
    with pytest.raises(BackboneError, match=r"Received: 'cat'. Choose one of them"):
        read_backbone("cat")
    assert [read_backbone(row.name) for row in ROWS] == [read_backbone(row.title) for row in ROWS] == ROWS


def test_every_row_says_where_its_weights_come_from_and_their_licence():
    for row in ROWS:
        assert (row.weights_url is not None) + (row.bundled_package is not None) + (row.python_package is not None) == 1
        assert row.licence.name in ("Apache-2.0", "MIT", "BSD-3-Clause", "CC-BY-4.0")
        assert urlparse(row.licence.url).scheme == "https"
        place = row.weights_url or row.bundled_package or row.python_package.name
        assert place in row.weights_source


def test_what_pages_read_does_not_import_keras_or_tensorflow():
    code = (
        "import sys; from tlcore.models import backbones, layers, torch_checkpoint, weights;"
        "sys.exit(bool({'keras', 'tensorflow', 'streamlit'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
