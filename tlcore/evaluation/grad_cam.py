"""Grad-CAM: weighs the features of a layer by how much they raise a class's score (Selvaraju et al. 2017).

Of a transformer it weighs the tokens of the patches, laid out as the grid that they come from, as they enter a block's
attention after its first normalisation: above it the class token alone may hold the evidence. So do the examples of
github.com/jacobgil/pytorch-grad-cam for vision transformers.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tlcore.errors import SettingsError
from tlcore.evaluation.heat_maps import HeatMap, normalise_map
from tlcore.models import classifier as models
from tlcore.models.backbones import block_names
from tlcore.models.backend import keras
from tlcore.models.classifier import Classifier
from tlcore.models.keras_graph import name_tensor
from tlcore.models.layers import describe_layers
from tlcore.models.preprocessing import normalise
from tlcore.models.vision_transformer import FIRST_NORM

LIKELIEST = -1


class GradCam:
    """Computes the heat maps of one classifier, whose top `layers` layers of the backbone were fine-tuned (0: none).

    The score is the logit, before softmax or sigmoid, as the paper has it. Its gradient with respect to a layer's
    output, averaged over the places, weighs the channels; what is above zero of their weighted sum is the map.
    """

    def __init__(self, classifier: Classifier, layers: int) -> None:
        backbone = classifier.backbone
        self._classes = len(classifier.labels)
        first = first_trained(classifier, layers)
        self._blocks = dict(zip(_names(backbone), block_names(classifier.row, _names(backbone)), strict=True))
        frozen = backbone.output if first is None else last_frozen(classifier, first)
        trained = None if first is None else backbone.output
        if classifier.row.transformer:
            frozen, trained = (
                each if each is None else self._find_tokens(classifier, each) for each in (frozen, trained)
            )
        self._frozen, self._trained = (each if each is None else name_tensor(each) for each in (frozen, trained))
        seen = [tensor for tensor in (frozen, trained) if tensor is not None]
        self._gradients = _build(classifier, seen)

    def _find_tokens(self, classifier: Classifier, tensor: Any) -> Any:
        """Return what enters the attention of the block that made a tensor: of the last block for what is above all,
        and the tensor itself for what is below all, None where there is none."""
        if tensor is None:
            return None
        names = _names(classifier.backbone)
        before = names[: names.index(name_tensor(tensor)) + 1]
        norms = [name for name in before if name.startswith("block") and name.endswith(FIRST_NORM)]
        return classifier.backbone.get_layer(norms[-1]).output if norms else tensor

    def draw(self, pixels: np.ndarray, class_number: int | None) -> tuple[int, HeatMap | None, HeatMap | None]:
        """Return the class's number and the maps by the last frozen and by the last fine-tuned block.

        `pixels` is uint8 (image_size, image_size, 3); `class_number` None stands for the likeliest class. Raises
        SettingsError for a class that the model does not have.
        """
        if class_number is not None and not 0 <= class_number < self._classes:
            raise SettingsError(
                f"Expected a class number from 0 to {self._classes - 1}. Received: {class_number}. Choose a class."
            )
        asked = tf.constant(LIKELIEST if class_number is None else class_number)
        number, weighted = self._gradients(tf.constant(pixels[None]), asked)
        maps = iter(normalise_map(each.numpy()[0]) for each in weighted)
        frozen, trained = (
            HeatMap(next(maps), layer, self._blocks[layer]) if layer else None
            for layer in (self._frozen, self._trained)
        )
        return int(number), frozen, trained


def first_trained(classifier: Classifier, layers: int) -> int | None:
    """Return the place in the backbone of the lowest layer with weights that phase 2 changed; None where none has."""
    described = describe_layers(classifier.row, classifier.backbone)
    trained = range(len(described) - layers, len(described))
    return next((place for place in trained if described[place]["trainable_parameters"]), None)


def last_frozen(classifier: Classifier, first: int) -> Any:
    """Return the output of the last block that lies below the layer `first` whole, or None where there is none.

    That is the one tensor that crosses from the layers below a block to those above; inside a block it may be several.
    """
    backbone = classifier.backbone
    described = describe_layers(classifier.row, backbone)
    start = first
    while start and described[start - 1]["block"] == described[first]["block"]:
        start -= 1
    for boundary in range(start, 0, -1):
        crossing = models.crossing_tensors(backbone, boundary)
        if len(crossing) == 1 and any(layer["flops"] for layer in described[:boundary]):
            return crossing[0]
    return None


def _build(classifier: Classifier, seen: list[Any]) -> Any:
    """Build the function of one picture and a class number that returns that number and the weighted sums."""
    side = classifier.image_size
    pixels = keras.Input((side, side, 3), dtype="uint8")
    prepared = keras.Model(pixels, normalise(classifier.row, pixels))
    backbone = classifier.backbone
    features = keras.Model(backbone.inputs, [*seen, backbone.output])
    last = classifier.head.get_layer("head_output")
    before_last = keras.Model(classifier.head.inputs, last.input)

    # Traced once: a number of Python's would be traced anew for each class.
    @tf.function(
        input_signature=[tf.TensorSpec((1, side, side, 3), tf.uint8), tf.TensorSpec((), tf.int32)], autograph=False
    )
    def weigh(picture: tf.Tensor, asked: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        image = prepared(picture, training=False)
        with tf.GradientTape() as tape:
            # A frozen network has no variable that the tape would watch of itself.
            tape.watch(image)
            *maps, output = features(image, training=False)
            pooled = before_last(tf.reduce_mean(output, axis=(1, 2)), training=False)
            logits = tf.matmul(pooled, last.kernel) + last.bias
            if classifier.output == "sigmoid":
                logits = tf.concat([-logits, logits], axis=1)
            number = tf.where(asked < 0, tf.argmax(logits[0], output_type=tf.int32), asked)
            score = tf.gather(logits[0], number)
        slopes = tape.gradient(score, maps)
        slopes, maps = ([_lay_out(each) for each in tensors] for tensors in (slopes, maps))
        weights = [tf.reduce_mean(slope, axis=(1, 2), keepdims=True) for slope in slopes]
        return number, [tf.reduce_sum(weight * each, axis=-1) for weight, each in zip(weights, maps, strict=True)]

    return weigh


def _lay_out(tensor: tf.Tensor) -> tf.Tensor:
    """Return the tokens of patches, without the class token, as an image of their places; an image stays as it is."""
    if len(tensor.shape) == 4:
        return tensor
    side = math.isqrt(tensor.shape[1] - 1)
    return tf.reshape(tensor[:, 1:], (-1, side, side, tensor.shape[-1]))


def _names(backbone: keras.Model) -> list[str]:
    return [layer.name for layer in backbone.layers]
