"""Writes into a LiteRT file what its tensors are: their names, the labels, how pixels are scaled.

The format is TensorFlow Lite Metadata, the schema "M001" of github.com/tensorflow/tflite-support (metadata_schema.fbs):
a buffer inside the model, and behind the model a zip of the files that the buffer names.
"""

import io
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tlcore.exporting.formats import explain_answer

BUFFER, MODEL_IDENTIFIER, IDENTIFIER, OLDEST_PARSER = b"TFLITE_METADATA", b"TFL3", b"M001", "1.0.0"
LABELS = "labels.txt"
OUTPUTS = ("probabilities", "answer")
"""The order of the outputs: programs that look at the first alone find the probabilities."""
FOUND = ("boxes", "scores")
"""The order of a detector's outputs."""
_SCALING = "Mean 0 and deviation 1: scaling is inside the model."
_IMAGE = f"Photos as RGB pixels, 0 to 255, stretched to the square. {_SCALING}"
_FITTED = f"Photos as RGB pixels, 0 to 255, fitted into the square, grey (114) beside them. {_SCALING}"
_PROBABILITIES = f"How likely each class is, in the order of {LABELS}."
_BOXES = "Left, upper, right and lower edge at every place, in pixels of the square; not suppressed."
_SCORES = f"How sure each kind is at every place, in the order of {LABELS}."


class _Scalar(NamedTuple):
    """A number in a table, and its type in flatbuffers' words."""

    kind: str
    value: float


def describe(content: bytes, labels: Sequence[str], threshold: float) -> bytes:
    """Return a model's file with metadata, its tensors named as in its signature and its outputs in `OUTPUTS`' order,
    those of a detector in that of `FOUND`.

    `threshold` is the probability, 0..1, below which `answer` is -1. A label's line breaks become blanks.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    places = {each.name.decode(): each.tensorIndex for each in (*signature.inputs, *signature.outputs)}
    for name, place in places.items():
        graph.tensors[place].name = name
    finds, side = FOUND[0] in places, int(graph.tensors[places["image"]].shape[1])
    graph.outputs = [places[name] for name in (FOUND if finds else OUTPUTS)]
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = write_detector_metadata(side) if finds else write_metadata(side, threshold)
    entry.name, entry.buffer = BUFFER, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), MODEL_IDENTIFIER)
    packed = io.BytesIO(builder.Output())
    with zipfile.ZipFile(packed, "a") as archive:
        lines = "".join(f"{' '.join(label.splitlines())}\n" for label in labels)
        archive.writestr(zipfile.ZipInfo(LABELS), lines)
    return packed.getvalue()


def fix_batch(content: bytes) -> tuple[bytes, int]:
    """Return a model's file as one that takes a single image at a time, and the side of that image in pixels.

    LiteRT.js takes no number of images that is open.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            # What is open in it is 1 in `shape`.
            tensor.shapeSignature = None
    graph = model.subgraphs[0]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), MODEL_IDENTIFIER)
    return bytes(builder.Output()), int(graph.tensors[graph.inputs[0]].shape[1])


def write_metadata(side: int, threshold: float) -> bytes:
    """Return the metadata of a classifier of images of `side` pixels with the outputs `OUTPUTS`.

    Tables are written as {number of the field: value}. Where a field is a union, the number before it has its kind.
    """
    probabilities = {0: OUTPUTS[0], 1: _PROBABILITIES, 3: _feature(), 6: [_labels()]}
    if threshold:
        probabilities[4] = [{0: _Scalar("Uint8", 3), 1: {0: _Scalar("Float32", threshold)}}]
    answer = {0: OUTPUTS[1], 1: explain_answer(threshold, LABELS), 3: _feature()}
    return _write("classifier", "An image classifier, exported by Thaw.", _image(side, _IMAGE), [probabilities, answer])


def write_detector_metadata(side: int) -> bytes:
    """Return the metadata of a detector of objects on images of `side` pixels with the outputs `FOUND`."""
    boxes = {0: FOUND[0], 1: _BOXES, 3: _feature()}
    scores = {0: FOUND[1], 1: _SCORES, 3: _feature(), 6: [_labels()]}
    return _write("detector", "A detector of objects, exported by Thaw.", _image(side, _FITTED), [boxes, scores])


def _image(side: int, words: str) -> dict[int, Any]:
    scaling = {0: [0.0], 1: [1.0]}
    square = {0: _Scalar("Uint32", side), 1: _Scalar("Uint32", side)}
    picture = {0: _Scalar("Uint8", 2), 1: {0: _Scalar("Int8", 1), 1: square}}
    return {0: "image", 1: words, 3: picture, 4: [{0: _Scalar("Uint8", 1), 1: scaling}]}


def _feature() -> dict[int, Any]:
    return {0: _Scalar("Uint8", 1), 1: {}}


def _labels() -> dict[int, Any]:
    return {0: LABELS, 1: "The names of the classes, one a line.", 2: _Scalar("Int8", 2)}


def _write(name: str, words: str, image: dict[int, Any], outputs: list[dict[int, Any]]) -> bytes:
    graph = {2: [image], 3: outputs}
    builder = flatbuffers.Builder(1024)
    root = {0: name, 1: words, 3: [graph], 7: OLDEST_PARSER}
    builder.Finish(_place(builder, root), IDENTIFIER)
    return bytes(builder.Output())


def _place(builder: flatbuffers.Builder, value: Any) -> int:
    """Write a text, a vector or a table with all that it holds; return where it lies."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, dict):
        return _place_table(builder, value)
    are_numbers = all(isinstance(each, float) for each in value)
    items = value if are_numbers else [_place(builder, each) for each in value]
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        (builder.PrependFloat32 if are_numbers else builder.PrependUOffsetTRelative)(item)
    return builder.EndVector()


def _place_table(builder: flatbuffers.Builder, fields: dict[int, Any]) -> int:
    # What a table refers to must lie in the buffer before it.
    placed = {
        number: value if isinstance(value, _Scalar) else _place(builder, value) for number, value in fields.items()
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for number, value in placed.items():
        if isinstance(value, _Scalar):
            getattr(builder, f"Prepend{value.kind}Slot")(number, value.value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(number, value, 0)
    return builder.EndObject()
