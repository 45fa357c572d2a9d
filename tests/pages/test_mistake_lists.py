"""The lists of the Mistakes page beside the worst, and the confusion matrix that leads to them from two pages."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.evaluation import confusion_panel
from tests.support.judged_runs import DATASET, add, field, judged_run, run_of
from tests.support.judged_runs import store as store
from tests.support.mistakes import cards, say
from tests.support.pages import TAG, add_dataset, add_many_classes, add_run, drawn_html, unfold_panel, visit, words
from tests.support.pages import expert as expert
from thaw.runs.results import predictions_file
from thaw.storage.facts import Doubt
from thaw.storage.records import LABEL_ERRORS
from thaw.storage.store import Store
from tlcore.settings import HeadSettings


@pytest.fixture
def run_id(store: Store) -> str:
    add(store, each=40)
    return run_of(store, HeadSettings(), {"validation": 3})


def choose(page: AppTest, run_id: str, what: str, value: str) -> AppTest:
    page.session_state[f"{what} of {run_id}"] = value
    page.run()
    assert not page.exception
    return page


def matrix_of(page: AppTest) -> dict:
    sent = [json.loads(each.proto.json) for each in page.get("bidi_component") if "drawing" in each.proto.json]
    return next(json.loads(each["drawing"]) for each in sent if each["alt"].startswith("Confusion matrix"))


@pytest.mark.usefixtures("expert")
def test_the_most_uncertain_are_right_and_wrong_ones(store, run_id):
    path = store.workspace.run(run_id) / predictions_file(1, "validation")
    with np.load(path) as kept:
        ids, shares = kept["image_ids"], kept["probabilities"]
    shares[5] = [0.52, 0.48] if shares[5, 0] > 0.5 else [0.48, 0.52]
    np.savez(path, image_ids=ids, probabilities=shares)
    page = choose(visit("mistakes", run=run_id), run_id, "list", "Most uncertain")
    assert "Most uncertain" in [each.value for each in page.header]
    assert "how little lies between the two likeliest classes" in words(page)
    assert cards(page)[0]["id"] == ids[5]
    assert say(cards(page)[0]).endswith("52% sure. Right.")
    assert len(cards(page)) == 12


def test_likely_label_errors_lead_to_where_they_are_looked_for(store, run_id):
    page = choose(visit("mistakes", run=run_id), run_id, "list", "Likely label errors")
    assert "Not looked for yet" in page.info[-1].value
    assert "Measure it on the Data page" in [link.proto.label for link in page.get("page_link")]
    assert not field(page, "selectbox", "True class")


def test_likely_label_errors_of_the_whole_data_set_are_listed(store, run_id):
    images = store.images(DATASET)
    doubted = [images[3], images[60]]
    doubts = [Doubt(each.id, each.label, "tulip" if each.label == "rose" else "rose", 0.7) for each in doubted]
    dataset = store.dataset(DATASET)
    estimate = {"mean": 0.9, "low": 0.8, "high": 0.95, "folds": 5}
    facts = {"naive": estimate, "grouped": estimate, "images": 80, "groups": 0, "grouped_images": 0}
    doubted_facts = facts | {LABEL_ERRORS: [asdict(each) for each in doubts]}
    store.add_check(DATASET, "efficientnet-lite0", dataset.version, doubted_facts)
    page = choose(visit("mistakes", run=run_id), run_id, "list", "Likely label errors")
    drawn = [json.loads(each.proto.json) for each in page.get("bidi_component") if "tiles" in each.proto.json]
    assert {tile["id"] for tile in drawn[0]["tiles"]} == {each.id for each in doubted}
    assert "2 images are perhaps in the wrong kind" in words(page).replace("\\", "")
    store.update_job(store.add_job("check", {}, DATASET), status="finished")
    store.add_check(DATASET, "efficientnet-lite0", dataset.version, facts | {LABEL_ERRORS: []})
    page.run()
    assert "No picture is left" in page.success[0].value


@pytest.mark.usefixtures("expert")
def test_cells_show_shares_and_classes_stand_by_what_is_confused(store):
    run_id = add_many_classes(store, 9)
    page = unfold_panel(visit("mistakes", run=run_id), f"confusion drawer of {run_id}")
    names = matrix_of(page)["layout"]["yaxis"]["ticktext"]
    assert names == sorted(names)
    page = choose(page, run_id, "class order", confusion_panel.BY_LIKENESS)
    ordered = matrix_of(page)["layout"]["yaxis"]["ticktext"]
    places = [ordered.index(f"class {number:03}") for number in (0, 1, 7)]
    assert max(places) - min(places) == 2
    assert matrix_of(page)["layout"]["xaxis"]["ticktext"] == ordered
    page = choose(page, run_id, "cells", confusion_panel.RATES)
    assert {text for trace in matrix_of(page)["data"][1:] for text in trace["text"]} == {"100%"}
    assert "Each row adds up to 100%" in words(page)


@pytest.mark.usefixtures("expert")
def test_the_matrix_is_drawn_once_its_drawer_is_open(store, run_id):
    page = visit("mistakes", run=run_id)
    assert not any("drawing" in each.proto.json for each in page.get("bidi_component"))
    assert matrix_of(unfold_panel(page, f"confusion drawer of {run_id}"))["layout"]["yaxis"]["ticktext"]


def test_the_matrix_as_a_table_has_each_cell_with_its_share():
    rows = confusion_panel.list_cells(["a", "b"], np.array([[3, 1], [0, 2]]))
    assert [tuple(row.values()) for row in rows] == [("a", "a", 3, 0.75), ("a", "b", 1, 0.25), ("b", "b", 2, 1.0)]


@pytest.mark.usefixtures("expert")
def test_a_cell_of_the_evaluation_page_opens_on_the_mistakes_page(store):
    run_id = judged_run(store)
    page = visit("evaluation", run=run_id)
    assert matrix_of(page)["layout"]["yaxis"]["ticktext"] == ["rose", "tulip"]
    wanted = {"run": run_id, "side": "holdout", "true": "rose", "predicted": "tulip"}
    page.session_state[confusion_panel.WANTED] = wanted
    page.run()
    assert not page.exception
    assert page.title[0].value == "Mistakes"
    assert "60.0%** of 40 holdout images right" in words(page)
    assert (field(page, "selectbox", "True class")[0].value, field(page, "selectbox", "Predicted")[0].value) == (
        "rose",
        "tulip",
    )
    assert len(cards(page)) == 12
    assert {say(card).partition(". ")[2] for card in cards(page)} == {"Really rose."}
    assert confusion_panel.WANTED not in page.session_state


def test_names_stay_literal_in_every_list(store):
    run_id = add_run(store, add_dataset(store))
    for listed in ("Most uncertain", "Likely label errors"):
        page = choose(visit("mistakes", run=run_id), run_id, "list", listed)
        assert TAG not in drawn_html(page)
