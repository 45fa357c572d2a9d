"""Writes layers that work on tokens, or make tokens of images and images of tokens, as ONNX: those of transformers; and
images made larger."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from tlcore.engines.graph import FIRST, LAST, Graph, Product, Tensor
from tlcore.errors import BackboneError
from tlcore.models.plan import PlainLayer

Lay = Callable[[Graph, PlainLayer, Tensor], Tensor]


def _reshape(graph: Graph, layer: PlainLayer, x: Tensor) -> Tensor:
    shape = tuple(layer.config["target_shape"])
    if -1 in shape:
        # What is left of the numbers that there are.
        left = math.prod(x.shape) // math.prod(each for each in shape if each != -1)
        shape = tuple(left if each == -1 else each for each in shape)
    # Channels that are given a height and a width of 1 may be in either order: that of what is to come.
    order = FIRST if len(x.shape) == 1 and shape == (1, 1, x.shape[-1]) else LAST
    x = graph.in_order(x, LAST)
    sizes = (shape[-1], 1, 1) if order == FIRST else shape
    return Tensor(graph.node("Reshape", [x.name, _sizes(graph, layer, 0, *sizes)], layer.name), shape, order)


def _permute(graph: Graph, layer: PlainLayer, x: Tensor) -> Tensor:
    x, dims = graph.in_order(x, LAST), layer.config["dims"]
    name = graph.node("Transpose", [x.name], layer.name, perm=[0, *dims])
    return Tensor(name, tuple(x.shape[each - 1] for each in dims), LAST)


def _pad(graph: Graph, layer: PlainLayer, x: Tensor) -> Tensor:
    x, (before, after) = graph.in_order(x, LAST), layer.config["padding"]
    name = graph.node("Pad", [x.name, _sizes(graph, layer, 0, before, 0, 0, after, 0)], layer.name)
    return Tensor(name, (before + x.shape[0] + after, x.shape[1]), LAST)


def _crop(graph: Graph, layer: PlainLayer, x: Tensor) -> Tensor:
    x, (before, after) = graph.in_order(x, LAST), layer.config["cropping"]
    end = x.shape[0] - after
    limits = {"starts": [before], "ends": [end], "axes": [1]}
    constants = [graph.constant(f"{layer.name}/{name}", values, np.int64) for name, values in limits.items()]
    return Tensor(graph.node("Slice", [x.name, *constants], layer.name), (end - before, x.shape[1]), LAST)


def _repeat(graph: Graph, layer: PlainLayer, x: Tensor) -> Tensor:
    """Repeat each place of an image; where there is but one, of whatever order its channels are."""
    if layer.config["interpolation"] != "nearest":
        raise BackboneError(f"Expected places to be repeated. Received: '{layer.name}', which blends them.")
    height, width = layer.config["size"]
    if x.shape[:2] != (1, 1):
        x = graph.in_order(x, FIRST)
        scales = graph.constant(f"{layer.name}/scales", [1, 1, height, width])
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        name = graph.node("Resize", [x.name, "", scales], layer.name, **how)
        return Tensor(name, (x.shape[0] * height, x.shape[1] * width, x.shape[-1]), FIRST)
    x = graph.write(x)
    sizes = (1, 1, height, width) if x.order == FIRST else (1, height, width, 1)
    name = graph.node("Expand", [x.name, _sizes(graph, layer, *sizes)], layer.name)
    return Tensor(name, (height, width, x.shape[-1]), x.order)


def _project(graph: Graph, layer: PlainLayer, x: Tensor) -> Tensor:
    """Multiply each token by one matrix; what is added may be of each place its own."""
    kernel, bias = layer.weights
    given, result = layer.config["equation"].split("->")
    (tokens, matrix), alone = given.split(","), layer.config["activation"] == "linear"
    if not alone or (matrix, result) != (tokens[-1] + result[-1], tokens[:-1] + result[-1]):
        raise BackboneError(f"Expected a product with a matrix. Received: '{layer.name}', {layer.config['equation']}.")
    return _wait(graph, layer.name, x, kernel, bias)


def _attend(graph: Graph, layer: PlainLayer, x: Tensor) -> Tensor:
    """Write attention of tokens among themselves (Vaswani et al. 2017); the division by a root is in the queries."""
    if len(set(layer.inputs)) > 1 or len(layer.weights) != 8 or len(x.shape) != 2:
        raise BackboneError(f"Expected attention among tokens, with biases. Received: '{layer.name}'.")
    weights = [np.asarray(each, np.float64) for each in layer.weights]
    kernel, bias = weights[6:]
    width, heads, size = weights[0].shape
    x = graph.in_order(x, LAST)
    parts = []
    for place, part in enumerate(("queries", "keys", "values")):
        name = f"{layer.name}/{part}"
        scale = 1 / math.sqrt(size) if part == "queries" else 1.0
        matrix, offset = weights[2 * place] * scale, weights[2 * place + 1] * scale
        made = graph.write(_wait(graph, name, x, matrix.reshape(width, -1), offset.reshape(-1)))
        split = graph.constant(f"{name}/heads", [0, 0, heads, matrix.shape[2]], np.int64)
        # Keys are turned for the product to come.
        perm = [0, 2, 3, 1] if part == "keys" else [0, 2, 1, 3]
        cut = graph.node("Reshape", [made.name, split], f"{name}/split")
        parts.append(graph.node("Transpose", [cut], f"{name}/turned", perm=perm))
    scores = graph.node("MatMul", parts[:2], f"{layer.name}/scores")
    shares = graph.node("Softmax", [scores], f"{layer.name}/shares", axis=-1)
    seen = graph.node("MatMul", [shares, parts[2]], f"{layer.name}/seen")
    turned = graph.node("Transpose", [seen], f"{layer.name}/turned", perm=[0, 2, 1, 3])
    joined = graph.node("Reshape", [turned, _sizes(graph, layer, 0, 0, -1)], f"{layer.name}/joined")
    together = Tensor(joined, (x.shape[0], kernel.shape[0] * kernel.shape[1]), LAST)
    return _wait(graph, layer.name, together, kernel.reshape(-1, kernel.shape[-1]), bias)


def _wait(graph: Graph, name: str, x: Tensor, kernel: np.ndarray, bias: np.ndarray) -> Tensor:
    x = graph.in_order(x, LAST)
    result = Tensor(name, (*x.shape[:-1], kernel.shape[-1]), LAST)
    graph.waiting[name] = Product(x, result, np.asarray(kernel, np.float64), np.asarray(bias, np.float64), {})
    return result


def _sizes(graph: Graph, layer: PlainLayer, *sizes: int) -> str:
    return graph.constant(f"{layer.name}/sizes", sizes, np.int64)


LAYING: Mapping[str, Lay] = {
    "Cropping1D": _crop,
    "EinsumDense": _project,
    "MultiHeadAttention": _attend,
    "Permute": _permute,
    "Reshape": _reshape,
    "UpSampling2D": _repeat,
    "ZeroPadding1D": _pad,
}
