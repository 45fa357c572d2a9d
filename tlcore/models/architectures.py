"""Builds the Keras network of a backbone row, with or without its pretrained weights."""

from pathlib import Path
from typing import Any

from tlcore.errors import BackboneError, WeightsError
from tlcore.models.backbone_table import SMALL_RESIDUAL, Backbone
from tlcore.models.backend import keras
from tlcore.models.inverted_residuals import build_network, load_pretrained
from tlcore.models.keras_graph import list_arguments, settle_names
from tlcore.models.preprocessing import IMAGENET_DEVIATION
from tlcore.models.small_residual import build_small_residual
from tlcore.models.vision_transformer import build_transformer, load_published


def build_backbone(backbone: Backbone, image_size: int, weights_path: Path | None) -> keras.Model:
    """Build a backbone without top or pooling for square images of `image_size` pixels.

    Input: float32 `(n, image_size, image_size, 3)`, normalised by `tlcore.models.preprocessing.normalise`; output:
    `(n, height, width, backbone.features)`. `weights_path` comes from `tlcore.models.weights.fetch`; None leaves
    random weights. Layer names are the same in every process and at every call. Raises BackboneError for a size below
    `backbone.min_size` or between two that it takes, and WeightsError for a file that does not fit.
    """
    backbone.require_size(image_size)
    if backbone == SMALL_RESIDUAL:
        return build_small_residual(backbone.name, image_size)
    if backbone.transformer is not None:
        model = build_transformer(backbone.name, backbone.transformer, image_size)
        if weights_path is not None:
            load_published(model, backbone.transformer, weights_path)
        return model
    if backbone.application is None:
        model = build_network(backbone.network, image_size)
        if weights_path is not None:
            load_pretrained(model, weights_path)
        return model
    model = _build_application(backbone.application, backbone.name, image_size)
    if weights_path is not None:
        _load_keras_weights(model, backbone, weights_path)
    return model


def _build_application(application: str, name: str, image_size: int) -> keras.Model:
    build = getattr(keras.applications, application)
    shape = (image_size, image_size, 3)
    original = build(include_top=False, weights=None, input_shape=shape)
    names = settle_names(operation.name for operation in original.operations)

    def rebuild(operation: keras.Operation) -> keras.Layer:
        if not isinstance(operation, keras.Layer):
            return _as_layer(operation, names[operation.name])
        config = {**operation.get_config(), "name": names[operation.name]}
        if isinstance(operation, keras.layers.Dropout):
            # Keras passes `fit`'s training=True down even to a model called with training=False.
            config["rate"] = 0.0
        return type(operation).from_config(config)

    inputs = keras.Input(shape, name="backbone_input")
    model = keras.models.clone_model(original, input_tensors=inputs, clone_function=rebuild, call_function=_call)
    model.name = name
    return model


def _as_layer(operation: keras.Operation, name: str) -> keras.Layer:
    """Return the layer that does what Keras wrote as `x + y`, `x + 3.0` or `x * (1 / 6)`.

    `Model.layers` leaves out what is not a layer, and so would every count, cut and freeze. Raises BackboneError for
    any other operation.
    """
    kind = type(operation).__name__
    _, other = list_arguments(operation)
    if kind == "Add" and isinstance(other, keras.KerasTensor):
        return keras.layers.Add(name=name)
    if kind == "Add" and isinstance(other, float):
        return keras.layers.Rescaling(1.0, other, name=name)
    if kind == "Multiply" and isinstance(other, float):
        return keras.layers.Rescaling(other, name=name)
    raise BackboneError(
        f"Expected sums of tensors, and sums and products with a number. Received: {kind} of {other!r} as '{name}'. "
        "This version of Keras writes the network in another way; install the one in requirements.txt."
    )


def _call(layer: keras.Layer, *arguments: Any, **options: Any) -> keras.KerasTensor:
    """Call a rebuilt layer with what the operation in its place was called with."""
    if isinstance(layer, keras.layers.Add) and len(arguments) > 1:
        return layer(list(arguments))
    return layer(arguments[0]) if isinstance(layer, keras.layers.Rescaling) else layer(*arguments, **options)


def _scale_by_deviation(model: keras.Model) -> None:
    """Have EfficientNetB0 to B7 divide by the deviations of ImageNet's channels, as their weights expect.

    The published files have deviations where the layer has variances. For weights="imagenet" alone Keras adds a layer
    that makes up for it; a network that gets its weights afterwards lacks that layer. Here the variances are mended.
    """
    (layer,) = (each for each in model.layers if isinstance(each, keras.layers.Normalization))
    mean, variance, count = layer.get_weights()
    layer.set_weights([mean, variance * IMAGENET_DEVIATION, count])
    layer.finalize_state()


def _load_keras_weights(model: keras.Model, backbone: Backbone, path: Path) -> None:
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"Expected the weights of {backbone.title} without its top. Received '{path}', which Keras cannot load "
            f"({error}). Delete the file, so that it is downloaded again."
        ) from error
    if str(backbone.application).startswith("EfficientNetB"):
        _scale_by_deviation(model)
