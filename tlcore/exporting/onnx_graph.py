"""What a TensorFlow graph needs before tf2onnx understands all of it (ConvNeXt's has both of these)."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.core.protobuf import saved_model_pb2

GRAPH_FILE = "saved_model.pb"
COMPILED = "_XlaMustCompile"


def write_uncompiled(source: Path, target: Path) -> Path:
    """Copy a SavedModel without the marks that keep functions apart for XLA; return `target`.

    Keras has XLA compile a convolution in groups, and a function so marked is never laid into the graph around it.
    """
    saved = saved_model_pb2.SavedModel.FromString((source / GRAPH_FILE).read_bytes())
    for graph in saved.meta_graphs:
        for function in graph.graph_def.library.function:
            for owner in (function, *function.node_def):
                owner.attr.pop(COMPILED, None)
    shutil.copytree(source, target)
    (target / GRAPH_FILE).write_bytes(saved.SerializeToString())
    return target


def write_erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """Replace the complementary error function (in GELU), which ONNX does not have, by one less the error function."""
    shapes, dtypes = [graph.get_shape(node.output[0])], [graph.get_dtype(node.output[0])]
    one = graph.make_const(f"{name}/one", np.float32(1))
    graph.remove_node(name)
    erf = graph.make_node("Erf", node.input, shapes=shapes, dtypes=dtypes)
    graph.make_node("Sub", [one.output[0], erf.output[0]], name=name, outputs=node.output, shapes=shapes, dtypes=dtypes)
