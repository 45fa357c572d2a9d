"""Writes a network of plain layers as ONNX, laid out as runtimes compute fastest: channels first, BatchNormalization
and other scales folded into the convolutions before them."""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from tlcore.engines import tokens
from tlcore.engines.graph import FIRST, LAST, Graph, Product, Tensor
from tlcore.errors import BackboneError
from tlcore.models.plan import PIXELS, Network, PlainLayer

OPSET = 17
# The oldest file format that has this opset, so that older runtimes read the file too.
IR_VERSION = 8
_SQRT_HALF = math.sqrt(0.5)


def write_network(network: Network) -> bytes:
    """Return a network as an ONNX file: input `pixels`, uint8 (n, side, side, 3); outputs `0`, `1`, ..., float32.

    Outputs have the shapes that Keras gives them. Raises BackboneError for a layer of a kind that is not known here.
    """
    return _Writer(network).write()


class _Writer:
    """Goes through the layers in order and lays down what each computes."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._graph = Graph()
        self._tensors: dict[str, Tensor] = {}
        self._padding: dict[str, tuple[Tensor, tuple[int, ...]]] = {}
        self._uses = Counter(name for layer in network.layers for name in layer.inputs) + Counter(network.outputs)
        self._users = {name: layer for layer in network.layers for name in layer.inputs}
        self._laying: dict[str, Callable[[PlainLayer, Tensor], Tensor]] = {
            "Activation": self._activate,
            "AveragePooling2D": self._pool,
            "BatchNormalization": self._batch_norm,
            "Conv2D": self._convolve,
            "Cropping2D": self._crop,
            "Dense": self._multiply_matrix,
            "DepthwiseConv2D": self._convolve_each,
            "Dropout": lambda _, x: x,
            "GlobalAveragePooling2D": self._pool_all,
            "LayerNormalization": self._layer_norm,
            "LayerScale": lambda layer, x: self._scale(layer, x, layer.weights[0], np.zeros(x.shape[-1])),
            "MaxPooling2D": self._pool,
            "Normalization": self._normalise,
            "ReLU": self._clip,
            "Rescaling": self._rescale,
            "SeparableConv2D": self._separable,
            "ZeroPadding2D": self._pad,
        }

    def write(self) -> bytes:
        side = self._network.image_size
        self._tensors[PIXELS] = self._read_pixels(side)
        for layer in self._network.layers:
            self._tensors[layer.name] = self._lay(layer)
        results = [self._finish(name, str(place)) for place, name in enumerate(self._network.outputs)]
        graph = helper.make_graph(
            self._graph.nodes,
            "network",
            [helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, ["images", side, side, 3])],
            [helper.make_tensor_value_info(each.name, TensorProto.FLOAT, ["images", *each.shape]) for each in results],
            self._graph.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model.SerializeToString()

    def _lay(self, layer: PlainLayer) -> Tensor:
        if layer.kind in ("Add", "Multiply"):
            return self._combine(layer, "Add" if layer.kind == "Add" else "Mul")
        if layer.kind == "Concatenate":
            return self._concatenate(layer)
        x = self._tensors[layer.inputs[0]]
        if layer.kind in tokens.LAYING:
            return tokens.LAYING[layer.kind](self._graph, layer, x)
        if layer.kind not in self._laying:
            raise BackboneError(
                f"Expected a layer of a kind that can be written as ONNX. Received: '{layer.name}', {layer.kind}."
            )
        return self._laying[layer.kind](layer, x)

    def _read_pixels(self, side: int) -> Tensor:
        turned = self._graph.node("Transpose", [PIXELS], f"{PIXELS}/turned", perm=[0, 3, 1, 2])
        floats = self._graph.node("Cast", [turned], f"{PIXELS}/floats", to=TensorProto.FLOAT)
        return Tensor(floats, (side, side, 3), FIRST)

    def _finish(self, name: str, place: str) -> Tensor:
        tensor = self._graph.in_order(self._tensors[name], LAST)
        return Tensor(self._graph.node("Identity", [tensor.name], place), tensor.shape, LAST)

    # Products, and what is folded into them

    def _scale(self, layer: PlainLayer, x: Tensor, scale: np.ndarray, offset: np.ndarray) -> Tensor:
        """Multiply and add to each channel: in the product before it where nobody else takes its outputs."""
        product = self._graph.waiting.get(x.name)
        if product and self._uses[layer.inputs[0]] == 1:
            product.scale(np.asarray(scale, np.float64), np.asarray(offset, np.float64))
            return x
        self._graph.write(x)
        along = (-1, 1, 1) if x.order == FIRST and len(x.shape) == 3 else (-1,)
        name = x.name
        if np.any(np.asarray(scale) != 1):
            factor = self._graph.constant(f"{layer.name}/scale", np.reshape(scale, along))
            name = self._graph.node("Mul", [name, factor], f"{layer.name}/scaled")
        if np.any(np.asarray(offset) != 0):
            term = self._graph.constant(f"{layer.name}/offset", np.reshape(offset, along))
            name = self._graph.node("Add", [name, term], f"{layer.name}/moved")
        return Tensor(name, x.shape, x.order)

    def _batch_norm(self, layer: PlainLayer, x: Tensor) -> Tensor:
        weights = [np.asarray(each, np.float64) for each in layer.weights]
        gamma = weights.pop(0) if layer.config["scale"] else np.ones(x.shape[-1])
        beta = weights.pop(0) if layer.config["center"] else np.zeros(x.shape[-1])
        mean, variance = weights
        scale = gamma / np.sqrt(variance + layer.config["epsilon"])
        offset = beta - mean * scale
        if x.name in self._graph.waiting and self._uses[layer.inputs[0]] == 1:
            return self._scale(layer, x, scale, offset)
        x = self._graph.in_order(x, FIRST)
        parts = {"scale": scale, "offset": offset, "mean": np.zeros_like(scale), "variance": np.ones_like(scale)}
        constants = [self._graph.constant(f"{layer.name}/{name}", values) for name, values in parts.items()]
        name = self._graph.node("BatchNormalization", [x.name, *constants], layer.name, epsilon=0.0)
        return Tensor(name, x.shape, FIRST)

    def _normalise(self, layer: PlainLayer, x: Tensor) -> Tensor:
        given = [layer.config[name] for name in ("mean", "variance")]
        # What is not given is among the weights, with how much it was taken from.
        mean, variance = (
            np.asarray(each, np.float64).ravel() for each in (layer.weights[:2] if None in given else given)
        )
        deviation = np.sqrt(variance)
        return self._scale(layer, x, 1 / deviation, -mean / deviation)

    def _rescale(self, layer: PlainLayer, x: Tensor) -> Tensor:
        channels = x.shape[-1]
        scale, offset = (np.broadcast_to(layer.config[name], channels) for name in ("scale", "offset"))
        return self._scale(layer, x, scale, offset)

    def _convolve(self, layer: PlainLayer, x: Tensor) -> Tensor:
        kernel = layer.weights[0].transpose(3, 2, 0, 1)
        return self._convolve_by(layer, x, kernel, layer.config.get("groups", 1), self._bias(layer, kernel.shape[0]))

    def _convolve_each(self, layer: PlainLayer, x: Tensor) -> Tensor:
        kernel = _depthwise(layer.weights[0])
        return self._convolve_by(layer, x, kernel, x.shape[-1], self._bias(layer, kernel.shape[0]))

    def _separable(self, layer: PlainLayer, x: Tensor) -> Tensor:
        each, across = _depthwise(layer.weights[0]), layer.weights[1].transpose(3, 2, 0, 1)
        bare = {**layer.config, "activation": "linear"}
        first = PlainLayer(f"{layer.name}/each", "DepthwiseConv2D", bare, layer.inputs)
        between = self._convolve_by(first, x, each, x.shape[-1], np.zeros(each.shape[0]))
        plain = {"strides": (1, 1), "dilation_rate": (1, 1), "padding": "valid"}
        second = PlainLayer(layer.name, "Conv2D", {**layer.config, **plain}, (first.name,), layer.weights)
        return self._convolve_by(second, between, across, 1, self._bias(layer, across.shape[0]))

    def _bias(self, layer: PlainLayer, channels: int) -> np.ndarray:
        return layer.weights[-1] if layer.config["use_bias"] else np.zeros(channels)

    def _convolve_by(self, layer: PlainLayer, x: Tensor, kernel: np.ndarray, groups: int, bias: np.ndarray) -> Tensor:
        x, before = self._padding.pop(x.name, (x, (0, 0, 0, 0)))
        x = self._graph.in_order(x, FIRST)
        padded = (x.shape[0] + before[0] + before[2], x.shape[1] + before[1] + before[3])
        rates = _pair(layer, "dilation_rate")
        window = [(size - 1) * rate + 1 for size, rate in zip(kernel.shape[2:], rates, strict=True)]
        sides, pads = _slide(padded, window, _pair(layer, "strides"), layer.config["padding"])
        attributes = {
            "kernel_shape": list(kernel.shape[2:]),
            "strides": _pair(layer, "strides"),
            "dilations": rates,
            "pads": [one + other for one, other in zip(before, pads, strict=True)],
            "group": groups,
        }
        result = Tensor(layer.name, (*sides, kernel.shape[0]), FIRST)
        return self._wait(layer, Product(x, result, np.asarray(kernel, np.float64), bias, attributes))

    def _multiply_matrix(self, layer: PlainLayer, x: Tensor) -> Tensor:
        x, kernel = self._graph.in_order(x, LAST), layer.weights[0]
        result = Tensor(layer.name, (*x.shape[:-1], kernel.shape[1]), LAST)
        bias = self._bias(layer, kernel.shape[1])
        return self._wait(layer, Product(x, result, np.asarray(kernel, np.float64), bias, {}))

    def _wait(self, layer: PlainLayer, product: Product) -> Tensor:
        self._graph.waiting[product.result.name] = product
        activation = layer.config["activation"]
        return product.result if activation == "linear" else self._apply(layer, product.result, activation)

    # What has no weights

    def _activate(self, layer: PlainLayer, x: Tensor) -> Tensor:
        return self._apply(layer, x, layer.config["activation"])

    def _apply(self, layer: PlainLayer, x: Tensor, activation: str) -> Tensor:
        """Apply an activation by its name in Keras."""
        x, name = self._graph.write(x), f"{layer.name}/{activation}"
        simple = {"relu": "Relu", "sigmoid": "Sigmoid", "hard_silu": "HardSwish"}
        if activation in simple:
            self._graph.node(simple[activation], [x.name], name)
        elif activation == "relu6":
            bounds = [self._graph.constant(f"{name}/{end}", value) for end, value in (("least", 0.0), ("most", 6.0))]
            self._graph.node("Clip", [x.name, *bounds], name)
        elif activation == "softmax":
            self._graph.node("Softmax", [x.name], name, axis=-1)
        elif activation == "silu":
            self._graph.node("Mul", [x.name, self._graph.node("Sigmoid", [x.name], f"{name}/share")], name)
        elif activation == "gelu":
            # In the form that runtimes know and compute as one.
            scaled = self._graph.node(
                "Mul", [x.name, self._graph.constant(f"{name}/narrow", _SQRT_HALF)], f"{name}/scaled"
            )
            error = self._graph.node("Erf", [scaled], f"{name}/error")
            raised = self._graph.node("Add", [error, self._graph.constant(f"{name}/one", 1.0)], f"{name}/raised")
            doubled = self._graph.node("Mul", [x.name, raised], f"{name}/doubled")
            self._graph.node("Mul", [doubled, self._graph.constant(f"{name}/half", 0.5)], name)
        elif activation != "linear":
            raise BackboneError(
                f"Expected an activation that can be written as ONNX. Received: '{layer.name}', {activation}."
            )
        else:
            return x
        return Tensor(name, x.shape, x.order)

    def _clip(self, layer: PlainLayer, x: Tensor) -> Tensor:
        if layer.config.get("negative_slope") or layer.config.get("threshold"):
            raise BackboneError(f"Expected a ReLU that is flat below zero. Received: '{layer.name}'.")
        largest = layer.config.get("max_value")
        if largest is None:
            return self._apply(layer, x, "relu")
        x = self._graph.write(x)
        bounds = [
            self._graph.constant(f"{layer.name}/{name}", value) for name, value in (("least", 0.0), ("most", largest))
        ]
        return Tensor(self._graph.node("Clip", [x.name, *bounds], layer.name), x.shape, x.order)

    def _combine(self, layer: PlainLayer, operation: str) -> Tensor:
        inputs = [self._graph.write(self._tensors[name]) for name in layer.inputs]
        order = FIRST if any(each.order == FIRST for each in inputs) else LAST
        result, *others = [self._graph.in_order(each, order) for each in inputs]
        for place, other in enumerate(others):
            shape = tuple(map(max, result.shape, other.shape))
            name = layer.name if place == len(others) - 1 else f"{layer.name}/{place}"
            result = Tensor(self._graph.node(operation, [result.name, other.name], name), shape, order)
        return result

    def _concatenate(self, layer: PlainLayer) -> Tensor:
        inputs = [self._graph.in_order(self._tensors[name], FIRST) for name in layer.inputs]
        name = self._graph.node("Concat", [each.name for each in inputs], layer.name, axis=1)
        if len(inputs[0].shape) == 2:
            # Tokens, those of one after those of the other.
            return Tensor(name, (sum(each.shape[0] for each in inputs), inputs[0].shape[1]), LAST)
        return Tensor(name, (*inputs[0].shape[:-1], sum(each.shape[-1] for each in inputs)), FIRST)

    def _pool(self, layer: PlainLayer, x: Tensor) -> Tensor:
        x = self._graph.in_order(x, FIRST)
        window, strides = _pair(layer, "pool_size"), _pair(layer, "strides")
        sides, pads = _slide(x.shape[:2], window, strides, layer.config["padding"])
        operation = "MaxPool" if layer.kind == "MaxPooling2D" else "AveragePool"
        name = self._graph.node(operation, [x.name], layer.name, kernel_shape=window, strides=strides, pads=pads)
        return Tensor(name, (*sides, x.shape[-1]), FIRST)

    def _pool_all(self, layer: PlainLayer, x: Tensor) -> Tensor:
        x = self._graph.in_order(x, FIRST)
        if layer.config.get("keepdims"):
            return Tensor(self._graph.node("GlobalAveragePool", [x.name], layer.name), (1, 1, x.shape[-1]), FIRST)
        pooled = self._graph.node("GlobalAveragePool", [x.name], f"{layer.name}/pooled")
        return Tensor(self._graph.node("Flatten", [pooled], layer.name), (x.shape[-1],), LAST)

    def _layer_norm(self, layer: PlainLayer, x: Tensor) -> Tensor:
        x = self._graph.in_order(x, LAST)
        scale, offset = (self._graph.constant(f"{layer.name}/{i}", weights) for i, weights in enumerate(layer.weights))
        epsilon = layer.config["epsilon"]
        name = self._graph.node("LayerNormalization", [x.name, scale, offset], layer.name, axis=-1, epsilon=epsilon)
        return Tensor(name, x.shape, LAST)

    def _pad(self, layer: PlainLayer, x: Tensor) -> Tensor:
        x = self._graph.in_order(x, FIRST)
        (top, bottom), (left, right) = layer.config["padding"]
        result = Tensor(layer.name, (x.shape[0] + top + bottom, x.shape[1] + left + right, x.shape[-1]), FIRST)
        user = self._users.get(layer.name)
        if self._uses[layer.name] == 1 and user and user.kind.endswith("Conv2D") and user.config["padding"] == "valid":
            self._padding[layer.name] = x, (top, left, bottom, right)
            return result
        sizes = self._graph.constant(f"{layer.name}/sizes", [0, 0, top, left, 0, 0, bottom, right], np.int64)
        self._graph.node("Pad", [x.name, sizes], layer.name)
        return result

    def _crop(self, layer: PlainLayer, x: Tensor) -> Tensor:
        x = self._graph.in_order(x, FIRST)
        (top, bottom), (left, right) = layer.config["cropping"]
        ends = (x.shape[0] - bottom, x.shape[1] - right)
        limits = {"starts": (top, left), "ends": ends, "axes": (2, 3)}
        constants = [self._graph.constant(f"{layer.name}/{name}", values, np.int64) for name, values in limits.items()]
        return Tensor(
            self._graph.node("Slice", [x.name, *constants], layer.name),
            (ends[0] - top, ends[1] - left, x.shape[-1]),
            FIRST,
        )


def _depthwise(kernel: np.ndarray) -> np.ndarray:
    """Turn a kernel (height, width, inputs, multiplier) into (inputs * multiplier, 1, height, width)."""
    height, width = kernel.shape[:2]
    return kernel.reshape(height, width, 1, -1).transpose(3, 2, 0, 1)


def _pair(layer: PlainLayer, name: str) -> list[int]:
    return [int(each) for each in layer.config.get(name, (1, 1))]


def _slide(
    sides: Sequence[int], window: Sequence[int], strides: Sequence[int], padding: str
) -> tuple[tuple[int, int], list[int]]:
    """Return the height and width that a window slid over `sides` leaves, and the padding: top, left, bottom, right.

    What "same" pads is TensorFlow's: as much as is needed, the odd one at the bottom and the right.
    """
    if padding == "valid":
        height, width = ((side - size) // step + 1 for side, size, step in zip(sides, window, strides, strict=True))
        return (height, width), [0, 0, 0, 0]
    results = [-(-side // step) for side, step in zip(sides, strides, strict=True)]
    missing = [
        max((result - 1) * step + size - side, 0)
        for result, step, size, side in zip(results, strides, window, sides, strict=True)
    ]
    before = [each // 2 for each in missing]
    return (results[0], results[1]), [*before, *(each - half for each, half in zip(missing, before, strict=True))]
