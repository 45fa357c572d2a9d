"""Puts non-maximum suppression into the files of a detector whose format has it: a SavedModel and an ONNX file.

Both then give the same, with k for the most that a rule keeps: `boxes`, float32 (n, k, 4), left, upper, right and lower
edges in pixels of the square, and `scores`, float32 (n, k), the surest first; `classes`, int32 (n, k), -1 where there
is nothing more; `count`, int32 (n,), how many of the k were found.
"""

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

NOTHING = -1
"""The number in `classes` behind the last box that was found."""


@dataclass(frozen=True)
class Rule:
    """Of each kind, boxes over `least_score` are kept from the surest on, unless they lie over a kept one with an IoU
    above `most_overlap`; of all kinds together the `most` surest."""

    least_score: float
    most_overlap: float
    most: int

    @property
    def words(self) -> list[str]:
        """Return it as arguments of a command line."""
        return [repr(value) for value in astuple(self)]


def read_rule(words: list[str]) -> Rule:
    """Return the rule of the arguments `Rule.words`."""
    least_score, most_overlap, most = words
    return Rule(float(least_score), float(most_overlap), int(most))


def suppress_tensors(outputs: dict[str, Any], rule: Rule) -> dict[str, Any]:
    """Return the outputs above for TensorFlow's `boxes` (n, places, 4) and `scores` (n, places, kinds)."""
    import tensorflow as tf

    boxes, scores = outputs["boxes"], outputs["scores"]
    most = rule.most
    # It asks for upper before left, but takes an edge and its opposite whichever comes first.
    kept, values, kinds, count = tf.image.combined_non_max_suppression(
        boxes[:, :, None], scores, most, most, rule.most_overlap, rule.least_score, clip_boxes=False
    )
    found = tf.range(most)[None] < count[:, None]
    classes = tf.where(found, tf.cast(kinds, tf.int32), NOTHING)
    return {"boxes": kept, "scores": values, "classes": classes, "count": count}


def suppress_graph(path: Path, rule: Rule) -> None:
    """Have an ONNX file that gives `boxes` (n, places, 4) and `scores` (n, places, kinds) give the outputs above."""
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    told = {each.name: [size.dim_value or size.dim_param for size in _sizes(each)] for each in graph.output}
    images, places, kinds = told["scores"]
    for name in ("boxes", "scores"):
        _rename(graph, name, f"every/{name}")

    def add(operator: str, inputs: list[str], outputs: str, **attributes: Any) -> str:
        graph.node.append(onnx.helper.make_node(operator, inputs, [outputs], outputs, **attributes))
        return outputs

    def hold(name: str, value: Any, dtype: Any) -> str:
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, dtype), f"rule/{name}"))
        return f"rule/{name}"

    # 1. Which are kept: what they score, at their places among zeros.
    by_kind = add("Transpose", ["every/scores"], "kept/by_kind", perm=[0, 2, 1])
    limits = [hold("most", [rule.most], np.int64), hold("overlap", [rule.most_overlap], np.float32)]
    limits.append(hold("least", [rule.least_score], np.float32))
    chosen = add("NonMaxSuppression", ["every/boxes", by_kind, *limits], "kept/chosen")
    zeros = add("ConstantOfShape", [add("Shape", [by_kind], "kept/shape")], "kept/zeros")
    kept = add("ScatterND", [zeros, chosen, add("GatherND", [by_kind, chosen], "kept/chosen_scores")], "kept/scores")
    # 2. The surest of all kinds, in that order.
    flat = add("Reshape", [kept, hold("flat", [0, -1], np.int64)], "kept/flat")
    if places * kinds < rule.most:
        lacking = hold("lacking", [0, 0, 0, rule.most - places * kinds], np.int64)
        flat = add("Pad", [flat, lacking], "kept/padded")
    top = onnx.helper.make_node("TopK", [flat, limits[0]], ["scores", "kept/numbers"], "kept/top", axis=1)
    graph.node.append(top)
    across = hold("places", places, np.int64)
    kind = add("Cast", [add("Div", ["kept/numbers", across], "kept/kinds")], "kept/kind", to=onnx.TensorProto.INT32)
    place = add(
        "Unsqueeze", [add("Mod", ["kept/numbers", across], "kept/place"), hold("last", [2], np.int64)], "kept/at"
    )
    found = add("Greater", ["scores", hold("zero", 0, np.float32)], "kept/found")
    # 3. What is told of them.
    add("Where", [found, kind, hold("nothing", NOTHING, np.int32)], "classes")
    boxes = add("GatherND", ["every/boxes", place], "kept/boxes", batch_dims=1)
    each = add("Unsqueeze", [found, "rule/last"], "kept/each")
    add("Where", [each, boxes, "rule/zero"], "boxes")
    ones = add("Cast", [found], "kept/ones", to=onnx.TensorProto.INT32)
    add("ReduceSum", [ones, hold("along", [1], np.int64)], "count", keepdims=0)
    del graph.output[:]
    for name, kind_of, shape in (
        ("boxes", onnx.TensorProto.FLOAT, [images, rule.most, 4]),
        ("scores", onnx.TensorProto.FLOAT, [images, rule.most]),
        ("classes", onnx.TensorProto.INT32, [images, rule.most]),
        ("count", onnx.TensorProto.INT32, [images]),
    ):
        graph.output.append(onnx.helper.make_tensor_value_info(name, kind_of, shape))
    onnx.checker.check_model(model)
    onnx.save_model(model, str(path))


def _sizes(output: Any) -> Any:
    return output.type.tensor_type.shape.dim


def _rename(graph: Any, name: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if each == name else each for each in names]
