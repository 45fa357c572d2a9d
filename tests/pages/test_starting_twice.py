"""Two clicks on a button that starts something: the second shows what the first has started."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.pages import DATASET, add_dataset, add_run, press, visit, words
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from thaw.datasets import edits
from thaw.jobs import starts
from thaw.storage.store import Store
from tlcore.settings import HeadSettings

FINE_TUNE = "Let the eye adapt (fine-tune)"
TWICE = "no second one was started"


@pytest.fixture
def trained(store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run whose head is trained; what is started from now on stays at its start."""
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    monkeypatch.setattr("thaw.projects.jobs.launch", lambda *_: None)
    return add_run(store, add_dataset(store))


def start(page: AppTest, *labels: str) -> AppTest:
    return press(page, next(button.label for button in page.button if button.label in labels))


def start_head(page: AppTest) -> AppTest:
    return start(page, "Start training", "Add to the queue")


def test_a_second_click_on_start_shows_the_run_of_the_first(store, trained):
    page = start_head(visit("head"))
    (started,) = (job.run_id for job in store.queue())
    assert page.query_params["run"] in (started, [started])
    assert TWICE not in words(page)
    page = start_head(page)
    assert not page.exception
    assert [job.run_id for job in store.queue()] == [started]
    assert page.query_params["run"] in (started, [started])
    assert TWICE in words(page)


def test_a_click_with_the_address_from_before_the_first_shows_the_new_run(store, trained):
    page = visit("head", run=trained)
    start_head(page)
    (started,) = (job.run_id for job in store.queue())
    page.query_params["run"] = trained
    page = start_head(page)
    assert [job.run_id for job in store.queue()] == [started]
    assert page.query_params["run"] in (started, [started])


@pytest.mark.usefixtures("expert")
def test_other_settings_are_another_run(store, trained):
    page = start_head(visit("head"))
    next(field for field in page.number_input if field.label.startswith("Patience")).set_value(9).run()
    page = start_head(page)
    first, second = store.queue()
    assert (store.run(first.run_id).head.patience, store.run(second.run_id).head.patience) == (5, 9)
    assert TWICE not in words(page)


def test_a_data_set_that_has_changed_since_is_another_run(store, trained):
    settings = HeadSettings()
    run_id = starts.start_head(store, DATASET, settings)
    assert starts.find_head(store, DATASET, settings) == run_id
    store.add_facts(run_id, {"dataset_version": store.dataset(DATASET).version})
    assert starts.find_head(store, DATASET, settings) == run_id
    edits.exclude_images(store, DATASET, ["img-000000000003"])
    assert starts.find_head(store, DATASET, settings) is None


def test_a_run_that_is_being_cancelled_does_not_stand_for_a_new_one(store, trained):
    run_id = starts.start_head(store, DATASET, HeadSettings())
    store.ask_to_stop(store.latest_job(run_id).id)
    assert starts.find_head(store, DATASET, HeadSettings()) is None


def test_a_second_click_on_fine_tuning_branches_no_second_run(store, trained):
    page = start(visit("finetune"), FINE_TUNE)
    store.update_job(store.latest_job(trained).id, status="finished")
    page = start(page.run(), FINE_TUNE)
    (job,) = store.queue()
    assert store.run(job.run_id).facts.branched_from == trained
    page.query_params["run"] = trained
    page = visit("finetune", run=trained)
    page = start(page, "Add to the queue")
    assert not page.exception
    assert [each.id for each in store.queue()] == [job.id]
    assert page.query_params["run"] in (job.run_id, [job.run_id])
    assert TWICE in words(page)


def test_a_second_click_on_a_sample_follows_the_import_of_the_first(store, trained):
    page = press(visit("data"), "Use the sample digits")
    (job,) = store.jobs("import")
    page = press(page, "Use the sample digits")
    assert [each.id for each in store.jobs("import")] == [job.id]
    assert "is going on already" in page.toast[0].value
