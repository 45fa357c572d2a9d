"""Where a detector takes features from a backbone: the deepest outputs whose pixels are 8, 16 and 32 of the picture's
apart, for small, middling and large objects (the P3 to P5 of Lin et al. 2017, arXiv 1612.03144)."""

from typing import Any

from tlcore.detection.places import STRIDES
from tlcore.errors import BackboneError
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import block_names
from tlcore.models.backend import keras
from tlcore.models.classifier import crossing_tensors
from tlcore.models.keras_graph import find_maker, name_tensor
from tlcore.models.plan import Cut

# Half the bytes of float32: a feature's rounding is a twentieth of a percent, far below what a view's crop changes.
STORED = "float16"


def tap(row: Backbone, backbone: keras.Model) -> keras.Model:
    """Return the part of a backbone up to its deepest tap: normalised pixels -> three tensors, those at `STRIDES`.

    It shares the backbone's layers. Raises BackboneError where one of the three does not exist: a transformer has one
    size of features alone, and some networks lose pixels at the edges.
    """
    found = find_taps(row, backbone)
    missing = [stride for stride in STRIDES if stride not in found]
    if missing:
        raise BackboneError(
            "Expected a backbone with features 8, 16 and 32 pixels apart, to find small and large objects. Received: "
            f"{row.title}, which has none {' and '.join(map(str, missing))} pixels apart at "
            f"{backbone.input_shape[1]} pixels. Choose an EfficientNet-Lite or a MobileNet."
        )
    return keras.Model(backbone.inputs, [found[stride] for stride in STRIDES], name=f"{backbone.name}_taps")


def find_taps(row: Backbone, backbone: keras.Model) -> dict[int, Any]:
    """Return by stride the last tensor that a block hands on, of those strides that the backbone has; where blocks add
    to what they are given, the last one made so.

    Between blocks a network is narrow, within one it may be six times as wide. The last block of EfficientNet-Lite and
    of MobileNetV2 adds nothing: it makes room for the thousand kinds of ImageNet, and what it makes tells less well of
    which kind an object is that no photo showed than what it is given (docs/detection.md).
    """
    blocks = block_names(row, [layer.name for layer in backbone.layers])
    # What comes above the last block is as wide as the classes of ImageNet want it.
    ends = [place for place in range(1, len(blocks)) if blocks[place] != blocks[place - 1]]
    if blocks[-1] != "head":
        ends.append(len(blocks))
    number = {id(layer): place for place, layer in enumerate(backbone.layers)}
    side = backbone.input_shape[1]
    found: dict[int, tuple[bool, int, Any]] = {}
    for end in ends:
        for tensor in crossing_tensors(backbone, end):
            if len(tensor.shape) != 4 or tensor.shape[1] != tensor.shape[2]:
                continue
            stride, left = divmod(side, tensor.shape[1])
            maker = find_maker(tensor)
            place = isinstance(maker, keras.layers.Add), number[id(maker)]
            if not left and place >= found.get(stride, (False, 0))[:2]:
                found[stride] = *place, tensor
    return {stride: tensor for stride, (*_, tensor) in found.items()}


def tapped_cut(tapped: keras.Model) -> Cut:
    """Return the cut above all of a tapped backbone, for what phase 1 learns from."""
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in tapped.outputs)
    names = tuple(name_tensor(tensor) for tensor in tapped.outputs)
    return Cut(len(tapped.layers), names, shapes, (STORED,) * len(shapes))
