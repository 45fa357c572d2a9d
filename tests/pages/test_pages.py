import json

import pytest
from PIL import Image as Picture
from streamlit.testing.v1 import AppTest

from pages.ui.figures import confusion_figure
from tests.support.mistakes import cards, say
from tests.support.pages import (
    BOLD,
    CLASS_SIZE,
    DATASET,
    PAGES,
    TAG,
    add_dataset,
    add_many_classes,
    add_run,
    drawn_html,
    unfold_panel,
    visit,
    words,
)
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from thaw.backbones import device_report
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.worker import work
from tlcore.progress import Stage
from tlcore.settings import FineTuneSettings
from tlcore.training.history import Epoch


def main_buttons(page: AppTest) -> list[str]:
    """Return what the buttons say to which a page draws the eye."""
    return [button.label for button in page.button if button.proto.type == "primary"]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_on_an_empty_workspace(store, name):
    page = visit(name)
    assert not page.exception
    assert not page.error
    assert page.title[0].value


@pytest.mark.parametrize(("name", "first"), [("head", "data set"), ("finetune", "head"), ("mistakes", "head")])
def test_a_page_whose_ground_is_missing_says_what_to_do_first(store, name, first):
    page = visit(name)
    assert first in page.get("page_link")[0].proto.label
    assert not page.button


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_with_a_trained_run(store, name):
    add_run(store, add_dataset(store))
    page = visit(name)
    assert not page.exception
    assert not page.error


def test_data_page_shows_counts_pictures_and_reasons(store):
    add_dataset(store)
    page = visit("data")
    assert {metric.label: metric.value for metric in page.metric} == {
        "Images accepted": "20",
        "Kinds": "2",
        "Set aside": "1",
        "Files found": "24",
    }
    assert drawn_html(page).count("/thaw/thumbnail/") == 20
    assert r"a \*note\*" in words(page)


def test_data_page_draws_the_tab_in_front_only(store):
    add_dataset(store)
    page = open_tab("Set aside (1)")
    assert page.dataframe[0].value.to_dict("records") == [{"file": "=HYPERLINK(1).jpg", "reason": "it is empty"}]
    assert "<img" not in drawn_html(page)
    page = open_tab("Counts")
    assert {row["images"] for row in page.dataframe[0].value.to_dict("records")} == {CLASS_SIZE}


def open_tab(label: str) -> AppTest:
    page = visit("data")
    page.session_state[f"tabs of {DATASET}"] = label
    return page.run()


@pytest.mark.usefixtures("expert")
def test_split_is_chosen_on_the_data_page_and_used_on_the_head_page(store):
    add_dataset(store)
    page = visit("data")
    assert page.dataframe[0].value[["training", "validation"]].to_numpy().tolist() == [[8, 2], [8, 2]]
    page.slider[0].set_value(0.5).run()
    page.number_input[0].set_value(7).run()
    assert page.dataframe[0].value[["training", "validation"]].to_numpy().tolist() == [[5, 5], [5, 5]]
    assert (page.query_params["validation"], page.query_params["seed"]) == ("0.5", "7")
    page.switch_page("../head.py").run()
    assert "50% of each class" in words(page)
    assert "seed 7" in words(page)


@pytest.mark.usefixtures("expert")
@pytest.mark.parametrize("address", [{"validation": "9"}, {"validation": "<b>"}, {"seed": "-1"}, {"seed": "1e99"}])
def test_an_impossible_split_in_the_address_bar_becomes_the_default(store, address):
    add_dataset(store)
    page = visit("data", **address)
    assert not page.exception
    assert (page.slider[0].value, page.number_input[0].value) == (0.2, 0)


@pytest.mark.usefixtures("expert")
def test_a_data_set_that_cannot_be_trained_on_is_refused_with_advice(store):
    image = Image("img-0123456789ab", "only", "only/a.png", "0" * 64, 32, 32, suffix=".png")
    store.add_dataset(DATASET, "one", "folder", Arrival([image]))
    page = visit("data")
    assert "You gave me one\\: only" in page.warning[0].value
    assert "Add a second folder" in page.warning[1].value
    page.switch_page("../head.py").run()
    assert "Add a second folder" in page.warning[0].value
    assert page.button[0].disabled


def test_names_are_literal_on_every_page(store):
    add_run(store, add_dataset(store))
    for name in PAGES:
        page = visit(name)
        assert TAG not in drawn_html(page)
        for element in page.markdown:
            outside_code = "".join(element.value.split("`")[::2])
            assert BOLD not in outside_code
            assert TAG not in outside_code
            assert "**photos**" not in outside_code


def test_ids_of_the_address_bar_are_found_again(store):
    run_id = add_run(store, add_dataset(store))
    later = add_run(store, store.images(DATASET))
    page = visit("mistakes", run=run_id)
    assert page.query_params["run"] == run_id
    assert visit("mistakes").query_params["run"] == later


@pytest.mark.parametrize("text", ["", "  ", "photos", '""'])
def test_a_path_that_is_none_is_refused_beside_the_field(store, text):
    page = visit("data")
    page.text_input[0].set_value(text)
    next(button for button in page.button if button.label == "Import this path").click().run()
    assert page.error[0].value.startswith("Expected")
    assert not store.jobs("import")


@pytest.mark.parametrize("label", ["Import this path", "Open a project"])
def test_why_a_form_was_refused_stays_until_it_is_sent_again_or_another_page_is_opened(store, tmp_path, label):
    page = visit("data")
    press(page, label)
    assert [each.value[:8] for each in page.error] == ["Expected"]
    page.run().run()
    assert [each.value[:8] for each in page.error] == ["Expected"]
    page.switch_page("../backbone.py").run()
    page.switch_page("../data.py").run()
    assert not page.error
    press(page, "Import this path")
    assert page.error
    page.text_input[0].set_value(str(tmp_path / "photos.zip"))
    press(page, "Import this path")
    assert not page.error


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()


def test_a_pasted_path_is_imported_bare(store, tmp_path):
    page = visit("data")
    page.text_input[0].set_value(f'  "{tmp_path / "photos.ZIP"}" ')
    next(button for button in page.button if button.label == "Import this path").click().run()
    (job,) = store.jobs("import")
    assert (job.request["kind"], job.request["path"]) == ("zip", str(tmp_path / "photos.ZIP"))


def test_an_import_can_be_stopped_and_leaves_nothing(store, tmp_path):
    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        Picture.new("RGB", (40, 40), "red").save(tmp_path / "photos" / label / "1.png")
    job_id = store.add_job("import", {"kind": "folder", "path": str(tmp_path / "photos"), "name": "mine"})
    page = visit("data")
    stop = next(button for button in page.button if button.label == "Stop the import")
    stop.click().run()
    assert store.job(job_id).stop_requested
    work(store, job_id)
    page.run()
    assert "Nothing of this import was kept" in page.info[0].value
    assert "Stop the import" not in [button.label for button in page.button]
    assert not store.datasets()
    # The page's own drop zone stands ready there.
    left = [path.name for place in ("datasets", "staging") for path in (store.workspace.root / place).iterdir()]
    assert [name for name in left if not name.startswith("upload-")] == []
    assert len(list((tmp_path / "photos").rglob("*.png"))) == 2


def test_an_unknown_id_in_the_address_bar_does_no_harm(store):
    run_id = add_run(store, add_dataset(store))
    page = visit("mistakes", run="run-000000000000", dataset="<b>")
    assert not page.exception
    assert page.query_params["run"] == run_id
    page = visit("data", **{"import": "job-000000000000"})
    assert not page.exception
    assert not page.error


@pytest.mark.usefixtures("expert")
def test_backbone_choice_goes_into_the_address_bar(store):
    assert visit("backbone").query_params["backbone"] == "efficientnet-lite0"
    page = visit("backbone", backbone="mobilenet-v2")
    assert page.query_params["backbone"] == "mobilenet-v2"
    assert "MobileNetV2" in words(page)
    assert "test chip" in words(page)


def write_report(store: Store, **changes: object) -> None:
    path = store.workspace.root / "device.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.usefixtures("expert")
def test_look_again_waits_for_a_newer_report_and_shows_it(store, wait_for):
    page = visit("backbone")
    look = next(button for button in page.button if button.label == "Look again")
    look.click().run()
    assert "takes some seconds" in words(page)
    assert "Look again" not in [button.label for button in page.button]
    wait_for(lambda: device_report.read_report(store.workspace).probed_at > 0, what="the report on the device")
    page.run()
    assert "takes some seconds" not in words(page)
    assert "test chip" not in words(page)
    assert "Look again" in [button.label for button in page.button]


@pytest.mark.usefixtures("expert")
def test_a_device_that_cannot_be_found_out_is_told_with_its_remedy(store):
    write_report(store, device="unknown", reason="TensorFlow could not be asked.", remedy="Install it again.")
    page = visit("backbone")
    assert "Training will run on" not in words(page)
    assert "TensorFlow could not be asked. Install it again." in words(page)


@pytest.mark.usefixtures("expert")
def test_a_report_that_never_comes_is_not_awaited_for_ever(store):
    (store.workspace.root / "device.json").unlink()
    page = visit("backbone")
    assert "takes some seconds" in words(page)
    page.session_state["device asked"] = {"at": 0.0, "before": None}
    page.run()
    assert "takes some seconds" not in words(page)
    assert "No answer" in page.warning[0].value
    assert "Look again" in [button.label for button in page.button]


def test_unknown_backbone_in_the_address_bar_does_no_harm(store):
    add_dataset(store)
    assert not visit("backbone", backbone="nonsense").exception
    page = visit("head", backbone="nonsense")
    assert not page.exception
    assert page.button


@pytest.mark.usefixtures("expert")
def test_head_page_tells_the_result_in_words(store):
    add_run(store, add_dataset(store))
    page = visit("head")
    assert "90.0%" in page.success[0].value
    assert "epoch 3 of 8" in page.success[0].value
    assert "Start training" in [button.label for button in page.button]


@pytest.mark.parametrize(("stage", "label"), [(Stage.TRAINING_HEAD, "Pause"), (Stage.WAITING_FOR_DEVICE, "Cancel")])
def test_head_page_offers_pause_while_training_and_cancel_while_waiting(stage, label, store):
    run_id = add_run(store, add_dataset(store))
    job_id = store.add_job("head", {}, DATASET, run_id)
    store.update_job(job_id, stage=stage)
    page = visit("head")
    assert [button.label for button in page.button] == ["Add to the queue", label]
    page.button[1].click().run()
    assert store.job(job_id).stop_requested


def test_failed_head_shows_the_reason_and_can_be_resumed(store):
    run_id = add_run(store, add_dataset(store))
    store.fail_job(store.add_job("head", {}, DATASET, run_id), "The disk is *full*.")
    page = visit("head")
    assert page.error[0].value == r"The disk is \*full\*\."
    assert main_buttons(page) == ["Resume"]


def test_dead_worker_is_shown_dead(store):
    run_id = add_run(store, add_dataset(store))
    store.update_job(store.add_job("head", {}, DATASET, run_id), status="running", pid=2**22 - 1)
    assert "ended without finishing" in visit("head").error[0].value


@pytest.mark.usefixtures("expert")
def test_slider_tells_what_it_means_as_it_moves(store):
    add_run(store, add_dataset(store))
    page = visit("finetune")
    # The head's ten parameters train at every depth.
    for top, parameters, batch_norms in ((0, "10", "0"), (5, "60", "3"), (12, "130", "6")):
        page.number_input[0].set_value(top).run()
        assert [metric.value for metric in page.metric[:2]] == [parameters, batch_norms]
    assert r"layer\_0" in words(page)


@pytest.mark.usefixtures("expert")
def test_the_time_of_an_epoch_depends_on_the_batch_size(store):
    run_id = add_run(store, add_dataset(store))
    store.add_facts(run_id, {"seconds_per_image": 1.0, "training_images": 500, "validation_images": 15})
    page = visit("finetune")
    page.number_input[0].set_value(12).run()
    times = set()
    for size in (8, 128):
        page.select_slider[1].set_value(size).run()
        times.add(page.metric[2].value)
    assert len(times) == 2


def fine_tuned(store: Store, status: str) -> None:
    """A run with a phase 2 that ended so; epoch 9 is saved, epoch 10 is better and on record only."""
    run_id = add_run(store, add_dataset(store))
    store.set_fine_tune(run_id, FineTuneSettings(4, learning_rate=1e-5).to_json())
    for number, accuracy in ((9, 0.93), (10, 0.97)):
        store.add_epochs(run_id, [Epoch(number, 2, 0.4, 0.9, 1 - accuracy, accuracy, 0.1)])
    store.add_facts(run_id, {"fine_tune": {"best_epoch": 9}})
    job_id = store.add_job("fine_tune", {}, DATASET, run_id)
    if status == "failed":
        store.fail_job(job_id, "Killed.")
    else:
        store.set_result(run_id, 2)
        store.update_job(job_id, status=status)


@pytest.mark.parametrize("status", ["finished", "stopped"])
def test_fine_tune_page_tells_the_result_of_the_saved_model(store, status):
    fine_tuned(store, status)
    page = visit("finetune")
    assert "93.0%" in page.success[0].value
    assert "97.0%" not in words(page)


def test_a_killed_phase_two_is_not_called_a_failure_to_help(store):
    fine_tuned(store, "failed")
    page = visit("finetune")
    assert not page.success
    assert not page.info
    assert page.error[0].value == r"Killed\."
    assert main_buttons(page) == ["Resume"]


@pytest.mark.usefixtures("expert")
def test_a_harmful_phase_two_is_refused_until_the_person_insists(store):
    add_run(store, add_dataset(store))
    page = visit("finetune")
    start = next(button for button in page.button if button.label == "Start fine-tuning")
    assert not start.disabled
    page.select_slider[0].set_value(1e-3).run()
    assert "learning rate" in page.warning[0].value
    assert next(button for button in page.button if button.label == "Start fine-tuning").disabled
    page.checkbox[0].check().run()
    assert not next(button for button in page.button if button.label == "Start fine-tuning").disabled


@pytest.mark.usefixtures("expert")
@pytest.mark.parametrize(("image_size", "rate"), [(224, 1e-5), (96, 1e-4)])
def test_fine_tune_page_starts_at_the_advised_learning_rate(store, image_size, rate):
    store.add_facts(add_run(store, add_dataset(store)), {"image_size": image_size})
    page = visit("finetune")
    assert page.select_slider[0].value == pytest.approx(rate)
    assert ("is advised here" in words(page)) == (rate != 1e-5)
    assert not page.warning


def test_mistakes_are_listed_worst_first_with_both_confidences(store):
    images = add_dataset(store)
    add_run(store, images)
    drawn = cards(visit("mistakes"))
    assert [card["id"] for card in drawn] == [images[number].id for number in (0, 10)]
    assert [say(card).partition(". ")[0].rpartition(", ")[2] for card in drawn] == ["90% sure", "70% sure"]


def test_filters_open_a_cell_and_the_diagonal_shows_what_is_right(store):
    images = add_dataset(store)
    add_run(store, images)
    page = visit("mistakes")
    page.selectbox[0].set_value(TAG).run()
    assert len(cards(page)) == 1
    page.selectbox[1].set_value(TAG).run()
    assert len(cards(page)) == 4
    assert "These it gets right" in [each.value for each in page.header]


def test_very_many_classes_are_told_as_pairs(store):
    run_id = add_many_classes(store, confusion_figure.MOST_CLASSES + 1)
    page = unfold_panel(visit("mistakes"), f"confusion drawer of {run_id}")
    table = page.dataframe[0].value.to_dict("records")
    assert table == [
        {"true kind": "class 000", "taken for": "class 007", "images": 1},
        {"true kind": "class 001", "taken for": "class 007", "images": 1},
    ]
    assert len(cards(page)) == 2
