"""Suppression inside a SavedModel and an ONNX file: the boxes that the reference in NumPy keeps, in its order."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tlcore.detection.suppression import suppress
from tlcore.exporting.suppression import NOTHING, Rule, read_rule, suppress_graph, suppress_tensors

FLOAT = TensorProto.FLOAT


def draw(chance, images, places, kinds):
    """Return boxes that lie over each other here and there, and scores of which some are too low."""
    middles, sizes = chance.uniform(0, 100, (images, places, 2)), chance.uniform(2, 40, (images, places, 2))
    boxes = np.concatenate([middles - sizes / 2, middles + sizes / 2], axis=-1)
    return boxes.astype(np.float32), chance.uniform(0, 1, (images, places, kinds)).astype(np.float32) ** 3


def by_tensorflow(boxes, scores, rule, folder):
    return {name: np.asarray(each) for name, each in suppress_tensors({"boxes": boxes, "scores": scores}, rule).items()}


def by_onnx(boxes, scores, rule, folder):
    """Run a file that gives what goes into it, once it has suppression inside."""
    shapes = {name: ["images", *array.shape[1:]] for name, array in (("boxes", boxes), ("scores", scores))}
    nodes = [helper.make_node("Identity", [f"{name}_in"], [name]) for name in shapes]
    inputs = [helper.make_tensor_value_info(f"{name}_in", FLOAT, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "places", inputs, outputs)
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save_model(made, str(folder / "places.onnx"))
    suppress_graph(folder / "places.onnx", rule)
    session = onnxruntime.InferenceSession(str(folder / "places.onnx"), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"boxes_in": boxes, "scores_in": scores}), strict=True))


@pytest.mark.parametrize("run", [by_tensorflow, by_onnx])
@pytest.mark.parametrize(("places", "most"), [(200, 300), (200, 20), (8, 30)])
def test_what_is_left_is_what_the_reference_leaves(tmp_path, run, places, most):
    boxes, scores = draw(np.random.default_rng(places + most), 3, places, 2)
    scores[1] = 0.01
    rule = Rule(0.05, 0.6, most)
    said = run(boxes, scores, rule, tmp_path)
    assert {name: array.shape for name, array in said.items()} == {
        "boxes": (3, most, 4),
        "scores": (3, most),
        "classes": (3, most),
        "count": (3,),
    }
    assert said["classes"].dtype == said["count"].dtype == np.int32
    for place in range(3):
        edges, values, kinds = suppress(boxes[place], scores[place], 0.05, 0.6, most)
        count = said["count"][place]
        assert count == len(values)
        np.testing.assert_array_equal(said["boxes"][place, :count], edges)
        np.testing.assert_array_equal(said["scores"][place, :count], values)
        np.testing.assert_array_equal(said["classes"][place, :count], kinds)
        assert (said["classes"][place, count:] == NOTHING).all()
        assert not said["boxes"][place, count:].any()
        assert not said["scores"][place, count:].any()
    assert said["count"][1] == 0, "nothing is found where nothing is seen"
    assert said["count"][0] < 2 * places


def test_a_rule_is_read_from_the_words_that_it_gives():
    rule = Rule(0.05, 0.6, 300)
    assert read_rule(rule.words) == rule
