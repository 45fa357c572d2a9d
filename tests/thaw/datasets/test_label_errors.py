"""Wrong labels that were planted in real sets are found, told of, and gone once they are put right."""

import shutil
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.support.command_line import ask
from tests.support.models.clusters import clusters
from thaw.datasets import edits
from thaw.datasets.cross_validation import cross_validate
from thaw.datasets.health import Finding, examine
from thaw.datasets.label_errors import LabelError, find_label_errors, measure_thresholds
from thaw.sources.samples import write_digits
from thaw.storage.facts import Accuracy, CheckFacts
from thaw.storage.records import Check, read_doubts
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work

PLANTED_SHARE = 0.05
DIGITS, EACH, PLANTED_OF_EACH = ("0", "1", "4"), 40, 2


def plant(classes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give some rows another class; return all classes as given, and the rows."""
    chance, number = np.random.default_rng(seed), classes.max() + 1
    rows = chance.choice(len(classes), round(PLANTED_SHARE * len(classes)), replace=False)
    given = classes.copy()
    given[rows] = (given[rows] + chance.integers(1, number, len(rows))) % number
    return given, rows


def test_a_small_case_agrees_with_a_calculation_by_hand():
    first = np.array([0.9, 0.8, 0.1, 0.45, 0.2, 0.1, 0.7])
    probabilities, given = np.stack([first, 1 - first], axis=1), np.array([0, 0, 0, 0, 1, 1, 1])
    # (0.9 + 0.8 + 0.1 + 0.45) / 4 and (0.8 + 0.9 + 0.3) / 3: row 3 leans to the other class and does not reach it.
    assert measure_thresholds(probabilities, given) == pytest.approx([0.5625, 2 / 3])
    # So 1 of 3 that count and are given the first class is wrong, and 1 of 3 of the second: 4/3 + 3/3, or 2 of all.
    found = find_label_errors(probabilities, given)
    assert [(each.row, each.suggested) for each in found] == [(2, 1), (6, 0)]
    assert [each.margin for each in found] == pytest.approx([0.8, 0.4])


def test_of_several_other_classes_the_likeliest_is_suggested():
    probabilities = np.array([[0.8, 0.1, 0.1], [0.15, 0.45, 0.4], [0.1, 0.4, 0.5], [0.0, 0.45, 0.55]])
    assert find_label_errors(probabilities, np.array([0, 1, 2, 0])) == [LabelError(3, 2, 0.55)]


def test_a_class_less_likely_than_the_given_one_is_not_suggested():
    first = np.array([0.95, 0.95, 0.55, 0.6, 0.6])
    given = np.array([0, 0, 0, 1, 1])
    # Row 2 reaches the low threshold of class 1 and not the high one of class 0, of which it is nevertheless likelier;
    # rows 3 and 4 are as much of class 1 as any image that was given it.
    assert find_label_errors(np.stack([first, 1 - first], axis=1), given) == []


def test_a_class_that_nothing_was_given_is_never_suggested():
    probabilities = np.array([[0.9, 0.1, 0.0], [0.05, 0.05, 0.9], [0.2, 0.8, 0.0], [0.9, 0.1, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = find_label_errors(probabilities, np.array([0, 0, 1, 1]))
    assert (found.row, found.suggested) == (3, 0)


def test_errors_planted_in_real_digits_are_in_the_first_tenth():
    digits = load_digits()
    given, planted = plant(digits.target, seed=0)
    estimate = cross_validate(digits.data.astype(np.float32), given)
    found = find_label_errors(estimate.probabilities, given)
    first_tenth = found[: len(given) // 10]
    assert len({each.row for each in first_tenth} & set(planted)) >= 0.8 * len(planted)
    margins = [each.margin for each in found]
    assert margins == sorted(margins, reverse=True)
    assert 0 < margins[-1] < margins[0] <= 1
    put_right = sum(each.suggested == digits.target[each.row] for each in found if each.row in planted)
    assert put_right >= 0.8 * len(planted)


def test_a_clean_set_of_distant_classes_has_few():
    features, classes = clusters(300, 3)
    found = find_label_errors(cross_validate(features, classes).probabilities, classes)
    assert len(found) <= 3


def test_a_check_from_before_there_were_any_has_none():
    assert read_doubts(None) == []
    measured = CheckFacts(Accuracy(0.9, 0.8, 1.0), Accuracy(0.9, 0.8, 1.0), images=80, groups=0)
    assert read_doubts(Check("efficientnet-lite0", 1, 0.0, measured)) == []


@pytest.fixture
def store(tmp_path) -> Store:
    """A workspace with 40 pictures of each of three digits."""
    photos, store = write_digits(tmp_path / "photos"), Store(open_workspace(tmp_path / "workspace"))
    for folder in photos.iterdir():
        if folder.name not in DIGITS:
            shutil.rmtree(folder)
            continue
        for path in sorted(folder.iterdir())[EACH:]:
            path.unlink()
    work(store, store.add_job("import", {"kind": "folder", "path": str(photos), "name": "digits"}))
    return store


def mislabelled(store: Store, dataset_id: str) -> Finding | None:
    found = examine(
        store.images(dataset_id), 96, edits.ignored(store, dataset_id), check=store.latest_check(dataset_id)
    )
    return next((finding for finding in found if finding.kind == "mislabelled"), None)


def test_a_check_finds_planted_errors_which_are_gone_when_they_are_put_right(store):
    (dataset,) = store.datasets()
    chosen = {label: [image.id for image in store.images(dataset.id, label)[:PLANTED_OF_EACH]] for label in DIGITS}
    planted = {image_id: label for label, ids in chosen.items() for image_id in ids}
    for ids, wrong in zip(chosen.values(), (*DIGITS[1:], DIGITS[0]), strict=True):
        edits.move_images(store, dataset.id, ids, wrong)
    assert mislabelled(store, dataset.id) is None
    told = ask(store, "check", dataset.id)
    finding = mislabelled(store, dataset.id)
    found = [image_id for image_id in planted if finding.suggestions.get(image_id) == planted[image_id]]
    assert len(found) >= 0.8 * len(planted)
    assert len(finding.images) <= 2 * len(planted)
    assert [each["image"] for each in told["label_errors"]] == [image.name for image in finding.images]
    assert [each["suggested"] for each in told["label_errors"]] == [*finding.suggestions.values()]
    for label, ids in chosen.items():
        edits.move_images(store, dataset.id, ids, label)
    left = mislabelled(store, dataset.id)
    assert {image.id for image in (left.images if left else ())} == set(finding.suggestions) - set(planted)
