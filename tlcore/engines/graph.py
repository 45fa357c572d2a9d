"""An ONNX graph as it is written: nodes, the order of axes of tensors, and products into which scales are folded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

FIRST, LAST = "channels first", "channels last"


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph: its name; the height, width and channels of an image, the number and the width of tokens,
    or the channels alone; its order. What is no image has its channels last."""

    name: str
    shape: tuple[int, ...]
    order: str


@dataclass
class Product:
    """A convolution (kernel: outputs, inputs, height, width) or a dense layer (inputs, outputs) that is not written
    yet: what scales its outputs can still be folded in."""

    source: Tensor
    result: Tensor
    kernel: np.ndarray
    bias: np.ndarray
    attributes: dict[str, Any]

    def scale(self, scale: np.ndarray, offset: np.ndarray) -> None:
        """Multiply and add to each channel of the outputs."""
        along = (-1, 1, 1, 1) if self.kernel.ndim == 4 else (1, -1)
        self.kernel = self.kernel * scale.reshape(along)
        self.bias = self.bias * scale + offset


class Graph:
    """Nodes and constants in the order in which they were written; a product is written when its result is wanted."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.waiting: dict[str, Product] = {}
        self._turned: dict[str, Tensor] = {}

    def node(self, operation: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Write a node with one output, called `name`, and return that name."""
        self.nodes.append(helper.make_node(operation, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """Write a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.array(values, dtype, order="C"), name))
        return name

    def write(self, tensor: Tensor) -> Tensor:
        """Write down what makes a tensor, if that still waits; return the tensor."""
        product = self.waiting.pop(tensor.name, None)
        if product:
            constants = [
                self.constant(f"{tensor.name}/kernel", product.kernel),
                self.constant(f"{tensor.name}/bias", product.bias),
            ]
            if product.kernel.ndim == 4:
                self.node("Conv", [product.source.name, *constants], tensor.name, **product.attributes)
            else:
                result = self.node("MatMul", [product.source.name, constants[0]], f"{tensor.name}/product")
                self.node("Add", [result, constants[1]], tensor.name)
        return tensor

    def in_order(self, tensor: Tensor, order: str) -> Tensor:
        """Return a tensor with its channels first or last; one that is no image has but one order."""
        self.write(tensor)
        if tensor.order == order or len(tensor.shape) != 3:
            return tensor
        if tensor.name not in self._turned:
            perm = [0, 3, 1, 2] if order == FIRST else [0, 2, 3, 1]
            turned = self.node("Transpose", [tensor.name], f"{tensor.name}/turned", perm=perm)
            self._turned[tensor.name] = Tensor(turned, tensor.shape, order)
        return self._turned[tensor.name]
