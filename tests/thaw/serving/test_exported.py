"""Exports as they are opened to be served: a folder, the zip of one, and what must be refused before it is loaded."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.support.models.tiny_export import LABELS, pack, record
from thaw.serving.exported import open_export, write_repository
from tlcore.errors import RunError
from tlcore.exporting.formats import Signature

MODEL = {"saved_model.pb": b"graph", "variables/variables.index": b"index", "assets/a-1.txt": b"asset"}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export folder whose SavedModel is no model, which none of this looks at."""
    folder = tmp_path / "runs" / "export"
    for name, content in MODEL.items():
        (folder / "saved_model" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "saved_model" / name).write_bytes(content)
    record(folder, Signature([], []), 0.6)
    (folder / "model.onnx").write_bytes(b"onnx")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_opened_where_it_lies(export):
    with open_export(export) as opened:
        assert opened.saved_model == export / "saved_model"
        assert (opened.record.run, opened.record.labels, opened.record.threshold) == ("run-1", LABELS, 0.6)
    assert contents(export / "saved_model") == MODEL


@pytest.mark.parametrize("prefix", ["", "thaw-export/"])
def test_a_zip_is_opened_in_a_folder_of_its_own_that_goes_again(export, tmp_path, prefix):
    archive = pack(export, tmp_path / "export.zip", prefix)
    with open_export(archive) as opened:
        assert opened.record.run == "run-1"
        assert contents(opened.saved_model) == MODEL
        assert set(contents(opened.saved_model.parent)) == {"export.json"} | {f"saved_model/{name}" for name in MODEL}
        assert not opened.saved_model.is_relative_to(tmp_path / "runs")
    assert not opened.saved_model.exists()


def test_a_file_over_the_limit_of_a_photo_is_no_obstacle_in_an_export(export, tmp_path):
    large = export / "saved_model" / "variables" / "variables.data-00000-of-00001"
    with large.open("wb") as file:
        file.truncate(60_000_000)
    record(export, Signature([], []), 0.6)
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_STORED) as opened:
        for path in export.rglob("*"):
            if path.is_file():
                opened.write(path, path.relative_to(export).as_posix())
    with open_export(tmp_path / "export.zip") as opened:
        assert (opened.saved_model / "variables" / large.name).stat().st_size == 60_000_000


def change(export):
    (export / "saved_model" / "saved_model.pb").write_bytes(b"Graph")


def add(export):
    (export / "saved_model" / "variables" / "more").write_bytes(b"")


def remove(export):
    (export / "saved_model" / "variables" / "variables.index").unlink()


def remove_all(export):
    shutil.rmtree(export / "saved_model")


@pytest.mark.parametrize("spoil", [change, add, remove, remove_all])
@pytest.mark.parametrize("packed", [False, True])
def test_a_model_that_is_not_what_was_proven_is_refused(export, tmp_path, spoil, packed):
    spoil(export)
    source = pack(export, tmp_path / "export.zip") if packed else export
    with pytest.raises(RunError, match="changed or is not whole"), open_export(source):
        pass


def refuse_model(recorded):
    recorded["formats"][0]["verdict"] = "refused"


def leave_out_model(recorded):
    recorded["formats"] = []


def cut_labels(recorded):
    del recorded["labels"]


def add_field(recorded):
    recorded["more"] = 1


def make_formats_text(recorded):
    recorded["formats"] = "none"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (refuse_model, "export with a SavedModel"),
        (leave_out_model, "export with a SavedModel"),
        (cut_labels, "can be read"),
        (add_field, "can be read"),
        (make_formats_text, "can be read"),
    ],
)
def test_a_record_that_does_not_serve_is_refused(export, spoil, reason):
    recorded = json.loads((export / "export.json").read_text())
    spoil(recorded)
    (export / "export.json").write_text(json.dumps(recorded))
    with pytest.raises(RunError, match=reason), open_export(export):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"schema": 99}'])
def test_a_record_that_is_none_is_refused(export, content):
    (export / "export.json").write_bytes(content)
    with pytest.raises(RunError, match="Received: "), open_export(export):
        pass


def test_what_is_no_export_at_all_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.zip").write_text("no zip")
    for name, reason in (("folder", "which has none"), ("text.zip", "zip of an export")):
        with pytest.raises(RunError, match=reason), open_export(tmp_path / name):
            pass


@pytest.mark.parametrize("name", ["../evil", "saved_model/../../evil", "/tmp/evil", "other/evil"])
def test_an_entry_that_leads_elsewhere_is_not_written_anywhere(export, tmp_path, name):
    archive = pack(export, tmp_path / "export.zip")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(zipfile.ZipInfo(name), b"evil")
    before = set(tmp_path.parent.rglob("evil"))
    with open_export(archive) as opened:
        assert contents(opened.saved_model) == MODEL
        assert not list(opened.saved_model.parent.parent.rglob("evil"))
    assert set(tmp_path.parent.rglob("evil")) == before
    assert not Path("/tmp/evil").exists()


def test_tensorflow_serving_gets_numbered_folders_and_a_list_of_all_models(export, tmp_path):
    folder = tmp_path / "models"
    with open_export(export) as opened:
        first = write_repository(opened, "birds", folder)
        second = write_repository(opened, "cars.v2", folder)
        with pytest.raises(RunError, match="there already"):
            write_repository(opened, "birds", folder)
    assert contents(folder / "birds" / "1") == contents(folder / "cars.v2" / "1") == MODEL
    assert sorted(path.name for path in folder.iterdir()) == ["birds", "cars.v2", "models.config"]
    assert [path.name for path in (folder / "birds").iterdir()] == ["1"]
    assert (first["models"], second["models"]) == (["birds"], ["birds", "cars.v2"])
    assert (folder / "models.config").read_text() == (
        "model_config_list {\n"
        '  config {\n    name: "birds"\n    base_path: "/models/birds"\n    model_platform: "tensorflow"\n  }\n'
        '  config {\n    name: "cars.v2"\n    base_path: "/models/cars.v2"\n    model_platform: "tensorflow"\n  }\n'
        "}\n"
    )
