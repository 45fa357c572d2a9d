"""The record of an export and the files that it vouches for."""

import hashlib
import io
import json
import subprocess
import zipfile

import pytest

from thaw.exporting import zip_stream
from thaw.exporting.guide import show_program, write_guide
from thaw.storage.export_record import Export, find_changed, handed_on, read_export, write_export
from tlcore.errors import RunError
from tlcore.exporting.formats import Signature, Tensor
from tlcore.exporting.model_files import Judged, ModelFile, Proof, list_files, measure_entry, sum_lines


@pytest.fixture
def made(tmp_path):
    """An export of three formats, of which one was refused; its files are of a few bytes."""
    (tmp_path / "saved_model" / "variables").mkdir(parents=True)
    for name in ("saved_model/saved_model.pb", "saved_model/variables/variables.index", "model.onnx", "labels.json"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    proof = Proof("onnxruntime 1", [Judged("validation", 10, 1, 0.5, 0.9, -0.1)], 1.5, 20.0, 32)
    entries = {name: measure_entry(tmp_path, name) for name in ("saved_model", "model.onnx")}
    formats = [
        ModelFile("saved-model", "saved_model", "passed", "", *entries["saved_model"], proof),
        ModelFile("onnx", "model.onnx", "warned", "1 of 10 images differ", *entries["model.onnx"], proof),
        ModelFile("litert-int8", "model-int8.tflite", "refused", "its process crashed (SIGSEGV)"),
    ]
    signature = Signature(
        [Tensor("image", [-1, 8, 8, 3], "uint8", "image:0")], [Tensor("answer", [-1], "int32", "a:0")]
    )
    export = Export(
        "run-0123456789ab", 1, "mark", 1.0, 8, ["a", "b"], 1.5, 0.25, signature, formats, "stored", "CPU", 2.0
    )
    write_export(tmp_path, export)
    return tmp_path, export


def test_the_record_comes_back_as_it_was(made):
    folder, export = made
    assert read_export(folder) == export
    assert read_export(folder / "saved_model") is None
    assert [each.name for each in export.offered] == ["saved-model", "onnx"]
    assert export.formats[0].proof.judged[0].agreement == pytest.approx(0.9)


def test_a_record_of_another_schema_is_refused(made):
    folder, _ = made
    path = folder / "export.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 2}))
    with pytest.raises(RunError, match=r"schema 1\. Received: 2"):
        read_export(folder)


def test_checksums_are_those_that_sha256sum_checks(made):
    folder, export = made
    (folder / "SHA256SUMS").write_text(sum_lines(folder, list_files(folder)))
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True)
    assert checked.stdout.count(": OK") == 5
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert (export.formats[1].sha256, export.formats[1].bytes) == (digest, 10_000)
    lines = "".join(line for line in (folder / "SHA256SUMS").read_text().splitlines(True) if "  saved_model/" in line)
    assert export.formats[0].sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_a_changed_file_is_found(made):
    folder, export = made
    assert find_changed(folder, export) == []
    (folder / "saved_model" / "extra").write_text("x")
    (folder / "model.onnx").write_text("x")
    assert find_changed(folder, export) == ["saved_model", "model.onnx"]


def test_a_download_holds_what_was_proven_and_what_lies_beside_it(made):
    folder, export = made
    (folder / "model-int8.tflite").write_text("refused, but somehow there")
    write_guide(folder, export)
    names = list(handed_on(folder, export))
    assert "model-int8.tflite" not in names
    data = b"".join(zip_stream.stream_zip(folder, names, "root"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert (
            archive.read("root/saved_model/variables/variables.index")
            == b"saved_model/variables/variables.index" * 1000
        )
        beside = {"root/labels.json", "root/export.json", "root/README.txt"}
        assert beside | {"root/model.onnx"} <= set(archive.namelist())


def test_the_guide_tells_of_what_is_offered_alone(made):
    folder, export = made
    write_guide(folder, export)
    text = (folder / "README.txt").read_text()
    assert "Beware: 1 of 10 images differ." in text
    assert "model-int8" not in text
    assert "where the probability of that class is below 25%" in " ".join(text.split())
    for each in export.offered:
        compile(show_program(export, each), each.file, "exec")
