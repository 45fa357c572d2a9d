"""Half-precision arithmetic where a GPU gains from it: float16 in the layers, float32 in weights, head and result."""

from tlcore.models.backend import keras

HALF, FULL = "mixed_float16", "float32"


def use_half_precision(model: keras.Model, backbone: keras.Model, boundary: int) -> None:
    """Let the backbone's layers from `boundary` up compute in float16 within `model`, before it is compiled.

    Keras then scales the loss, so that small gradients do not vanish (Micikevicius et al. 2018, "Mixed Precision
    Training"). The weights stay float32, and so do the normalisation, the pooling and the head.
    """
    for layer in backbone.layers[boundary:]:
        layer.dtype_policy = HALF
    model.dtype_policy = HALF
