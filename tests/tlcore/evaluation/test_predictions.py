"""Mistakes and confusion from predictions, against counts made by others."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from thaw.datasets.run_split import write_split
from thaw.runs.results import read_predictions
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import RunError
from tlcore.evaluation.predictions import Predictions, confusion, find_mistakes
from tlcore.files import save_arrays
from tlcore.settings import HeadSettings
from tlcore.splits.splits import Split

LABELS = ["lily", "rose", "tulip"]


def image(number, label, name=None):
    return Image(f"img-{number}", label, name or f"{label}/{number}.jpg", f"{number:064x}", 30, 20, suffix=".jpg")


def predictions_of(*rows):
    """Make predictions from (label, name, probabilities) triples."""
    images = [image(number, label, name) for number, (label, name, _) in enumerate(rows)]
    return Predictions(images, LABELS, np.array([row[2] for row in rows], np.float32))


@pytest.fixture
def random_predictions():
    chance = np.random.default_rng(2)
    images = [image(number, LABELS[number % 3]) for number in range(200)]
    return Predictions(images, LABELS, chance.dirichlet([1, 1, 1], 200).astype(np.float32))


def test_confusion_and_accuracy_are_those_of_scikit_learn(random_predictions):
    true = [one.label for one in random_predictions.images]
    predicted = [LABELS[number] for number in random_predictions.probabilities.argmax(axis=1)]
    matrix = confusion(random_predictions)
    np.testing.assert_array_equal(matrix, confusion_matrix(true, predicted, labels=LABELS))
    assert matrix.dtype == np.int64
    assert random_predictions.accuracy == pytest.approx(accuracy_score(true, predicted))
    assert np.trace(matrix) + len(find_mistakes(random_predictions)) == matrix.sum() == 200


def test_a_class_that_is_never_predicted_keeps_its_row_and_column():
    matrix = confusion(predictions_of(("lily", "a", [0.9, 0.1, 0.0]), ("lily", "b", [0.2, 0.8, 0.0])))
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_mistakes_come_with_the_largest_gap_first():
    mistakes = find_mistakes(
        predictions_of(
            ("lily", "doubtful", [0.40, 0.45, 0.15]),
            ("rose", "right", [0.10, 0.80, 0.10]),
            ("tulip", "sure", [0.05, 0.90, 0.05]),
            ("tulip", "middling", [0.60, 0.10, 0.30]),
        )
    )
    assert [mistake.name for mistake in mistakes] == ["sure", "middling", "doubtful"]
    first = mistakes[0]
    assert (first.image_id, first.true, first.predicted) == ("img-2", "tulip", "rose")
    assert (first.confidence, first.true_confidence) == (pytest.approx(0.9), pytest.approx(0.05))
    assert first.confidence_gap == pytest.approx(0.85)


def test_equal_gaps_are_ordered_by_name():
    row = [0.75, 0.25, 0.0]
    mistakes = find_mistakes(predictions_of(("rose", "b", row), ("rose", "c", row), ("rose", "a", row)))
    assert [mistake.name for mistake in mistakes] == ["a", "b", "c"]
    assert {mistake.confidence_gap for mistake in mistakes} == {0.5}


def test_a_tie_between_classes_goes_to_the_first_and_counts_once():
    predictions = predictions_of(("lily", "a", [0.5, 0.5, 0.0]), ("rose", "b", [0.5, 0.5, 0.0]))
    mistakes = find_mistakes(predictions)
    assert [(mistake.name, mistake.predicted, mistake.confidence_gap) for mistake in mistakes] == [("b", "lily", 0)]
    assert confusion(predictions).tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]


@pytest.fixture
def recorded(tmp_path):
    store = Store(open_workspace(tmp_path))
    store.add_dataset("data-1", "Flowers", "here", Arrival([image(n, LABELS[n % 3]) for n in range(6)]))
    return store, store.add_run("data-1", "resnet50", HeadSettings().to_json())


def write_phase(store, run_id, phase, ids, probabilities):
    folder = store.workspace.run(run_id)
    images = {image.id: image for image in store.images("data-1")}
    write_split(store, run_id, Split([], [images[each] for each in ids], LABELS))
    arrays = {"image_ids": np.array(ids), "probabilities": np.array(probabilities, np.float32)}
    save_arrays(folder / f"predictions-{phase}.npz", arrays)


def test_reads_the_result_unless_another_phase_is_asked_for(recorded):
    store, run_id = recorded
    write_phase(store, run_id, 1, ["img-4", "img-0"], [[0, 1, 0], [1, 0, 0]])
    write_phase(store, run_id, 2, ["img-4", "img-0"], [[1, 0, 0], [1, 0, 0]])
    store.set_result(run_id, 2)
    result, head = (read_predictions(store, store.run(run_id), phase) for phase in (None, 1))
    assert [one.id for one in result.images] == ["img-4", "img-0"]
    assert (result.accuracy, head.accuracy) == (0.5, 1.0)
    assert find_mistakes(head) == []


def test_a_run_without_a_model_has_no_predictions(recorded):
    store, run_id = recorded
    with pytest.raises(RunError, match="has no model yet"):
        read_predictions(store, store.run(run_id))
    write_phase(store, run_id, 1, ["img-0"], [[1, 0, 0]])
    store.set_result(run_id, 1)
    with pytest.raises(RunError, match="has no model yet"):
        read_predictions(store, store.run(run_id), phase=2)
