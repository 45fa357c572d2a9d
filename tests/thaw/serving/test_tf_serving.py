"""TensorFlow Serving's REST shape, checked against what its guide says of requests and answers."""

import base64
import json

import numpy as np
import pytest

from thaw.serving import tf_serving
from thaw.serving.engine import ClassifierEngine
from thaw.serving.limits import Refused

SIDE, MOST = 6, 4
PIXELS = np.random.default_rng(5).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
FILE = b"\xff\xd8 not looked at here"


def read(asked):
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    return tf_serving.read_question(body, SIDE, MOST)


def engine(threshold=0.0):
    return ClassifierEngine("run-1", ["cat", "dog", "owl"], SIDE, threshold, lambda pixels: pixels)


@pytest.mark.parametrize(
    ("asked", "by_row"),
    [
        ({"instances": PIXELS.tolist()}, True),
        ({"instances": [{"image": picture} for picture in PIXELS.tolist()]}, True),
        ({"signature_name": "serving_default", "instances": PIXELS.tolist()}, True),
        ({"inputs": PIXELS.tolist()}, False),
        ({"inputs": {"image": PIXELS.tolist()}}, False),
    ],
)
def test_pixels_come_by_row_and_by_column_with_and_without_the_inputs_name(asked, by_row):
    question = read(asked)
    assert question.by_row == by_row
    np.testing.assert_array_equal(np.stack(question.pictures), PIXELS)
    assert question.pictures[0].dtype == np.uint8


def test_an_instance_may_be_an_encoded_picture_beside_pixels():
    encoded = {"b64": base64.b64encode(FILE).decode()}
    for instance in (encoded, {"image": encoded}):
        one, other = read({"instances": [instance, PIXELS[0].tolist()]}).pictures
        assert one == FILE
        np.testing.assert_array_equal(other, PIXELS[0])


def changed(place, value):
    picture = PIXELS[0].tolist()
    picture[2][3][place] = value
    return {"instances": [picture]}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (b"", "a body in JSON"),
        (b"{", "a body in JSON"),
        (b"\xff\xfe", "a body in JSON"),
        (b"[" * 100_000, "Received: a body with 100,000 of '\\['"),
        (b'{"instances": [' + b"{}," * 50 + b"{}]}", "Received: a body with 52 of '{'"),
        (b'{"instances": [' + b"0," * 5000 + b"0]}", "Received: a body with 5,000 of ','"),
        (b"[" * 190, "a body in JSON"),
        (b'{"instances": [' + b"9" * 5000 + b"]}", "a body in JSON"),
        ([1], "a JSON object"),
        ({}, 'one of "instances" and "inputs"'),
        ({"instances": [], "inputs": []}, "Received: both"),
        ({"instances": []}, "at least one picture"),
        ({"inputs": {"image": []}}, "at least one picture"),
        ({"instances": "picture"}, "at least one picture"),
        ({"inputs": {"picture": [1]}}, "at least one picture"),
        ({"instances": [1, 2]}, r"shape \(6, 6, 3\)"),
        ({"instances": [None]}, r"shape \(6, 6, 3\)"),
        ({"instances": ["x" * SIDE]}, r"shape \(6, 6, 3\)"),
        ({"instances": PIXELS[0].tolist()[:4]}, r"Received: the shape \(6, 3\)"),
        ({"instances": PIXELS[:, :5].tolist()}, r"Received: the shape \(5, 6, 3\)"),
        ({"instances": PIXELS[:, :, :, :2].tolist()}, r"Received: the shape \(6, 6, 2\)"),
        ({"instances": [[*PIXELS[0].tolist()[:5], [[1, 2, 3]]]]}, r"shape \(6, 6, 3\)"),
        ({"instances": [["cat"] * SIDE]}, r"shape \(6, 6, 3\)"),
        ({"instances": [[[{"a": 1, "b": 2, "c": 3}] + [[0] * 3] * (SIDE - 1)] * SIDE]}, "whole numbers"),
        (changed(0, 0.5), "whole numbers"),
        (changed(1, "7"), "whole numbers"),
        (changed(1, None), "whole numbers"),
        (changed(2, [1]), "whole numbers"),
        (changed(0, 256), "from 0 to 255"),
        (changed(0, -1), "from 0 to 255"),
        (changed(0, 10**400), "from 0 to 255"),
        (changed(0, -(10**400)), "from 0 to 255"),
        (changed(0, float("nan")), "whole numbers"),
        (changed(0, float("inf")), "whole numbers"),
        ({"instances": 10**400}, "at least one picture"),
        ({"instances": [10**400]}, r"shape \(6, 6, 3\)"),
        ({"signature_name": 10**400, "instances": []}, "serving_default"),
        ({"instances": [PIXELS[0].tolist()] * (MOST + 1)}, "at most 4 pictures"),
        ({"instances": [{"b64": "not base64!"}]}, "base64"),
        ({"instances": [{"b64": "äöü"}]}, "base64"),
        ({"instances": [{"b64": 7}]}, "text in base64 .* Received: a value of type int"),
        ({"instances": [{"b64": 10**400}]}, "text in base64 .* Received: a value of type int"),
        ({"instances": [{"b64": "aaaa", "more": 1}]}, "b64"),
        ({"instances": [{}]}, "b64"),
        (b'{"signature_name": ' + b"[" * 150 + b"]" * 150 + b"}", "serving_default"),
        ({"signature_name": "classify", "instances": PIXELS.tolist()}, "serving_default"),
    ],
)
def test_what_is_no_question_is_refused_with_its_reason(asked, reason):
    with pytest.raises(Refused, match=reason) as refused:
        read(asked)
    assert refused.value.status == 400
    assert "Received: " in str(refused.value)
    assert len(str(refused.value)) < 500


def test_answers_are_objects_by_row_and_lists_by_column():
    shares = np.array([[0.2, 0.5, 0.3], [0.25, 0.35, 0.4]], np.float32)
    rows = tf_serving.write_answer(engine(), shares, by_row=True)["predictions"]
    assert [row["answer"] for row in rows] == [1, 2]
    assert rows[0]["class_names"] == ["cat", "dog", "owl"]
    assert rows[1]["probabilities"] == pytest.approx([0.25, 0.35, 0.4])
    columns = tf_serving.write_answer(engine(), shares, by_row=False)["outputs"]
    assert columns == {name: [row[name] for row in rows] for name in rows[0]}
    assert tf_serving.write_answer(engine(0.45), shares, by_row=False)["outputs"]["answer"] == [1, -1]


def test_the_signature_is_described_as_the_exported_model_has_it():
    described = tf_serving.describe_signature("birds", engine())
    assert described["model_spec"]["name"] == "birds"
    signature = described["metadata"]["signature_def"]["signature_def"]["serving_default"]
    sizes = {
        name: (tensor["dtype"], [size["size"] for size in tensor["tensor_shape"]["dim"]])
        for name, tensor in (signature["inputs"] | signature["outputs"]).items()
    }
    assert sizes == {
        "image": ("DT_UINT8", ["-1", "6", "6", "3"]),
        "probabilities": ("DT_FLOAT", ["-1", "3"]),
        "answer": ("DT_INT32", ["-1"]),
        "class_names": ("DT_STRING", ["-1", "3"]),
    }
