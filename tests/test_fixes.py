"""What was fixed since a run saw its data set, and what the fixes bring to a head that learns again."""

import numpy as np
import pytest

from tests.test_evaluation_sets import DATASET, LABELS, add, images, run_of
from tests.test_evaluation_sets import store as store
from tlcore import edits
from tlcore.evaluation import predictions_file, read_predictions
from tlcore.fixes import list_fixes, measure_effect, retrain
from tlcore.run_split import write_split
from tlcore.settings import HeadSettings
from tlcore.splits import Split
from tlcore.store import Store

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
    monkeypatch.setattr("tlcore.jobs.launch", lambda _, job_id, module, subject: launched.append((module, subject)))
    retrained = store.run(retrain(store, run_id))
    assert HeadSettings.from_json(retrained.head) == SETTINGS
    assert (retrained.dataset_id, retrained.backbone) == (DATASET, SETTINGS.backbone)
    assert retrained.facts == {"retrained_from": run_id}
    assert launched == [("tlcore.worker", retrained.id)]
    assert store.latest_job(retrained.id).kind == "head"


def answer(store: Store, run_id: str, wrong: set[str]) -> None:
    """Let the head of a run take the `wrong` validation images, by id, for another class, and get the rest right."""
    predictions = read_predictions(store, store.run(run_id), phase=1)
    shares = np.full(predictions.probabilities.shape, 0.1, dtype=np.float32)
    for row, image in enumerate(predictions.images):
        true = predictions.labels.index(image.label)
        shares[row, (true + 1) % len(predictions.labels) if image.id in wrong else true] = 0.8
    ids = np.array([image.id for image in predictions.images])
    np.savez(store.workspace.run(run_id) / predictions_file(1, "validation"), image_ids=ids, probabilities=shares)


def test_the_effect_counts_what_was_fixed_and_broken_on_the_images_of_both(store, run_id):
    judged = [image.id for image in read_predictions(store, store.run(run_id)).images]
    answer(store, run_id, set(judged[:4]))
    edits.exclude_images(store, DATASET, [judged[0]])
    later = run_of(store, SETTINGS, {})
    store.add_facts(later, {"retrained_from": run_id})
    shared = [image.id for image in read_predictions(store, store.run(later)).images if image.id in judged]
    assert judged[0] not in shared
    answer(store, later, {shared[-1]})
    effect = measure_effect(store, store.run(later))
    still_wrong = set(shared) & set(judged[1:4])
    assert (effect.verdict.first_alone, effect.verdict.second_alone) == (len(still_wrong), 1)
    assert len(still_wrong) == 3
    assert effect.verdict.images == (len(shared), len(shared))
    assert effect.before == pytest.approx(1 - 4 / len(judged))
    assert effect.after == pytest.approx(1 - 1 / len(read_predictions(store, store.run(later)).images))


def test_the_labels_that_count_are_those_of_now_even_of_a_class_that_is_new(store, run_id):
    judged = [image.id for image in read_predictions(store, store.run(run_id)).images]
    answer(store, run_id, set())
    edits.move_images(store, DATASET, judged[:6], "lily")
    later = store.add_run(DATASET, SETTINGS.backbone, SETTINGS.to_json())
    store.add_facts(later, {"retrained_from": run_id})
    _record(store, later, judged, [*LABELS, "lily"])
    answer(store, later, set())
    effect = measure_effect(store, store.run(later))
    # The earlier head knew no lily, so that it is wrong about each of the six.
    assert (effect.verdict.first_alone, effect.verdict.second_alone) == (6, 0)
    assert effect.verdict.points == pytest.approx(100 * 6 / len(judged))


def test_no_effect_without_an_earlier_run_or_its_model(store, run_id):
    assert measure_effect(store, store.run(run_id)) is None
    waiting = store.add_run(DATASET, SETTINGS.backbone, SETTINGS.to_json())
    store.add_facts(run_id, {"retrained_from": waiting})
    assert measure_effect(store, store.run(run_id)) is None
    store.add_facts(run_id, {"retrained_from": "run-000000000000"})
    assert measure_effect(store, store.run(run_id)) is None


def _record(store: Store, run_id: str, judged: list[str], labels: list[str]) -> None:
    """Record a run that is judged on the images `judged` as they stand now, with a head that knows `labels`."""
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True)
    standing = [image for image in store.images(DATASET) if image.id in judged]
    training = [image for image in store.images(DATASET) if image.id not in judged]
    write_split(store, run_id, Split(training=training, validation=standing, labels=labels))
    ids = np.array([image.id for image in standing])
    empty = np.zeros((len(ids), len(labels)), dtype=np.float32)
    np.savez(folder / predictions_file(1, "validation"), image_ids=ids, probabilities=empty)
    store.set_result(run_id, 1)
