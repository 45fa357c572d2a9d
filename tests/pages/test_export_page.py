"""The Export page: what it offers of an export, what it refuses to offer, and its downloads."""

import io
import json
import zipfile
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from pages.ui.server.export_route import EXPORT_ROUTE
from tests.support.boxes.detectors import add_boxed, add_detector_run
from tests.support.models.web_runtime import pack_runtime
from tests.support.pages import add_dataset, add_run, figures, press, visit, words
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from thaw.exporting import exports, web_runtime
from thaw.exporting.web_runtime import kept_runtime
from thaw.runs.decision import keep_decision
from thaw.storage.export_record import Export, export_folder, write_export
from tlcore.exporting.formats import DETECTOR_FORMATS, FORMATS, Signature, Tensor, choose_formats
from tlcore.exporting.model_files import Judged, ModelFile, Proof, measure_entry
from tlcore.progress import Stage
from tlcore.settings import Decision


def add_export(store, run_id: str) -> Export:
    """Put an export of four formats beside a run: one passed, two are warned of or refused, one is a folder."""
    folder = export_folder(store.workspace, run_id)
    (folder / "saved_model").mkdir(parents=True)
    (folder / "saved_model" / "saved_model.pb").write_bytes(b"graph" * 500_000)
    (folder / "model.onnx").write_bytes(b"onnx" * 1_000_000)
    (folder / "model-int8.tflite").write_bytes(b"int8" * 300_000)
    run = store.run(run_id)
    proof = Proof("onnxruntime 1", [Judged("validation", 15, 0, 1e-6, 13 / 15, 0.0)], 12.3, 240.0, 32)
    care = replace(proof, judged=[Judged("validation", 15, 1, 0.25, 12 / 15, -1 / 15)])
    formats = [
        ModelFile("saved-model", "saved_model", "passed", "", *measure_entry(folder, "saved_model"), proof),
        ModelFile("onnx", "model.onnx", "passed", "", *measure_entry(folder, "model.onnx"), replace(proof)),
        ModelFile(
            "litert-int8",
            "model-int8.tflite",
            "warned",
            "1 of 15 images gets another class",
            *measure_entry(folder, "model-int8.tflite"),
            replace(care, latency_ms=3.0),
        ),
        ModelFile("litert", "model.tflite", "refused", "its process crashed (SIGSEGV)"),
    ]
    signature = Signature([Tensor("image", [-1, 224, 224, 3], "uint8", "image:0")], [])
    export = Export(
        run_id, 1, exports.mark_result(store, run), 1.0, 224, ["a", "b"], 1.0, 0.0, signature, formats, "it", "CPU", 9.0
    )
    write_export(folder, export)
    return export


@pytest.fixture
def run_id(store):
    return add_run(store, add_dataset(store))


def urls(page: AppTest) -> list[str]:
    return [link.proto.url for link in page.get("link_button")]


@pytest.mark.usefixtures("expert")
def test_all_formats_are_chosen_at_first_and_said_for_whom_they_are(store, run_id):
    page = visit("export")
    assert not page.exception
    assert [box.value for box in page.checkbox] == [True] * len(choose_formats(None))
    assert "Android, iPhone, Raspberry Pi" in page.checkbox[2].label
    assert "right on **86.7%** of 15 validation photos" in words(page)
    assert "it always answers" in words(page)
    assert urls(page) == []
    for box in page.checkbox:
        box.uncheck()
    assert next(button for button in page.run().button if button.label == "Export and prove").disabled


@pytest.mark.usefixtures("expert")
def test_a_kept_threshold_is_said_to_be_inside(store, run_id):
    keep_decision(store, run_id, Decision(1, 1.25, 0.6))
    assert "temperature 1.25, and “I don't know” below 60%" in words(visit("export"))


def test_an_export_that_goes_on_is_followed_and_can_be_stopped(store, run_id):
    job_id = exports.add_export_job(store, run_id, ["onnx"])
    store.update_job(job_id, stage=Stage.VERIFYING, done=30, total=90, rate=10.0)
    page = visit("export")
    assert "30 of 90 images · 10.0 images/s · 6 s left" in page.get("progress")[0].proto.text.replace("\\", "")
    assert not page.checkbox
    store.update_job(job_id, rate=0.1)
    assert "30 of 90 images · 10 s each · 10 min" in visit("export").get("progress")[0].proto.text
    press(page, "Stop")
    assert store.job(job_id).stop_requested


def test_a_stopped_export_says_that_nothing_was_kept(store, run_id):
    store.update_job(exports.add_export_job(store, run_id), status="stopped")
    assert "Nothing of this export was kept" in words(visit("export"))


@pytest.mark.usefixtures("expert")
def test_only_what_was_proven_can_be_downloaded(store, run_id):
    export = add_export(store, run_id)
    page = visit("export")
    assert not page.exception
    said = words(page)
    assert "**2 of 4 files** answered as this model does" in said
    assert "**LiteRT, int8**: 1 of 15 images gets another class" in said
    assert "**LiteRT**: its process crashed" in said.replace("\\", "")
    assert urls(page) == [f"/thaw/exporting/{run_id}/{name}" for name in ("all", "saved-model", "onnx", "litert-int8")]
    table = page.dataframe[0].value
    assert list(table["verdict"]) == ["proven", "proven", "with care", "refused"]
    assert list(table["largest difference"]) == ["within 0.0001", "within 0.0001", "0.250", "–"]
    assert list(table["change"])[2] == "-6.7 points"
    (drawn,) = figures(page)
    assert drawn["data"][0]["x"] == [3.0, 12.3, 12.3]
    code = "\n".join(block.value for block in page.code)
    assert all(each.sha256 in code for each in export.offered)
    assert "inputs['image'] tensor_info" in code


def test_a_stale_export_is_told_and_offered_anew(store, run_id):
    add_export(store, run_id)
    keep_decision(store, run_id, Decision(1, 1.0, 0.7))
    page = visit("export")
    assert "Another threshold has been kept since" in page.warning[0].value.replace("\\", "")
    assert any(button.label == "Export and prove" for button in page.button)


def test_the_route_hands_on_files_and_zips_and_nothing_else(store, run_id):
    add_export(store, run_id)
    client = TestClient(Starlette(routes=[EXPORT_ROUTE]))
    one = client.get(f"/thaw/exporting/{run_id}/onnx")
    assert one.content == b"onnx" * 1_000_000
    assert f'filename="{run_id}-model.onnx"' in one.headers["content-disposition"]
    everything = client.get(f"/thaw/exporting/{run_id}/all")
    with zipfile.ZipFile(io.BytesIO(everything.content)) as archive:
        inside = {name.partition("/")[2] for name in archive.namelist()}
    assert inside == {"saved_model/saved_model.pb", "model.onnx", "model-int8.tflite", "export.json"}
    with zipfile.ZipFile(io.BytesIO(client.get(f"/thaw/exporting/{run_id}/saved-model").content)) as archive:
        assert archive.namelist() == [f"{run_id}-saved-model/saved_model/saved_model.pb"]
    for wanted in (f"{run_id}/litert", f"{run_id}/keras", f"{run_id}/export.json", "run-000000000000/all", "x/all"):
        refused = client.get(f"/thaw/exporting/{wanted}")
        assert refused.status_code == 404
        assert json.loads(refused.text)["error"]


def test_what_a_web_page_runs_on_is_taken_from_a_file(store, run_id, tmp_path, monkeypatch):
    page = visit("export")
    assert "one file is missing" in " ".join(panel.label for panel in page.expander)
    package = pack_runtime(tmp_path / "brought.tgz", monkeypatch)
    monkeypatch.setattr(web_runtime, "BYTES", package.stat().st_size)
    page.text_input[0].set_value(str(tmp_path / "other.tgz"))
    press(page, "Check and keep it")
    assert "which is not there" in words(page)
    page.text_input[0].set_value(str(package))
    press(page, "Check and keep it")
    assert not page.exception
    assert page.checkbox[0].label.startswith("Web page – Anyone with a browser")
    assert page.checkbox[0].value
    kept_runtime(store.workspace).unlink()


def test_photos_with_boxes_lead_to_where_a_detector_is_taught(store):
    add_boxed(store)
    assert "There is no trained model to take along yet." in words(visit("export"))


def test_a_detector_says_what_it_finds_and_offers_its_formats(store):
    add_detector_run(store, add_boxed(store))
    page = visit("export")
    assert not page.exception
    said = words(page)
    assert "The detector of **orchard**: **1 of 3** found on 3 exam photos, 1 false alarm" in said
    assert "at least 40% sure of" in said
    titles = [box.label.partition(" – ")[0] for box in page.checkbox]
    assert titles == [FORMATS[name].title for name in DETECTOR_FORMATS]


@pytest.mark.usefixtures("expert")
def test_a_detectors_files_are_told_by_what_was_proven_of_them(store):
    run_id = add_detector_run(store, add_boxed(store))
    made = add_export(store, run_id)
    judged = [Judged("validation", 3, 0, 2e-6, 0.75, 0.0, 0.0031)]
    formats = [replace(each, proof=each.proof and replace(each.proof, judged=judged)) for each in made.formats]
    threshold = exports.decision_of(store.run(run_id)).threshold
    write_export(
        export_folder(store.workspace, run_id), replace(made, task="detect", formats=formats, threshold=threshold)
    )
    page = visit("export")
    assert not page.exception
    assert not page.warning or "of before" not in page.warning[0].value
    table = page.dataframe[0].value
    assert list(table["largest difference"])[:2] == ["within 0.0001, edges within 0.5 px"] * 2
    assert list(table["AP50"])[:2] == ["75.0%"] * 2
    assert list(table["same objects"])[:2] == ["100.0%"] * 2
    code = "\n".join(block.value for block in page.code)
    assert 'model = find_objects.load("model.onnx")' in code
    assert "`find_objects.py` of the zip" in words(page)
