"""What the pages say to whom has never heard of the field: no term stands alone, and what is first is simple."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.components.expert import expert
from pages.ui.mistakes import map_figure
from pages.ui.words import glossary
from pages.ui.words.names import emphasised
from tests.support.boxes.detectors import add_boxed, add_detector_run, add_tuned
from tests.support.judged_runs import judged_run
from tests.support.maps import add_large_map
from tests.support.mistakes import look_closer
from tests.support.pages import (
    BOLD,
    DATASET,
    PAGES,
    TAG,
    add_dataset,
    add_run,
    figures,
    press,
    unfold_panel,
    visit,
    words,
)
from tests.support.pages import store as store
from tests.support.said import alone, everything
from tests.support.thawed import answer, thaw
from thaw.datasets import edits
from tlcore.progress import Stage
from tlcore.training.history import Epoch

# Those whose words are plain.
PLAIN = ("studio", *PAGES)


@pytest.mark.parametrize("name", PLAIN)
def test_no_term_stands_alone_before_there_are_photos(store, name):
    assert alone(visit(name)) == []


@pytest.mark.parametrize("name", PLAIN)
def test_no_term_stands_alone_where_a_head_is_trained(store, name):
    images = add_dataset(store)
    for _ in range(2):
        add_run(store, images)
    page = visit(name)
    assert not page.exception
    assert alone(page) == []


@pytest.mark.parametrize("result", [1, 2])
@pytest.mark.parametrize("name", PLAIN)
def test_no_term_stands_alone_where_the_eye_has_adapted(store, name, result):
    run_id = add_run(store, add_dataset(store))
    thaw(store, run_id, ((0.4, 0.6), (0.3, 0.7)), result=result)
    answer(store, run_id, 7)
    page = visit(name)
    assert not page.exception
    assert alone(page) == []


def test_no_term_stands_alone_where_things_are_found(store):
    images = add_boxed(store)
    for name in ("find", "boxes", "data"):
        assert alone(visit(name)) == []
    run_id = add_detector_run(store, images)
    assert alone(visit("find")) == []
    add_tuned(store, run_id)
    assert alone(visit("find")) == []
    store.set_result(run_id, 1)
    assert alone(visit("find")) == []


def test_terms_that_stand_alone_are_found(store):
    add_run(store, add_dataset(store))
    told = " ".join(alone(visit("head", expert="1")))
    assert "Learning rate" in told
    assert "validation loss" in told
    assert "Softmax" in told
    assert "Epochs as CSV" in told


def test_the_head_page_has_one_button_one_headline_and_one_curve(store, monkeypatch):
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    run_id = add_run(store, add_dataset(store))
    store.add_facts(run_id, {"validation_images": 15})
    page = visit("head")
    assert not page.number_input
    assert page.success[0].value == "The head gets **14 of 15** exam photos (validation images) right."
    (drawn,) = figures(page)
    assert [line["name"] for line in drawn["data"]] == ["exam photos", "photos it learns from"]
    press(page, "Start training")
    (job,) = store.queue()
    started = store.run(job.run_id).head
    assert (started.epochs, started.learning_rate, started.image_size) == (40, 1e-3, 96)


def test_what_an_expert_has_set_counts_no_more_once_it_is_out_of_sight(store, monkeypatch):
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    add_dataset(store)
    page = visit("head", expert="1")
    next(field for field in page.number_input if field.label.startswith("Epochs")).set_value(7).run()
    page.toggle(key="expert switch").set_value(False).run()
    press(page, "Start training")
    (job,) = store.queue()
    assert store.run(job.run_id).head.epochs == 40


def test_evaluation_tells_a_room_in_sentences_what_figures_tell_an_expert(store):
    add_run(store, add_dataset(store))
    page = visit("evaluation")
    assert figures(page) == []
    said = words(page)
    assert f"- {emphasised(TAG)}: 4 of 5 photos found. So few photos say little." in said
    assert f"- {emphasised(TAG)} is taken for {emphasised(BOLD)}: 1 photo." in said
    assert "It answers **100.0%** of the photos" in said
    assert len(figures(visit("evaluation", expert="1"))) > 3


@pytest.mark.parametrize(("depth", "noun"), [("0", "kind"), ("1", "class")])
def test_the_tools_of_the_data_page_speak_of_kinds_to_a_room_and_of_classes_to_an_expert(store, depth, noun):
    add_dataset(store)
    page = visit("data", expert=depth)
    page.get("button_group")[0].set_value("Edit").run()
    other = {"kind": "class", "class": "kind"}[noun]
    told = everything(page)
    assert f"New {noun} to move pictures to" in told
    assert f"Choose a {noun} above to rename it, merge it or delete it." in told
    assert [text for text in told if re.search(rf"\b{other}(e?s)?\b", text, re.IGNORECASE)] == []


def test_a_data_set_of_one_kind_is_told_so_in_plain_words(store):
    add_dataset(store)
    edits.delete_class(store, DATASET, TAG)
    assert "I need two kinds of photos" in words(visit("head")).replace("\\", "")


def test_the_eye_adapts_by_what_suits_the_run_without_an_experts_settings(store, monkeypatch):
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    run_id = add_run(store, add_dataset(store))
    page = visit("finetune")
    assert [field.label for field in page.number_input] == ["Layers that adapt"]
    assert not page.expander
    page.number_input[0].set_value(8).run()
    press(page, "Let the eye adapt (fine-tune)")
    asked = store.run(run_id).fine_tune
    assert (asked.layers, asked.epochs, asked.learning_rate) == (8, 40, pytest.approx(1e-5))


def test_a_head_that_is_still_learning_is_told_so_in_plain_words(store):
    run_id = add_run(store, add_dataset(store))
    for number in range(9, 12):
        store.add_epochs(run_id, [Epoch(number, 1, 0.2, 0.9, 0.5 / number, 0.9, 0.1)])
    (warning,) = visit("finetune").warning
    assert "Teach it for more rounds" in warning.value


@pytest.mark.parametrize(
    "tab", ["Pictures", "Health (0)", "Look-alikes", "Counts", "Set aside (1)", "History"], ids=str.lower
)
def test_no_tab_of_the_data_page_has_a_term_alone(store, tab):
    add_dataset(store)
    page = visit("data")
    labels = [each.label for each in page.tabs]
    page = unfold_tab(page, next(each for each in labels if each.partition(" (")[0] == tab.partition(" (")[0]))
    assert not page.exception
    assert alone(page) == []


def unfold_tab(page, label):
    page.session_state[f"tabs of {DATASET}"] = label
    return page.run()


@pytest.mark.parametrize("panel", ["confusion drawer of {}", "several of {}", "changes of {}"])
@pytest.mark.parametrize("name", ["mistakes", "finetune"])
def test_no_panel_that_opens_has_a_term_alone(store, name, panel):
    run_id = add_run(store, add_dataset(store))
    thaw(store, run_id, ((0.4, 0.4),), result=2)
    answer(store, run_id, 7)
    page = unfold_panel(visit(name), panel.format(run_id))
    assert not page.exception
    assert alone(page) == []


def test_a_photo_that_is_looked_at_closely_has_no_term_alone(store):
    run_id = add_run(store, add_dataset(store))
    page = unfold_panel(look_closer(store, run_id), f"more of {run_id}")
    assert not page.exception
    assert alone(page) == []


@pytest.mark.parametrize("method", ["t-SNE", "PCA"])
def test_the_map_speaks_plainly_in_every_colouring(store, method):
    run_id = add_large_map(store, 40, method)
    page = visit("map", run=run_id)
    for colouring in map_figure.COLOURINGS:
        page.get("button_group")[0].set_value(colouring).run()
        assert not page.exception
        assert alone(page) == []


@pytest.mark.parametrize("stage", Stage, ids=lambda stage: stage.name.lower())
def test_a_job_says_what_it_is_at_without_a_term_alone(store, stage):
    run_id = add_run(store, add_dataset(store))
    job_id = store.add_job("head", {}, DATASET, run_id)
    store.update_job(job_id, status="running", stage=stage, done=3, total=40)
    page = AppTest.from_function(draw_progress, default_timeout=60, args=(job_id,))
    page.session_state[expert.ON] = False
    assert alone(page.run()) == []


def draw_progress(job_id):
    from pages.ui.page import live, selection

    live.progress(selection.store().job(job_id), "images")


def test_every_set_that_judges_has_a_plain_name(store):
    run_id = judged_run(store)
    for name in ("head", "evaluation", "mistakes", "compare", "history", "try_it", "export"):
        page = visit(name, run=run_id)
        assert not page.exception
        assert alone(page) == []


def test_the_evaluation_page_keeps_a_choice_in_plain_words(store):
    run_id = add_run(store, add_dataset(store))
    page = visit("evaluation")
    page.slider(key=f"threshold {run_id}").set_value(0.4).run()
    press(page, "Keep this")
    assert "no answer below 40%." in words(page)
    assert alone(page) == []
    assert alone(visit("try_it")) == []
    assert alone(visit("export")) == []


@pytest.mark.parametrize(
    ("said", "plainly"),
    [
        ("The validation loss fell.", "The error on the exam photos (validation loss) fell."),
        ("Epochs: 3", "Rounds (epochs): 3"),
        ("rounds (epochs)", "rounds (epochs)"),
        ("On the same 15 validation images", "On the same 15 exam photos (validation images)"),
        ("Arranged by t-SNE", "Arranged by map of look-alikes (t-SNE)"),
        ("Class 'roses' is one of 3 classes.", "Kind 'roses' is one of 3 kinds."),
        ("The class weights are on.", "The equal weight for each kind (class weights) are on."),
    ],
)
def test_messages_from_elsewhere_get_the_plain_word_before_the_term(said, plainly):
    assert glossary.plainly(said) == plainly
    assert glossary.list_alone(glossary.plainly(said)) == []


@pytest.mark.parametrize("name", ["the first class", "phase 1", "an epoch"])
@pytest.mark.parametrize("quoted", ["'{}'", "`{}`"])
def test_a_name_in_a_message_from_elsewhere_stays_as_it_is(name, quoted):
    said = f"No photo of {quoted.format(name)} was found."
    assert glossary.plainly(said) == said
