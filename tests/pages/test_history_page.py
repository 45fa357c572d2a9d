"""The History page: found by its filters, in the order asked for, compared, drawn and taken along."""

import io
import json
import zipfile

import pytest
from PIL import Image as Picture
from streamlit.testing.v1 import AppTest

from pages.ui.figures.history_figure import trainable_share
from pages.ui.runs import run_downloads
from pages.ui.runs.projects import latest_save
from tests.support.pages import BAR, BOLD, DATASET, TAG, add_dataset, add_run, visit, words
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from thaw.projects.save import save_project
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.images.pixels import content_of
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch


@pytest.fixture
def runs(store: Store) -> dict[str, str]:
    """Three runs: a head, a fine-tuned one of another data set with a hostile name, and one that has not begun."""
    head = add_run(store, add_dataset(store))
    store.add_dataset("data-2", TAG, "here", Arrival([]))
    tuned = store.add_run("data-2", "mobilenet-v2", HeadSettings(backbone="mobilenet-v2").to_json())
    store.set_fine_tune(tuned, FineTuneSettings(layers=38, learning_rate=1e-5).to_json())
    for number, phase in enumerate((1, 1, 2), 1):
        store.add_epochs(tuned, [Epoch(number, phase, 0.5, 0.8, 0.6, 0.7, 1.5)])
    store.set_result(tuned, 2)
    outcome = {"best_epoch": 3, "accuracies": {"validation": 0.7, "holdout": 0.6}, "frozen_layers": 116}
    counts = {"training": {BOLD: 3, "rose": 4}}
    store.add_facts(tuned, {"fine_tune": outcome | {"unfrozen_from_layer": TAG}, "class_counts": counts})
    waiting = store.add_run(DATASET, "resnet50", HeadSettings(backbone="resnet50").to_json())
    return {"head": head, "tuned": tuned, "waiting": waiting}


def listed(page: AppTest) -> list[str]:
    return page.dataframe[0].value["Run"].tolist()


def pick(page: AppTest, label: str, value: str) -> AppTest:
    return next(box for box in page.selectbox if box.label == label).select(value).run()


def figures(page: AppTest) -> list[dict]:
    sent = [json.loads(component.proto.json) for component in page.get("bidi_component") if component.proto.json]
    return [json.loads(data["drawing"]) for data in sent if "drawing" in data]


def tick(page: AppTest, *rows: int) -> AppTest:
    (key,) = (key for key in page.session_state if key.startswith("history of"))
    page.session_state[key] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return page.run()


def test_without_a_run_the_page_says_what_comes_first(store):
    assert "There is no run yet" in words(visit("history"))


@pytest.mark.usefixtures("expert")
def test_every_run_is_listed_with_plain_titles_and_the_rest_left_empty(store, runs):
    page = visit("history")
    assert not page.exception
    table = page.dataframe[0].value
    assert listed(page) == [runs["waiting"], runs["tuned"], runs["head"]]
    assert table["Validation"].tolist() == ["–", "70.0%", "90.0%"]
    assert table["Unfrozen from"].tolist() == ["–", TAG, "–"]
    assert table["Rate, phase 2"].tolist() == ["–", "1e-05", "–"]
    assert "Newest photos" not in table.columns
    assert "3 of 3 runs" in words(page)


@pytest.mark.usefixtures("expert")
@pytest.mark.parametrize(
    ("label", "value", "found"),
    [
        ("Data set", "data-2", {"tuned"}),
        ("Backbone", "resnet50", {"waiting"}),
        ("Phase", "fine_tune", {"tuned"}),
        ("Phase", "head", {"waiting", "head"}),
    ],
)
def test_a_filter_leaves_what_it_says(store, runs, label, value, found):
    page = pick(visit("history"), label, value)
    assert set(listed(page)) == {runs[name] for name in found}


@pytest.mark.usefixtures("expert")
def test_a_search_finds_classes_and_ids_and_says_when_it_finds_nothing(store, runs):
    page = visit("history")
    assert listed(page.text_input[0].input(" ROSE ").run()) == [runs["tuned"]]
    assert listed(page.text_input[0].input(runs["head"]).run()) == [runs["head"]]
    assert "No run is like that" in words(page.text_input[0].input("nothing at all").run())


@pytest.mark.usefixtures("expert")
def test_the_best_come_first_and_those_without_a_figure_last(store, runs):
    page = visit("history")
    assert listed(pick(page, "Order", "validation")) == [runs["head"], runs["tuned"], runs["waiting"]]
    assert listed(pick(page, "Order", "holdout"))[0] == runs["tuned"]


@pytest.mark.usefixtures("expert")
def test_the_figure_shows_each_backbone_and_the_holdout(store, runs):
    page = visit("history")
    (drawing,) = figures(page)
    names = [trace["name"] for trace in drawing["data"]]
    assert names == ["MobileNetV2, validation", "MobileNetV2, holdout", "EfficientNet-Lite0, validation"]
    assert drawing["data"][1]["marker"]["symbol"].endswith("-open")
    assert "<img" not in drawing["data"][0]["hovertext"][0]
    assert "judged on different photos" in words(page)


def test_the_share_of_layers_is_of_all_the_backbone_has(store, runs):
    shares = {row.model_id: trainable_share(row) for row in store.experiments()}
    assert shares == {runs["head"]: 0.0, runs["tuned"]: 38 / 154, runs["waiting"]: 0.0}


def test_several_ticked_runs_lead_to_the_comparison_and_one_to_what_can_be_taken_along(store, runs):
    page = tick(visit("history"), 1, 2)
    (link,) = (each for each in page.get("page_link") if each.proto.label not in BAR)
    assert link.proto.label == "Compare these 2 runs"
    assert link.proto.query_string == f"compare={runs['tuned']}%2C{runs['head']}"
    page = tick(page, 2)
    assert f"**Take along** `{runs['head']}`" in words(page)


@pytest.mark.usefixtures("expert")
def test_the_intended_use_is_written_on_the_page_and_kept_with_the_run(store, runs):
    page = tick(visit("history"), 2)
    assert "is to be written" in words(page)
    labels = [button.proto.label for button in page.get("download_button")]
    assert labels[1:] == ["Model card (HTML)", "Model card (Markdown, zip)", "Epochs for TensorBoard"]
    page.text_area[0].input("Sorting photos.")
    next(button for button in page.button if button.label == "Keep the intended use").click().run()
    assert not page.exception
    assert store.run(runs["head"]).facts.intended_use == "Sorting photos."


def test_what_is_taken_along_is_a_whole_zip():
    with zipfile.ZipFile(io.BytesIO(run_downloads.pack({"a/b.txt": b"1", "c": b"2"}))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {"a/b.txt": b"1", "c": b"2"}


def test_the_page_says_where_runs_are_sent(store, runs, monkeypatch):
    assert "MLflow" not in words(visit("history"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:s3cret@127.0.0.1:5000")
    said = words(visit("history"))
    assert "`http://127.0.0.1:5000`" in said
    assert "no photos" in said
    assert "s3cret" not in said


def test_a_project_is_saved_with_its_size_told_before_and_offered_afterwards(store, runs, wait_for):
    for image in store.images(DATASET):
        thumbnail = store.workspace.thumbnail(DATASET, image.id)
        thumbnail.parent.mkdir(parents=True, exist_ok=True)
        Picture.new("RGB", (8, 8)).save(thumbnail)
    page = tick(visit("history"), 2)
    (button,) = (button for button in page.button if button.label.startswith("Save as a project ("))
    page = button.click().run()
    job = latest_save(store, runs["head"])
    wait_for(lambda: not store.job(job.id).active, 60, "the end of the saving")
    assert store.job(job.id).status == "finished", store.job(job.id).error
    page.run()
    assert f"{runs['head']}.zip" in words(page)
    assert "Download the project" in [each.proto.label for each in page.get("download_button")]


def test_a_project_is_opened_on_the_data_page_and_nothing_else_is_taken_for_one(store, tmp_path, wait_for):
    other = Store(open_workspace(tmp_path / "other"))
    add_dataset(other)
    for image in other.images(DATASET):
        thumbnail = other.workspace.thumbnail(DATASET, image.id)
        thumbnail.parent.mkdir(parents=True, exist_ok=True)
        Picture.new("RGB", (8, 8)).save(thumbnail)
    # The pictures of `add_dataset` are not what their rows say.
    with other._transaction() as connection:
        for image in other.images(DATASET):
            with Picture.open(other.workspace.image(DATASET, image.id, image.suffix)) as picture:
                connection.execute("UPDATE images SET content = ? WHERE id = ?", (content_of(picture), image.id))
    save_project(other, DATASET, tmp_path / "a.zip")
    (tmp_path / "b.zip").write_bytes(b"PK")

    def open_path(name: str) -> AppTest:
        page = visit("data")
        field = next(field for field in page.text_input if field.label.startswith("Project"))
        field.input(str(tmp_path / name))
        return next(button for button in page.button if button.label == "Open a project").click().run()

    assert "Expected a project that Thaw has saved" in open_path("b.zip").error[0].value.replace("\\", "")
    assert not open_path("a.zip").exception
    (job,) = store.jobs("open")
    wait_for(lambda: not store.job(job.id).active, 60, "the end of the opening")
    assert store.job(job.id).status == "finished", store.job(job.id).error
    assert store.dataset(DATASET).name == "**photos**"
