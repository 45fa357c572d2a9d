"""What was fixed since a run saw its data set, and the run that learns from it."""

import pytest

from tests.support.judged_runs import DATASET, add, images, run_of
from tests.support.judged_runs import store as store
from thaw.datasets import edits
from thaw.retraining.fixes import list_fixes, retrain
from thaw.storage.facts import RunFacts
from thaw.storage.store import Store
from tlcore.environment import KEPT_MEMORY
from tlcore.errors import RunError
from tlcore.settings import HeadSettings

SETTINGS = HeadSettings(dropout=0.35, seed=4, epochs=7)


@pytest.fixture
def run_id(store: Store) -> str:
    add(store, each=40)
    return run_of(store, SETTINGS, {"validation": 4})


def test_fixes_are_what_stands_otherwise_than_the_run_saw(store, run_id):
    run = store.run(run_id)
    assert list_fixes(store, run) == {}
    first, second, third = (each.id for each in images(2)[:3])
    edits.move_images(store, DATASET, [first], "tulip")
    edits.exclude_images(store, DATASET, [second])
    edits.move_images(store, DATASET, [third], "tulip")
    assert list_fixes(store, run) == {first: "tulip", second: None, third: "tulip"}
    edits.undo(store, DATASET)
    edits.move_images(store, DATASET, [first], "rose")
    assert list_fixes(store, run) == {second: None}
    edits.undo(store, DATASET)
    assert list_fixes(store, run) == {first: "tulip", second: None}


def test_a_run_without_a_record_of_its_split_has_no_fixes(store):
    add(store)
    run = store.run(store.add_run(DATASET, SETTINGS.backbone, SETTINGS.to_json()))
    edits.exclude_images(store, DATASET, [images(1)[0].id])
    assert list_fixes(store, run) == {}


def test_retraining_starts_a_run_with_the_same_settings_that_knows_where_it_came_from(store, run_id, monkeypatch):
    launched = []
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda _, *how: launched.append(how))
    retrained = store.run(retrain(store, run_id))
    assert retrained.head == SETTINGS
    assert (retrained.dataset_id, retrained.backbone) == (DATASET, SETTINGS.backbone)
    assert retrained.facts == RunFacts(retrained_from=run_id, asked_at_version=store.dataset(DATASET).version)
    job = store.latest_job(retrained.id)
    assert launched == [(job.id, KEPT_MEMORY)]
    assert job.kind == "head"


def test_one_head_is_retrained_at_a_time(store, run_id, monkeypatch):
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    first = retrain(store, run_id)
    with pytest.raises(RunError, match="Expected no retraining of this data set to be going on"):
        retrain(store, run_id)
    store.update_job(store.latest_job(first).id, status="stopped")
    assert retrain(store, run_id) != first
