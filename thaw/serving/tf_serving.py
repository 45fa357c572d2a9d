"""TensorFlow Serving's REST shape: what its predict requests hold, and how its answers are written.

The shape is that of its guide "RESTful API"; this service adds that an instance may be an encoded picture.
"""

import json
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from thaw.serving.engine import SIGNATURE, Engine
from thaw.serving.limits import Refused
from thaw.serving.requests import decode_text

VERSION = "1"
INPUT = "image"
_SPARE_MARKS = 20

Picture = np.ndarray | bytes


@dataclass(frozen=True)
class PredictRequest:
    """The pictures of a predict request, in order: uint8 pixels, or the bytes of a picture file; and its format."""

    pictures: Sequence[Picture]
    by_row: bool


def read_question(body: bytes | bytearray, image_size: int, most: int) -> PredictRequest:
    """Read a predict request, in row format ("instances") or column format ("inputs").

    Raises Refused (400) for what is no such request, for another shape than (n, image_size, image_size, 3), for values
    that are no whole numbers from 0 to 255, for no picture and for more than `most`.
    """
    _check_marks(body, image_size, most)
    asked = _read_object(body)
    signature = asked.get("signature_name", SIGNATURE)
    if signature != SIGNATURE:
        raise _bad(f"the signature {SIGNATURE!r}", reprlib.repr(signature), "Leave signature_name out.")
    if ("instances" in asked) == ("inputs" in asked):
        received = "both" if "instances" in asked else f"the keys {reprlib.repr(list(asked))}"
        raise _bad('one of "instances" and "inputs"', received, 'Send {"instances": [picture, ...]}.')
    by_row = "instances" in asked
    pictures = asked["instances"] if by_row else _unname(asked["inputs"])
    if not isinstance(pictures, list) or not pictures:
        raise _bad("a list of at least one picture", reprlib.repr(pictures), "Put each picture into the list.")
    if len(pictures) > most:
        raise _bad(f"at most {most} pictures in a request", str(len(pictures)), "Send them in several requests.")
    return PredictRequest([_read_picture(_unname(picture), image_size) for picture in pictures], by_row)


def write_answer(engine: Engine, rows: Sequence[np.ndarray], by_row: bool) -> dict[str, Any]:
    """Return the answer to a predict request for the network's rows, in the format in which it was asked."""
    said = [engine.give_outputs(row) for row in rows]
    if by_row:
        return {"predictions": said}
    return {"outputs": {name: [each[name] for each in said] for name in engine.outputs}}


def describe_status() -> dict[str, Any]:
    """Return the model's status: one version, ready."""
    status = {"error_code": "OK", "error_message": ""}
    return {"model_version_status": [{"version": VERSION, "state": "AVAILABLE", "status": status}]}


def describe_signature(name: str, engine: Engine) -> dict[str, Any]:
    """Return the model's metadata: the one signature with its input and outputs."""
    side = engine.image_size
    inputs = {INPUT: _describe_tensor("DT_UINT8", -1, side, side, 3)}
    outputs = {name: _describe_tensor(kind, *sizes) for name, (kind, sizes) in engine.outputs.items()}
    signature = {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
    return {
        "model_spec": {"name": name, "signature_name": "", "version": VERSION},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: signature}}},
    }


def _describe_tensor(kind: str, *sizes: int) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in sizes]
    return {"dtype": kind, "tensor_shape": {"dim": dimensions, "unknown_rank": False}}


def _check_marks(body: bytes | bytearray, image_size: int, most: int) -> None:
    """Refuse what holds more lists, objects or values than any question, before it is unpacked: two bytes of JSON can
    take thirty times as much."""
    pixels = image_size * image_size
    for mark, a_picture in ((b"[", pixels + image_size + 2), (b"{", 2), (b",", 3 * pixels + image_size + 2)):
        count = body.count(mark)
        if count > most * a_picture + _SPARE_MARKS:
            wanted = f"at most {most} pictures of {image_size} x {image_size} pixels"
            raise _bad(wanted, f"a body with {count:,} of {mark.decode()!r}", "Send them in several requests.")


def _read_object(body: bytes | bytearray) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise _bad("a body in JSON", f"something else ({problem})", 'Send {"instances": [picture, ...]}.') from problem
    if not isinstance(asked, dict):
        raise _bad("a JSON object", reprlib.repr(asked), 'Send {"instances": [picture, ...]}.')
    return asked


def _unname(value: Any) -> Any:
    """Return what stands under the input's name, where it stands there: with one input, the name may be left out."""
    return value[INPUT] if isinstance(value, dict) and set(value) == {INPUT} else value


def _read_picture(picture: Any, image_size: int) -> Picture:
    if isinstance(picture, dict):
        return _read_encoded(picture)
    wanted = f"pixels in the shape ({image_size}, {image_size}, 3)"
    advice = 'Scale the picture to that size, RGB, or send its file as {"b64": "..."}.'
    try:
        rows_fit = len(picture) == image_size and set(map(len, picture)) == {image_size}
        if isinstance(picture, str) or not rows_fit or set(map(len, chain.from_iterable(picture))) != {3}:
            raise _bad(wanted, f"the shape {_shape(picture)}", advice)
        values = bytes(list(chain.from_iterable(chain.from_iterable(picture))))
    except TypeError as problem:
        raise _bad(f"{wanted}, whole numbers", f"the shape {_shape(picture)}, or other values", advice) from problem
    except ValueError as problem:
        raise _bad("values from 0 to 255", "others", "Do not scale the values; the model does.") from problem
    return np.frombuffer(values, np.uint8).reshape(image_size, image_size, 3)


def _read_encoded(picture: dict[str, Any]) -> bytes:
    encoded = picture.get("b64")
    if set(picture) != {"b64"}:
        raise _bad('{"b64": "..."}', f"the keys {reprlib.repr(list(picture))}", "Name nothing else in it.")
    if not isinstance(encoded, str):
        raise _bad(
            'text in base64 as "b64"', f"a value of type {type(encoded).__name__}", "Send the file's bytes in base64."
        )
    return decode_text(encoded)


def _shape(value: Any) -> tuple[int, ...]:
    """Return the shape that the first entries of nested lists tell."""
    sizes: list[int] = []
    while isinstance(value, list) and len(sizes) < 6:
        sizes.append(len(value))
        value = value[0] if value else None
    return tuple(sizes)


def _bad(expected: str, received: str, advice: str) -> Refused:
    return Refused(400, expected, received, advice)
