"""Teaching by itself: a data set is taught once as it stands, again when it has changed, and graded by its exam."""

import json
from dataclasses import replace

import pytest

from thaw.datasets import edits
from thaw.datasets.run_split import LABELS_FILE
from thaw.jobs import lifecycle
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.training import teach
from thaw.training.teach import Exam
from thaw.worker import work
from tlcore.settings import HeadSettings

pytestmark = pytest.mark.usefixtures("warm_decoder")

SETTINGS = HeadSettings()


@pytest.fixture
def own_store(tmp_path, tiny_photos, monkeypatch):
    """Return a store of its own with the tiny photos; no process is started."""
    monkeypatch.setattr(lifecycle, "launch", lambda *_: None)
    store = Store(open_workspace(tmp_path / "workspace"))
    work(store, store.add_job("import", {"kind": "folder", "path": str(tiny_photos), "name": "Tiny photos"}))
    return store


def dataset_of(store):
    return store.datasets()[0]


def finish(store, run_id, version):
    """Record what a worker would have recorded."""
    job = store.latest_job(run_id)
    store.add_facts(run_id, {"dataset_version": version, "validation_images": 40})
    store.add_phase_facts(run_id, "head", {"accuracies": {"validation": 0.825}})
    store.set_result(run_id, 1)
    store.update_job(job.id, status="finished")


def write_labels(store, run_id, labels):
    """Record the classes that a run learns, as its worker would."""
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LABELS_FILE).write_text(json.dumps(labels), encoding="utf-8")


def test_what_is_asked_twice_is_taught_once_and_what_is_taught_is_not_taught_again(own_store):
    store, dataset = own_store, dataset_of(own_store)
    run_id = teach.teach(store, dataset, SETTINGS)
    assert teach.teach(store, dataset, SETTINGS) == run_id
    finish(store, run_id, dataset.version)
    assert teach.teach(store, dataset, SETTINGS) == run_id
    assert [run.id for run in store.runs()] == [run_id]


def test_photos_that_have_changed_are_taught_again_and_the_outdated_lesson_is_stopped(own_store):
    store, dataset = own_store, dataset_of(own_store)
    first = teach.teach(store, dataset, SETTINGS)
    store.add_facts(first, {"dataset_version": dataset.version})
    other = store.add_run(dataset.id, SETTINGS.backbone, replace(SETTINGS, seed=7).to_json())
    others = store.add_job("head", {}, dataset.id, other)
    edits.exclude_images(store, dataset.id, [store.images(dataset.id)[0].id])
    second = teach.teach(store, dataset_of(store), SETTINGS)
    assert second != first
    assert store.latest_job(first).stop_requested
    assert not store.job(others).stop_requested


def test_an_outdated_lesson_of_a_class_that_no_model_knows_goes_on(own_store):
    store, dataset = own_store, dataset_of(own_store)
    known, new = sorted(dataset.classes)[:-1], sorted(dataset.classes)
    old = teach.teach(store, dataset, SETTINGS)
    write_labels(store, old, known)
    finish(store, old, dataset.version - 1)
    first = teach.teach(store, dataset, SETTINGS)
    write_labels(store, first, new)
    store.add_facts(first, {"dataset_version": dataset.version})
    edits.exclude_images(store, dataset.id, [store.images(dataset.id)[0].id])
    assert teach.teach(store, dataset_of(store), SETTINGS) != first
    assert not store.latest_job(first).stop_requested
    assert [run.id for run, _ in [teach.find_earlier(store, dataset_of(store), SETTINGS)]] == [first]
    write_labels(store, old, new)
    teach.teach(store, dataset_of(store), SETTINGS)
    assert store.latest_job(first).stop_requested


def test_the_lessons_tell_of_the_newest_model_and_of_what_is_learnt_now(own_store):
    store, dataset = own_store, dataset_of(own_store)
    assert teach.find_lessons(store, dataset, SETTINGS) == teach.Lessons(None, None, None)
    run_id = teach.teach(store, dataset, SETTINGS)
    assert teach.find_lessons(store, dataset, SETTINGS).run.id == run_id
    finish(store, run_id, dataset.version)
    edits.exclude_images(store, dataset.id, [store.images(dataset.id)[0].id])
    lessons = teach.find_lessons(store, dataset_of(store), SETTINGS)
    assert (lessons.run, lessons.best.id) == (None, run_id)
    assert teach.grade(lessons.best) == Exam(33, 40)
    assert teach.find_lessons(store, dataset_of(store), HeadSettings(backbone="efficientnet-lite1")).best is None


def test_a_run_without_a_model_has_no_grade(own_store):
    run_id = teach.teach(own_store, dataset_of(own_store), SETTINGS)
    assert teach.grade(own_store.run(run_id)) is None


def test_one_class_is_refused_with_the_reason(own_store):
    store, dataset = own_store, dataset_of(own_store)
    assert teach.refuse(store, dataset, SETTINGS) is None
    for label in list(dataset.classes)[1:]:
        edits.delete_class(store, dataset.id, label)
    assert "at least 2 classes" in teach.refuse(store, dataset_of(store), SETTINGS)
