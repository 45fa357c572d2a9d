"""Runs between which photos were fixed are judged alike; runs of other splits and data sets stay as they are."""

import dataclasses

import numpy as np
import pytest

from tests.support.comparisons import LABELS, entry, judged
from thaw.runs.comparison import level, warn
from thaw.runs.significance import judge
from tlcore.evaluation.predictions import Predictions, relabel


def at(moment, told):
    return dataclasses.replace(told, run=dataclasses.replace(told.run, number=moment))


def told_apart(predictions):
    return {image.id: image.label for image in predictions.images}


def test_an_earlier_run_is_judged_by_the_labels_that_the_newest_saw():
    # Its one mistake was a wrong label: the model had been right all along.
    before = judged([True] * 19 + [False])
    after = judged([True] * 20, relabelled=(19,))
    new, old = level([at(2, entry("A", after)), at(1, entry("B", before))])
    assert new.judged is after
    assert new.told is None
    assert (old.judged.accuracy, old.told) == (1, 0.95)
    assert told_apart(old.judged) == told_apart(after)
    assert judge(new.judged, old.judged).paired
    assert warn([new, old]) is None


def test_what_was_excluded_in_between_judges_neither():
    before = judged([False] + [True] * 19)
    after = Predictions(before.images[1:], LABELS, before.probabilities[1:])
    old, new = level([at(1, entry("A", before)), at(2, entry("B", after))])
    assert "img-0" not in told_apart(old.judged)
    assert (len(old.judged.images), old.judged.accuracy, old.told) == (19, 1, 0.95)
    assert new.told is None
    # And the other way round: what was put back judges neither.
    old, new = level([at(1, entry("A", after)), at(2, entry("B", before))])
    assert old.told is None
    assert (len(new.judged.images), new.told) == (19, 0.95)


@pytest.mark.parametrize("first", [3, 100])
def test_runs_that_share_too_few_images_stay_as_they_are(first):
    entries = [at(1, entry("A", judged([True] * 20))), at(2, entry("B", judged([True] * 20, first=first)))]
    assert level(entries) == entries


def test_runs_of_another_data_set_or_without_a_model_stay_as_they_are():
    moved = judged([True] * 20, relabelled=(0,))
    entries = [
        at(1, entry("A", judged([True] * 20))),
        at(2, entry("B", moved, dataset="data-2")),
        at(3, entry("C")),
    ]
    assert level(entries) == entries


def test_of_several_those_that_share_their_images_are_judged_alike():
    entries = [
        at(1, entry("A", judged([True] * 20))),
        at(2, entry("B", judged([True] * 20, first=50))),
        at(3, entry("C", judged([True] * 20, relabelled=(4,)))),
        at(4, entry("D", judged([True] * 20, relabelled=(4, 5)))),
    ]
    levelled = level(entries)
    assert [each.letter for each in levelled] == ["A", "B", "C", "D"]
    assert [each.told for each in levelled] == [1, None, 1, None]
    assert [each.judged.accuracy for each in levelled] == [0.9, 1, 0.95, 1]


def test_a_class_that_a_model_lacks_gets_no_share():
    found = relabel(judged([True] * 3), {"img-0": "lily", "img-2": LABELS[0]})
    assert [image.id for image in found.images] == ["img-0", "img-2"]
    assert found.labels == [*LABELS, "lily"]
    assert found.true.tolist() == [2, 0]
    np.testing.assert_allclose(found.probabilities[:, 2], 0)
    np.testing.assert_allclose(found.probabilities[:, :2], judged([True] * 3).probabilities[[0, 2]])


def test_what_a_run_says_is_left_as_it_is():
    before = judged([True] * 4)
    kept = Predictions(list(before.images), list(before.labels), before.probabilities.copy())
    relabel(before, {image.id: LABELS[0] for image in before.images})
    assert before.images == kept.images
    np.testing.assert_array_equal(before.probabilities, kept.probabilities)
