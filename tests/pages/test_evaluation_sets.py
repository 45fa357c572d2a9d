"""The split with its later share and holdout on the Data page, the head's options, and every set that judges a run."""

import shutil

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.judged_runs import DATASET, add, field, images, judged_run, run_of
from tests.support.judged_runs import store as store
from tests.support.mistakes import cards
from tests.support.pages import expert as expert
from tests.support.pages import visit, words
from thaw.datasets import edits
from thaw.jobs import starts
from thaw.runs.results import predictions_file
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from tlcore.evaluation.predictions import EVALUATION_SIDES
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch


def slider(page: AppTest, label: str) -> list:
    return [each for each in page.slider if each.label.startswith(label)]


def test_the_share_for_later_is_offered_only_where_photos_have_dates(store):
    add(store)
    assert not slider(visit("data"), "Newest photos")


@pytest.mark.usefixtures("expert")
def test_the_newest_photos_are_kept_for_later_and_the_head_page_knows(store):
    add(store, dated=True)
    page = visit("data")
    assert "40 of 40 images say when they were taken" in words(page)
    assert "later" not in page.dataframe[0].value
    slider(page, "Newest photos")[0].set_value(0.25).run()
    assert page.query_params["later"] == "0.25"
    assert page.dataframe[0].value[["training", "validation", "later"]].to_numpy().tolist() == [[12, 3, 5], [12, 3, 5]]
    assert "The newest **10** judge the finished model alone" in words(page)
    page.switch_page("../head.py").run()
    assert "the newest 25% of the dated ones for later" in words(page)


@pytest.mark.usefixtures("expert")
@pytest.mark.parametrize("address", ["0.9", "-1", "<b>", "nan"])
def test_an_impossible_share_for_later_in_the_address_bar_becomes_none(store, address):
    add(store, dated=True)
    page = visit("data", later=address)
    assert not page.exception
    assert slider(page, "Newest photos")[0].value == 0.0


@pytest.mark.usefixtures("expert")
def test_the_holdout_is_counted_or_how_to_have_one_is_told(store):
    add(store)
    assert "No holdout yet" in words(visit("data"))
    store.add_to_dataset(DATASET, "x", Arrival(images(3, role="holdout", first=10_000)))
    said = words(visit("data"))
    assert "**6 holdout photos**" in said
    assert "No holdout yet" not in said


@pytest.mark.usefixtures("expert")
def test_few_validation_images_lead_to_cross_validation(store):
    add(store)
    said = words(visit("data"))
    assert "2 classes have fewer than 30 validation images: **rose** (4), **tulip** (4)" in said
    assert "by 25 points" in said
    assert "measure it under Near-duplicates" in said
    estimate = {"mean": 0.931, "low": 0.902, "high": 0.954, "folds": 5}
    facts = {"naive": estimate, "grouped": estimate, "images": 40, "groups": 0}
    store.add_check(DATASET, "efficientnet-lite0", store.dataset(DATASET).version, facts)
    assert "93.1% (95% interval 90.2 to 95.4%)**: trust that more" in words(visit("data"))
    edits.exclude_images(store, DATASET, [images(1)[0].id])
    assert "93.1%" not in words(visit("data"))


def test_enough_validation_images_need_no_advice(store):
    add(store, each=150)
    assert "fewer than 30" not in words(visit("data"))


def settings_of_start(store: Store, page: AppTest, monkeypatch: pytest.MonkeyPatch) -> HeadSettings:
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    next(button for button in page.button if button.label == "Start training").click().run()
    assert not page.exception
    return store.runs()[0].head


@pytest.mark.usefixtures("expert")
def test_a_support_vector_machine_hides_the_options_that_it_has_not(store, monkeypatch):
    add(store, dated=True)
    page = visit("head", later="0.2", seed="5")
    assert field(page, "number_input", "Epochs")
    field(page, "selectbox", "How the head learns")[0].set_value("svm").run()
    for kind, label in (
        ("number_input", "Epochs"),
        ("number_input", "Patience"),
        ("selectbox", "Hidden layer"),
        ("selectbox", "Output"),
        ("selectbox", "Augmentation"),
        ("slider", "Dropout"),
    ):
        assert not field(page, kind, label)
    field(page, "selectbox", "Class weights")[0].set_value("on").run()
    chosen = settings_of_start(store, page, monkeypatch)
    assert (chosen.method, chosen.class_weights, chosen.later_share, chosen.seed) == ("svm", "on", 0.2, 5)


@pytest.mark.usefixtures("expert")
def test_gradient_steps_are_the_default_and_the_only_way_for_large_sets(store, monkeypatch):
    add(store, each=starts.SVM_IMAGES // 2)
    page = visit("head")
    assert not field(page, "selectbox", "How the head learns")
    field(page, "number_input", "Epochs")[0].set_value(3).run()
    chosen = settings_of_start(store, page, monkeypatch)
    assert (chosen.method, chosen.class_weights, chosen.later_share, chosen.epochs) == ("gradient", "auto", 0.0, 3)


@pytest.mark.usefixtures("expert")
@pytest.mark.parametrize(("moved", "said"), [(0, "Automatic: off here"), (30, "Automatic: on here")])
def test_automatic_class_weights_say_what_they_do_here(store, moved, said):
    add(store, each=50)
    edits.move_images(store, DATASET, [each.id for each in store.images(DATASET, "tulip")[:moved]], "rose")
    (weights,) = field(visit("head"), "selectbox", "Class weights")
    assert weights.options[0].startswith(said)


def fine_tune(store: Store, run_id: str) -> None:
    """Give a run a phase 2 that was better, and says of each image what the head says."""
    store.set_fine_tune(run_id, FineTuneSettings(2, learning_rate=1e-5).to_json())
    store.add_epochs(run_id, [Epoch(2, 2, 0.4, 0.9, 0.4, 0.95, 0.1)])
    store.add_facts(run_id, {"fine_tune": {"best_epoch": 2}})
    folder = store.workspace.run(run_id)
    for side in EVALUATION_SIDES:
        shutil.copy(folder / predictions_file(1, side), folder / predictions_file(2, side))
    store.set_result(run_id, 2)
    store.update_job(store.add_job("fine_tune", {}, DATASET, run_id), status="finished")


@pytest.mark.usefixtures("expert")
@pytest.mark.parametrize("name", ["head", "finetune"])
def test_every_set_that_judges_is_told_with_the_difference(store, name):
    run_id = judged_run(store)
    if name == "finetune":
        fine_tune(store, run_id)
    said = words(visit(name))
    assert "On the validation photos: **93.8%** of 16." in said
    assert "taken after all the others: **95.0%** of 20, much the same." in said
    assert "photos from other days: **60.0%** of 40, 33.8 points lower." in said


@pytest.mark.parametrize("name", ["head", "finetune", "mistakes"])
def test_a_run_judged_by_validation_alone_shows_no_other(store, name):
    add(store)
    run_of(store, HeadSettings(), {"validation": 1})
    page = visit(name)
    assert not page.exception
    assert "much the same" not in words(page)
    assert not [group for group in page.get("button_group") if group.key.startswith("judged on")]


@pytest.mark.usefixtures("expert")
def test_mistakes_can_be_looked_at_on_every_set(store):
    judged_run(store)
    page = visit("mistakes")
    assert "93.8%** of 16 validation images right and **1** wrong" in words(page)
    assert len(cards(page)) == 1
    choice = next(group for group in page.get("button_group") if group.key.startswith("judged on"))
    assert [option.content for option in choice.proto.options] == [
        "Validation photos: 93.8%",
        "Newest photos: 95.0%",
        "Holdout photos: 60.0%",
    ]
    page.session_state[f"judged on {store.runs()[0].id}"] = "holdout"
    page.run()
    assert "60.0%** of 40 holdout images right and **16** wrong" in words(page)
    assert len(cards(page)) == 12


@pytest.mark.parametrize("name", ["head", "finetune", "mistakes"])
def test_a_run_says_when_its_data_set_has_changed_since(store, name):
    judged_run(store)
    assert "has changed since this run" not in words(visit(name))
    edits.exclude_images(store, DATASET, [images(1)[0].id])
    assert "has changed since this run" in words(visit(name))


@pytest.mark.usefixtures("expert")
def test_the_result_of_a_support_vector_machine_counts_no_epochs(store):
    add(store)
    run_of(store, HeadSettings(method="svm"), {})
    page = visit("head")
    assert "linear support vector machine, fitted at once" in page.success[0].value
    assert "epoch 1 of 1" not in page.success[0].value
