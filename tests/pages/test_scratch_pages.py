"""Learning from scratch on the pages: the choice beside the ready-made eyes, the advice, and what follows."""

from dataclasses import asdict

import pytest

from pages.ui.page.run_queue import describe
from pages.ui.words import glossary
from tests.support.pages import DATASET, add_dataset, add_run, press, visit, words
from tests.support.pages import store as store
from tests.support.said import everything
from thaw.storage.facts import Accuracy
from tlcore.images.looks import PHOTO_DEVIATION, PHOTO_MEAN, Looks
from tlcore.models.backbone_table import SMALL_RESIDUAL
from tlcore.models.backbones import FRESH
from tlcore.settings import scratch_settings

NAME = SMALL_RESIDUAL.name
LIKE, UNLIKE = (Looks(9, PHOTO_MEAN, PHOTO_DEVIATION, grey, -1.2) for grey in (0.0, 1.0))


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch):
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)


@pytest.fixture
def fresh_run(store):
    """A run that has learnt from scratch, made without training."""
    run_id = add_run(store, add_dataset(store))
    store._write("UPDATE runs SET backbone = ? WHERE id = ?", NAME, run_id)
    return run_id


def add_check(store, low, looks):
    figures = asdict(Accuracy(low + 0.02, low, low + 0.04, 5))
    facts = {"naive": figures, "grouped": figures, "images": 20, "groups": 0, "looks": looks and asdict(looks)}
    store.add_check(DATASET, "efficientnet-lite0", store.dataset(DATASET).version, facts)


def choose_start(page, option):
    (choice,) = (each for each in page.button_group if each.label.startswith("Start"))
    return choice.set_value(option).run()


def test_it_is_a_choice_beside_the_ready_made_eyes_and_back(store):
    add_dataset(store)
    page = visit("backbone")
    assert len(page.dataframe) == 1
    assert "has learnt from more than a million photos" in words(page)
    page = choose_start(page, "scratch")
    assert not page.exception
    assert page.query_params["backbone"] in (NAME, [NAME])
    assert not page.dataframe
    assert "a small network learns all that it knows from your pictures alone" in words(page)
    assert "100 of each kind" in words(page)
    assert "here a network that knows nothing yet" in words(page)
    assert "a million photos" not in words(page)
    assert "already knows how to see" not in words(page)
    page = choose_start(page, "pretrained")
    assert len(page.dataframe) == 1


def test_an_expert_may_have_any_network_learn_anew(store):
    page = visit("backbone", backbone=NAME, expert="1")
    (networks,) = (each for each in page.selectbox if each.label == "Network")
    assert networks.options[0] == "ResNet-20"
    assert len(networks.options) == len(FRESH)
    page = networks.select("efficientnet-lite0-from-scratch").run()
    assert "**EfficientNet-Lite0, from scratch**" in words(page)
    assert "BatchNormalization included" in words(page)


@pytest.mark.parametrize(
    ("low", "looks", "told"),
    [
        (
            0.9,
            LIKE,
            "Your pictures look like photos. The ready-made eye gets 92.0% of them right (chance: 50.0%): **keep it**.",
        ),
        (
            0.9,
            UNLIKE,
            "Your pictures look unlike photos: they have no colour. The ready-made eye still gets 92.0% of them right "
            "(chance: 50.0%): **keep it**.",
        ),
        (0.9, None, "The ready-made eye gets 92.0% of them right (chance: 50.0%): **keep it**."),
        (
            0.4,
            UNLIKE,
            "Your pictures look unlike photos: they have no colour. The ready-made eye gets 42.0% of them right, no "
            "better than chance (50.0%): **learn from scratch**. With 10 of the rarest kind, add pictures first.",
        ),
    ],
)
def test_the_advice_is_in_plain_words_with_its_figures(store, low, looks, told):
    add_dataset(store)
    add_check(store, low, looks)
    page = visit("backbone")
    assert told in [each.value for each in page.info]
    assert "by cross-validation; always naming the largest kind gives 50.0%" in words(page)


def test_where_nothing_was_tested_one_press_tests_a_ready_made_eye(store):
    add_dataset(store)
    page = visit("backbone", backbone=NAME)
    press(page, "Which one? Test an eye on your pictures")
    (job,) = store.jobs("check")
    assert job.request["backbone"] == "efficientnet-lite0"


def test_the_head_page_starts_it_with_what_suits(store):
    add_dataset(store)
    page = visit("head", backbone=NAME)
    assert "learnt from scratch by the network **ResNet-20**" in words(page)
    assert "Let all of the network learn from your pictures alone" in words(page)
    press(page, "Start training")
    (job,) = store.queue()
    assert store.run(job.run_id).head == scratch_settings(NAME, image_size=32)
    assert describe(store, job).endswith(", ResNet-20, from scratch: the training")


def test_an_expert_sees_what_suits_as_the_start_of_every_option(store):
    add_dataset(store)
    page = visit("head", backbone=NAME, expert="1")
    assert not page.exception
    assert "How the head learns" not in [each.label for each in page.selectbox]
    assert "Highest learning rate" in [each.label for each in page.select_slider]
    press(page, "Start training")
    (job,) = store.queue()
    assert store.run(job.run_id).head == scratch_settings(NAME, image_size=32)


def test_after_it_come_the_mistakes_for_nothing_is_left_to_thaw(store, fresh_run):
    page = visit("head", run=fresh_run)
    assert not page.exception
    assert page.success[0].value.startswith("It gets")
    assert "ResNet-20, from scratch" in words(page).replace("\\", ""), "the bar names it"
    page = visit("finetune", run=fresh_run)
    assert "nothing is frozen, so there is nothing to thaw" in words(page)
    assert not [button for button in page.button if "adapt" in button.label]


def test_a_run_with_another_network_than_is_chosen_says_so(store, fresh_run):
    told = "Of the run that you have now, with ResNet-20, from scratch."
    assert told in words(visit("head", run=fresh_run, backbone="resnet50"))
    assert told not in words(visit("head", run=fresh_run, backbone=NAME))


def test_its_fixes_are_learnt_by_all_of_it(store, fresh_run):
    store.add_facts(fresh_run, {"dataset_version": 0})
    page = visit("mistakes", run=fresh_run)
    assert not page.exception
    assert "the network gets" in words(page)
    assert "Train it again on the data as they are now" in [button.label for button in page.button]
    assert not [each for each in page.toggle if each.label.startswith("As I go")]


@pytest.mark.parametrize("name", ["backbone", "head", "finetune", "mistakes"])
def test_no_term_of_the_field_stands_alone(store, fresh_run, name):
    add_check(store, 0.4, UNLIKE)
    page = visit(name, run=fresh_run, backbone=NAME)
    assert not page.exception
    titles = [each.value for each in page.title]
    assert [text for text in everything(page) if glossary.list_alone(text) and text not in titles] == []
