"""DINOv2's vision transformer, of Keras's own layers, and what its published files name their weights.

A picture is cut into patches, and blocks of attention work on their tokens and on a class token beside them: arXiv
2010.11929 (Dosovitskiy et al. 2021), with the LayerScale of 2103.17239 (Touvron et al. 2021) and the weights of
2304.07193 (Oquab et al. 2024). Its features are what DINOv2's own linear classifiers learn from: the class token and
the mean of the patch tokens, both after the last normalisation (dinov2/hub/classifiers.py in its repository, for one
layer). Since global average pooling follows every backbone here, the class token is laid beside each patch token: the
mean over the places is that very pair. Keras is imported only to build the network.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.models.backbone_table import Transformer
from tlcore.models.inverted_residuals import INPUT
from tlcore.models.keras_graph import scale_layer
from tlcore.models.torch_checkpoint import check_rest, check_shape, read_checkpoint, take_tensor

if TYPE_CHECKING:
    from tlcore.models.backend import keras

EMBEDDING, NORM, FIRST_NORM = "embedding", "head_norm", "_norm1"
_EPSILON = 1e-6
_HIDDEN_TIMES = 4
# PyTorch's coefficient of bicubic interpolation.
_BICUBIC = -0.75
# The published network takes the grid for this much larger than it is. That was meant against rounding, and stayed when
# the weights had been trained with it (interpolate_offset in dinov2/hub/backbones.py).
_OFFSET = 0.1
# What DINOv2's own training masks patches with.
_UNUSED = "mask_token"


def build_transformer(name: str, sizes: Transformer, image_size: int) -> "keras.Model":
    """Build a vision transformer with random weights for square images of `image_size` pixels, whole patches.

    Input: float32 `(n, image_size, image_size, 3)`, already normalised; output: `(n, places, places, 2 * width)`, for
    each patch the class token and its own. Blocks are numbered from 1. The class token, its position, the positions of
    the patches and the bias of their projection are only ever added up: the bias of the layer 'embedding', of shape
    (1 + patches, width), holds their sums.
    """
    from tlcore.models.backend import keras

    layers, patch = keras.layers, sizes.patch
    places = image_size // patch
    tokens = places**2 + 1
    pixels = keras.Input((image_size, image_size, 3), name=INPUT)
    x = layers.Reshape((places, patch, places, patch * 3), name="patch_rows")(pixels)
    x = layers.Permute((1, 3, 2, 4), name="patch_grid")(x)
    x = layers.Reshape((places**2, patch * patch * 3), name="patch_pixels")(x)
    x = layers.ZeroPadding1D((1, 0), name="class_place")(x)
    spread = keras.initializers.TruncatedNormal(stddev=0.02)
    x = layers.EinsumDense(
        "ntp,pc->ntc", (tokens, sizes.width), bias_axes="tc", bias_initializer=spread, name=EMBEDDING
    )(x)
    for number in range(1, sizes.depth + 1):
        x = _add_block(f"block{number}", sizes, x)
    x = layers.LayerNormalization(epsilon=_EPSILON, name=NORM)(x)
    token = layers.Reshape((1, 1, sizes.width), name="head_token")(
        layers.Cropping1D((0, places**2), name="head_class")(x)
    )
    patches = layers.Reshape((places, places, sizes.width), name="head_grid")(
        layers.Cropping1D((1, 0), name="head_patches")(x)
    )
    spread_token = layers.UpSampling2D(places, name="head_spread")(token)
    return keras.Model(pixels, layers.Concatenate(name="head_concat")([spread_token, patches]), name=name)


def _add_block(name: str, sizes: Transformer, x: Any) -> Any:
    """Add attention and two dense layers with GELU, each on what is normalised and each scaled before it is added."""
    from tlcore.models.backend import keras

    layers, width = keras.layers, sizes.width
    y = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}{FIRST_NORM}")(x)
    y = layers.MultiHeadAttention(sizes.heads, width // sizes.heads, name=f"{name}_attention")(y, y)
    x = layers.Add(name=f"{name}_add1")([x, scale_layer(width, f"{name}_scale1")(y)])
    y = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_norm2")(x)
    y = layers.Dense(_HIDDEN_TIMES * width, activation="gelu", name=f"{name}_expand")(y)
    y = layers.Dense(width, name=f"{name}_project")(y)
    return layers.Add(name=f"{name}_add2")([x, scale_layer(width, f"{name}_scale2")(y)])


def load_published(model: "keras.Model", sizes: Transformer, path: Path) -> None:
    """Fill a network built here from a file that DINOv2's authors publish, its positions interpolated to the grid.

    Raises WeightsError when the file cannot be read, lacks a tensor, has one of another shape, or has tensors more.
    The model is untouched if it raises.
    """
    tensors = read_checkpoint(path)
    grid = model.output.shape[1]
    filled = {EMBEDDING: _read_embedding(tensors, sizes, grid), NORM: _read_pair(tensors, "norm", NORM, sizes.width)}
    for number in range(sizes.depth):
        filled |= _read_block(tensors, sizes, f"blocks.{number}", f"block{number + 1}")
    check_rest([key for key in tensors if key != _UNUSED], model.name, path)
    for name, arrays in filled.items():
        model.get_layer(name).set_weights(arrays)


def interpolate_positions(positions: np.ndarray, places: int, offset: float = _OFFSET) -> np.ndarray:
    """Return the positions of a square grid, (side, side, width), for one of `places` a side, float32.

    Bicubic, without antialiasing, at the places that PyTorch takes for a scale of `(places + offset) / side`; a grid of
    the same side stays as it is.
    """
    side = len(positions)
    if side == places:
        return positions.astype(np.float32)
    at = (np.arange(places) + 0.5) * side / (places + offset) - 0.5
    first = np.floor(at).astype(int)
    weights = np.zeros((places, side))
    for tap in range(-1, 3):
        beyond = np.abs(at - (first + tap))
        np.add.at(weights, (np.arange(places), np.clip(first + tap, 0, side - 1)), _weigh(beyond))
    return np.einsum("ia,jb,abc->ijc", weights, weights, positions, optimize=True).astype(np.float32)


def _weigh(distance: np.ndarray) -> np.ndarray:
    """Return the cubic convolution kernel (Keys 1981) at distances of 0 to 2."""
    near = (_BICUBIC + 2) * distance**3 - (_BICUBIC + 3) * distance**2 + 1
    far = _BICUBIC * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    return np.where(distance <= 1, near, far)


def _read_embedding(tensors: dict[str, np.ndarray], sizes: Transformer, grid: int) -> list[np.ndarray]:
    width, patch, side = sizes.width, sizes.patch, sizes.places
    kernel = _read(tensors, "patch_embed.proj.weight", EMBEDDING, (width, 3, patch, patch))
    bias = _read(tensors, "patch_embed.proj.bias", EMBEDDING, (width,))
    token = _read(tensors, "cls_token", EMBEDDING, (1, 1, width))[0]
    positions = _read(tensors, "pos_embed", EMBEDDING, (1, 1 + side**2, width))[0]
    patches = interpolate_positions(positions[1:].reshape(side, side, width), grid).reshape(-1, width)
    sums = np.concatenate([token + positions[:1], patches + bias])
    return [kernel.transpose(2, 3, 1, 0).reshape(-1, width), sums]


def _read_block(
    tensors: dict[str, np.ndarray], sizes: Transformer, there: str, here: str
) -> dict[str, list[np.ndarray]]:
    width, hidden, heads = sizes.width, _HIDDEN_TIMES * sizes.width, sizes.heads
    attention = f"{here}_attention"
    kernels = _read(tensors, f"{there}.attn.qkv.weight", attention, (3 * width, width)).reshape(3, heads, -1, width)
    biases = _read(tensors, f"{there}.attn.qkv.bias", attention, (3 * width,)).reshape(3, heads, -1)
    joined = _read(tensors, f"{there}.attn.proj.weight", attention, (width, width)).T.reshape(heads, -1, width)
    parts = [each for kernel, bias in zip(kernels, biases, strict=True) for each in (kernel.transpose(2, 0, 1), bias)]
    filled = {attention: [*parts, joined, _read(tensors, f"{there}.attn.proj.bias", attention, (width,))]}
    for half in (1, 2):
        filled[f"{here}_norm{half}"] = _read_pair(tensors, f"{there}.norm{half}", f"{here}_norm{half}", width)
        filled[f"{here}_scale{half}"] = [_read(tensors, f"{there}.ls{half}.gamma", f"{here}_scale{half}", (width,))]
    for name, layer, shape in (("fc1", "expand", (hidden, width)), ("fc2", "project", (width, hidden))):
        kernel, bias = f"{there}.mlp.{name}.weight", f"{there}.mlp.{name}.bias"
        layer = f"{here}_{layer}"
        filled[layer] = [_read(tensors, kernel, layer, shape).T, _read(tensors, bias, layer, shape[:1])]
    return filled


def _read_pair(tensors: dict[str, np.ndarray], there: str, layer: str, width: int) -> list[np.ndarray]:
    return [_read(tensors, f"{there}.{item}", layer, (width,)) for item in ("weight", "bias")]


def _read(tensors: dict[str, np.ndarray], key: str, layer: str, shape: tuple[int, ...]) -> np.ndarray:
    return check_shape(take_tensor(tensors, key, layer), shape, key, layer)
