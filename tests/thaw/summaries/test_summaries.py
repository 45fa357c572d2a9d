"""What is kept of a large data set is what its rows say of its present state; the job that finds it is begun once."""

import dataclasses

import pytest

from tests.support.judged_runs import DATASET, add, images
from tests.support.judged_runs import store as store
from thaw.datasets import edits, health
from thaw.datasets.run_split import choose_split
from thaw.jobs import lifecycle
from thaw.storage.datasets import Arrival
from thaw.summaries import summarise, summary
from thaw.summaries.summarise import ask, latest_summarising, show_first
from thaw.summaries.summary import division_key, recall_findings, recall_groups
from thaw.training import teach
from thaw.worker import work
from tlcore.settings import HeadSettings


@pytest.fixture(autouse=True)
def large(monkeypatch):
    """Have every data set be a large one, and no process be started for it; return the jobs that were begun."""
    begun = []
    monkeypatch.setattr(summary, "LARGE", 0)
    monkeypatch.setattr(lifecycle, "launch", lambda store, job_id: begun.append(job_id))
    return begun


def look_through(store, begun):
    assert ask(store, store.dataset(DATASET)) is None or begun
    while begun:
        work(store, begun.pop(0))
    return ask(store, store.dataset(DATASET))


def test_what_is_kept_is_what_the_rows_say(store, large):
    odd = [
        dataclasses.replace(
            image, lookalike="twins", width=40, height=30, sharpness=2.0, contrast=50.0, part="validation"
        )
        for image in images(2, dated=True, first=500)
    ]
    add(store, each=20)
    store.add_to_dataset(DATASET, "folder", Arrival(odd))
    kept = look_through(store, large)
    parts = choose_split(store, DATASET, HeadSettings())
    for label, (training, validation, later) in kept.divisions[division_key(HeadSettings())].items():
        sides = [
            [image.label for image in side].count(label) for side in (parts.training, parts.validation, parts.later)
        ]
        assert [training, validation, later] == sides
    assert (kept.dated, kept.validation, kept.others, kept.middle_side) == (4, 4, 40, 300)
    assert {label: list(ids) for label, ids in kept.first.items()} == {
        label: [image.id for image in store.images(DATASET, label)] for label in ("rose", "tulip")
    }
    size = int(next(iter(kept.findings)))
    found = health.examine(store.images(DATASET), size)
    assert found
    assert recall_findings(store, DATASET, size) == found
    assert kept.findings == {str(size): len(found)}
    groups = recall_groups(store, DATASET)
    assert [{image.id for image in group} for group in groups] == [{image.id for image in odd}]
    assert groups.photos == 4


def test_a_data_set_that_has_changed_is_looked_through_again_and_shows_what_was_kept_until_then(store, large):
    add(store)
    before = look_through(store, large)
    first = show_first(store, store.dataset(DATASET), "rose", 3)
    edits.exclude_images(store, DATASET, [first[0].id])
    assert [image.id for image in show_first(store, store.dataset(DATASET), "rose", 3)] == [i.id for i in first[1:]]
    assert ask(store, store.dataset(DATASET)) == before
    after = look_through(store, large)
    assert after.recorded == store.dataset(DATASET).recorded > before.recorded
    assert [image.id for image in show_first(store, store.dataset(DATASET), "rose", 2)] == [i.id for i in first[1:3]]


def test_another_division_is_found_beside_the_first(store, large):
    add(store)
    look_through(store, large)
    half = HeadSettings(validation_split=0.5)
    assert division_key(half) not in ask(store, store.dataset(DATASET), half).divisions
    work(store, large.pop())
    kept = ask(store, store.dataset(DATASET), half)
    assert kept.divisions[division_key(half)]["rose"] == [10, 10, 0]
    assert kept.divisions[division_key(HeadSettings())]["rose"] == [16, 4, 0]
    assert not large


def test_a_job_that_goes_on_or_failed_is_not_begun_again(store, large):
    add(store)
    for _ in range(3):
        assert ask(store, store.dataset(DATASET)) is None
    assert len(large) == 1
    store.fail_job(large[0], "The disk is full.")
    ask(store, store.dataset(DATASET))
    assert latest_summarising(store, DATASET).id == large[0]
    edits.exclude_images(store, DATASET, [images(1)[0].id])
    ask(store, store.dataset(DATASET))
    assert len(large) == 2


def test_one_that_died_is_begun_once_more_and_another_question_is_asked_all_the_same(store, large):
    add(store)
    for begun in (1, 2, 2):
        ask(store, store.dataset(DATASET))
        assert len(large) == begun
        store.fail_job(large[-1], lifecycle.SUMMARY_DIED)
    assert teach.refuse(store, store.dataset(DATASET), HeadSettings()) is None
    ask(store, store.dataset(DATASET), HeadSettings(seed=5))
    assert len(large) == 3
    assert teach.refuse(store, store.dataset(DATASET), HeadSettings(seed=5)) == teach.LOOKING


def test_a_data_set_that_cannot_be_divided_says_why(store, large):
    store.add_dataset(DATASET, "photos", "folder", Arrival([image for image in images(3) if image.label == "rose"]))
    assert "Add a second folder" in look_through(store, large).divisions[division_key(HeadSettings())]


def test_the_journal_grows_with_what_a_check_measured(store):
    add(store)
    before = store.dataset(DATASET).recorded
    store.set_similar(DATASET, {images(1)[0].id: "key"})
    assert store.dataset(DATASET).recorded > before


def test_photos_are_shown_before_anything_is_kept(store, large):
    add(store)
    shown = show_first(store, store.dataset(DATASET), "tulip", 5)
    assert [image.name for image in shown] == sorted(image.name for image in images(20) if image.label == "tulip")[:5]
    assert summarise.read_summary(store, DATASET) is None
