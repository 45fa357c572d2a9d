"""What a LiteRT file says of itself: names, labels, scaling, the meaning of `answer`; and that it answers as before."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from flatbuffers import number_types

from tests.support.models.tiny_export import LABELS, SIDE, write_tiny_export
from tlcore.exporting.converters import CONVERTERS
from tlcore.exporting.formats import LITERT
from tlcore.exporting.litert_metadata import BUFFER, IDENTIFIER, describe, write_detector_metadata

THRESHOLD = 0.5
READERS = ("tflite-support==0.4.4", "libusb-package==1.0.30.0", "numpy<2")
READ = """
import sys
from tflite_support import metadata
shown = metadata.MetadataDisplayer.with_model_file(sys.argv[1])
print(shown.get_metadata_json())
print("LABELS", ascii(shown.get_associated_file_buffer("labels.txt").decode()))
"""


class Table:
    """Reads a table of a flatbuffer by the numbers of its fields, as the schema counts them."""

    def __init__(self, content: bytes, place: int | None = None):
        start = flatbuffers.encode.Get(flatbuffers.packer.uoffset, content, 0) if place is None else place
        self._table = flatbuffers.table.Table(content, start)

    def _at(self, number: int) -> int:
        offset = self._table.Offset(4 + 2 * number)
        assert offset, f"there is no field {number}"
        return offset + self._table.Pos

    def text(self, number: int) -> str:
        return self._table.String(self._at(number)).decode()

    def number(self, number: int, kind=number_types.Uint8Flags) -> float:
        return self._table.Get(kind, self._at(number))

    def table(self, number: int) -> "Table":
        return Table(self._table.Bytes, self._table.Indirect(self._at(number)))

    def tables(self, number: int) -> list["Table"]:
        offset = self._at(number) - self._table.Pos
        start = self._table.Vector(offset)
        places = range(start, start + 4 * self._table.VectorLen(offset), 4)
        return [Table(self._table.Bytes, self._table.Indirect(place)) for place in places]

    def floats(self, number: int) -> list[float]:
        offset = self._at(number) - self._table.Pos
        return self._table.GetVectorAsNumpy(number_types.Float32Flags, offset).tolist()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A SavedModel to convert; it answers by a picture's mean colour."""
    folder = tmp_path_factory.mktemp("tiny") / "export"
    folder.mkdir()
    write_tiny_export(folder, THRESHOLD)
    return folder.with_name("export-bare")


@pytest.fixture(scope="module", params=LITERT)
def files(request, bare):
    """The file of a format as the converter leaves it, and with its metadata."""
    target = bare.with_name(f"{request.param}.tflite")
    colours = np.random.default_rng(0).integers(0, 256, (20, 1, 1, 3), dtype=np.uint8)
    CONVERTERS[request.param](bare, target, np.tile(colours, (1, SIDE, SIDE, 1)))
    content = target.read_bytes()
    return content, describe(content, [*LABELS[:2], "two\nlines"], THRESHOLD)


def test_it_answers_as_before_and_calls_everything_by_its_name(files):
    batch = np.random.default_rng(1).integers(0, 256, (4, SIDE, SIDE, 3), dtype=np.uint8)
    plain, described = (Interpreter(model_content=content) for content in files)
    assert [each["name"] for each in described.get_input_details()] == ["image"]
    assert [each["name"] for each in described.get_output_details()] == ["probabilities", "answer"]
    before, now = (each.get_signature_runner("serving_default")(image=batch) for each in (plain, described))
    for name in ("probabilities", "answer"):
        np.testing.assert_array_equal(now[name], before[name])


def test_the_outputs_of_a_plain_interpreter_are_in_the_order_of_their_names(files):
    interpreter = Interpreter(model_content=files[1])
    interpreter.allocate_tensors()
    red = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    red[..., 0] = 255
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], red)
    interpreter.invoke()
    probabilities, answer = (interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details())
    assert probabilities.shape == (1, len(LABELS))
    assert probabilities[0, 0] > 0.9
    assert answer.tolist() == [0]


def test_the_labels_lie_in_it_one_a_line(files):
    with zipfile.ZipFile(io.BytesIO(files[1])) as archive:
        assert archive.namelist() == ["labels.txt"]
        assert archive.getinfo("labels.txt").compress_type == zipfile.ZIP_STORED
        assert archive.read("labels.txt").decode().splitlines() == [*LABELS[:2], "two lines"]


def read_metadata(content: bytes) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (place,) = [each.buffer for each in model.metadata if each.name == BUFFER]
    return bytes(model.buffers[place].data)


def test_the_metadata_tell_the_scaling_the_labels_and_what_answer_means(files):
    metadata = read_metadata(files[1])
    assert metadata[4:8] == IDENTIFIER
    (graph,) = Table(metadata).tables(3)
    (image,) = graph.tables(2)
    assert image.text(0) == "image"
    (scaling,) = (unit.table(1) for unit in image.tables(4))
    assert (scaling.floats(0), scaling.floats(1)) == ([0.0], [1.0])
    size = image.table(3).table(1).table(1)
    assert [size.number(field, number_types.Uint32Flags) for field in (0, 1)] == [SIDE, SIDE]
    probabilities, answer = graph.tables(3)
    assert (probabilities.text(0), answer.text(0)) == ("probabilities", "answer")
    assert [file.text(0) for file in probabilities.tables(6)] == ["labels.txt"]
    assert probabilities.tables(4)[0].table(1).number(0, number_types.Float32Flags) == THRESHOLD
    for words in ("place in labels.txt", "counted from 0", "-1", "I don't know", "below 50%"):
        assert words in answer.text(1)


def test_a_detector_tells_its_boxes_and_that_they_are_not_suppressed():
    (graph,) = Table(write_detector_metadata(320)).tables(3)
    (image,) = graph.tables(2)
    assert "fitted into the square" in image.text(1)
    boxes, scores = graph.tables(3)
    assert (boxes.text(0), scores.text(0)) == ("boxes", "scores")
    assert "not suppressed" in boxes.text(1)
    assert [file.text(0) for file in scores.tables(6)] == ["labels.txt"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_official_reader_reads_it(files, tmp_path):
    """Needs a package index; `tflite-support` wants a library for USB sticks, which another package brings."""
    (tmp_path / "model.tflite").write_bytes(files[1])
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run([tmp_path / "venv" / "bin" / "pip", "install", "--quiet", *READERS], check=True)
    (library,) = (tmp_path / "venv").rglob("libusb-1.0.so")
    shutil.copy(library, tmp_path / "libusb-1.0.so.0")
    line = [tmp_path / "venv" / "bin" / "python", "-c", READ, tmp_path / "model.tflite"]
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path)}
    said = subprocess.run(line, capture_output=True, text=True, check=True, env=environment).stdout
    shown, _, labels = said.partition("LABELS ")
    (graph,) = json.loads(shown)["subgraph_metadata"]
    (image,) = graph["input_tensor_metadata"]
    assert image["process_units"] == [
        {"options_type": "NormalizationOptions", "options": {"mean": [0.0], "std": [1.0]}}
    ]
    probabilities, answer = graph["output_tensor_metadata"]
    assert [probabilities["name"], answer["name"]] == ["probabilities", "answer"]
    assert probabilities["associated_files"][0]["type"] == "TENSOR_AXIS_LABELS"
    assert labels.strip() == ascii("red\ngrün\ntwo lines\n")
