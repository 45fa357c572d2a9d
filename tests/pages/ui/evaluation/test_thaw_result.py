"""The banner of a phase 2 that has ended: its score, the photos that changed sides, and what to try if none did."""

import os

import pytest
from filelock import FileLock

from pages.ui.evaluation.thaw_result import label
from tests.support.pages import (
    CLASS_SIZE,
    DATASET,
    add_dataset,
    add_run,
    drawn_html,
    figures,
    press,
    unfold_panel,
    visit,
    words,
)
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from tests.support.thawed import answer, thaw
from thaw.storage.store import Store
from thaw.training.shortfall import Reason, Shortfall
from tlcore.settings import FineTuneSettings

# The head's epoch that is kept, the third, has a loss of 0.5 and a validation loss of 0.5.
TOO_SMALL = ((0.5, 0.5), (0.49, 0.5), (0.49, 0.5))
TOO_DEEP = ((0.3, 0.5), (0.2, 0.55), (0.1, 0.6))
TOO_FEW = ((0.3, 0.5), (0.2, 0.5), (0.1, 0.5))
TOO_SOON = ((0.4, 0.6), (0.38, 0.58), (0.36, 0.56), (0.34, 0.54))
TOO_LARGE = ((0.9, 0.9), (0.8, 0.9))


@pytest.fixture
def run_id(store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run whose head is trained; what is started from now on stays at its start."""
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    return add_run(store, add_dataset(store))


@pytest.mark.usefixtures("expert")
def test_the_banner_counts_the_exam_photos_and_shows_which_changed_sides(store, run_id):
    thaw(store, run_id, ((0.4, 0.4),), result=2, accuracy=0.93)
    # The head has 0 and 5 wrong.
    answer(store, run_id, 7)
    page = visit("finetune")
    assert not page.exception
    drawn = drawn_html(page)
    assert 'data-testid="thaw-score"><b>13 → 14</b> of 15' in drawn
    right, wrong = drawn.index("Turned right (2)"), drawn.index("Turned wrong (1)")
    places = [drawn.index(f"/thaw/thumbnail/{DATASET}/img-{number:012x}") for number in (0, CLASS_SIZE, CLASS_SIZE + 2)]
    assert right < min(places[:2]) < max(places[:2]) < wrong < places[2]
    assert "**90.0%** to **93.0%** in round 1 of 1" in page.success[0].value
    assert "<dt>" not in drawn
    assert drawn_html(unfold_panel(page, f"changes of {run_id}")).count("<dt>fine-tuned says</dt>") == 3


def test_where_no_photo_changed_sides_it_says_so(store, run_id):
    thaw(store, run_id, ((0.4, 0.4),), result=2, accuracy=0.9)
    answer(store, run_id, 0, 5)
    page = visit("finetune")
    assert "13 → 13" in drawn_html(page)
    assert "No exam photo changed sides" in words(page)
    assert "is surer of it (loss 0.500 to 0.400)" in page.success[0].value


@pytest.mark.parametrize(
    ("losses", "why", "button", "advised"),
    [
        (TOO_SMALL, "its steps were too small", "Start again: larger steps (learning rate 3e-05)", (12, 4, 3e-5)),
        (TOO_LARGE, "its steps were too large", "Start again: smaller steps (learning rate 1e-06)", (12, 4, 1e-6)),
        (TOO_DEEP, "it went too deep", "Start again: 4 layers", (4, 4, 1e-5)),
        (TOO_SOON, "it ended too soon", "Start again: up to 8 rounds (epochs)", (12, 8, 1e-5)),
    ],
)
def test_the_button_starts_exactly_what_is_advised(store, run_id, losses, why, button, advised):
    thaw(store, run_id, losses)
    page = visit("finetune")
    (told,) = [each.value for each in page.info]
    assert "it reached **80.0%** of the exam photos, and the head alone had **90.0%**, because" in told
    assert why in told
    page = press(page, button)
    assert not page.exception
    (job,) = store.queue()
    started = store.run(job.run_id)
    assert started.facts.branched_from == run_id
    assert (started.fine_tune.layers, started.fine_tune.epochs, started.fine_tune.learning_rate) == advised
    assert page.query_params["run"] in (job.run_id, [job.run_id])


def test_too_few_photos_lead_to_where_photos_are_added(store, run_id):
    thaw(store, run_id, TOO_FEW)
    page = visit("finetune")
    assert "there are too few photos" in page.info[0].value
    assert next(link.label for link in page.get("page_link")) == "Add photos"
    assert not [button.label for button in page.button if button.label.startswith("Start again")]


def test_a_paused_phase_two_points_to_resume(store, run_id):
    thaw(store, run_id, TOO_SMALL, status="stopped")
    page = visit("finetune")
    assert "it was paused after 3 rounds: Resume goes on from there" in page.info[0].value
    labels = [button.label for button in page.button]
    assert "Resume" in labels
    assert not [each for each in labels if each.startswith("Start again")]


@pytest.mark.usefixtures("expert")
def test_while_it_learns_there_is_one_curve_that_begins_at_the_head(store, run_id):
    thaw(store, run_id, TOO_SMALL, status="running")
    store.update_job(store.latest_job(run_id).id, pid=os.getpid())
    with FileLock(store.workspace.job_lock(store.latest_job(run_id).id)):
        page = visit("finetune")
        (drawing,) = figures(page)
        assert drawing["data"][0]["y"] == [0.9, 0.8, 0.8, 0.8]
        assert not page.info
        both = unfold_panel(page, f"curves of {run_id}")
        assert len(figures(both)) == 2


def test_before_phase_two_there_is_no_curve_and_no_banner(store, run_id):
    page = visit("finetune")
    assert not figures(page)
    assert "thaw-score" not in drawn_html(page)


def test_while_the_device_is_busy_the_button_names_the_queue():
    shallower = Shortfall(Reason.TOO_DEEP, FineTuneSettings(4, learning_rate=1e-6))
    asked = FineTuneSettings(12, learning_rate=1e-5)
    assert label(shallower, asked, True) == "Add to the queue: 4 layers and smaller steps (learning rate 1e-06)"
    assert label(shallower, asked, False).startswith("Start again: 4 layers and")
