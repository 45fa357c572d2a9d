"""What is fixed and what is broken from one run to another, in agreement with the comparison's own verdict."""

import dataclasses

import pytest

from tests.support.comparisons import judged, split
from thaw.runs.prediction_changes import list_changes
from thaw.runs.significance import judge
from tlcore.evaluation.predictions import Predictions


@pytest.mark.parametrize("counts", [(20, 9, 1, 5), (20, 1, 9, 5), (10, 3, 2, 0), (10, 0, 0, 4)])
def test_counts_and_verdict_are_those_of_the_comparison(counts):
    after, before = split(*counts)
    found, verdict = list_changes(before, after), judge(after, before)
    assert (len(found.fixed), len(found.broken)) == counts[1:3] == (verdict.first_alone, verdict.second_alone)
    assert found.images == sum(counts)
    assert found.clear == verdict.clear


def test_each_change_bears_what_both_said_the_largest_first():
    before, after = judged([False, False, True]), judged([True, True, False])
    surer = after.probabilities.copy()
    surer[1, after.true[1]] = 0.99
    found = list_changes(before, dataclasses.replace(after, probabilities=surer))
    assert [change.image.name for change in found.fixed] == ["1.png", "0.png"]
    first = found.fixed[0]
    assert first.after.label == first.image.label != first.before.label
    assert first.before.confidence == pytest.approx(0.9)
    assert first.before.true_confidence == pytest.approx(0.1)
    assert first.after.confidence == pytest.approx(0.99)
    assert [change.image.name for change in found.broken] == ["2.png"]


def test_only_images_that_judged_both_with_one_class_count():
    before, after = judged([True] * 6), judged([False] * 6, first=2, relabelled=(0,))
    found = list_changes(before, after)
    assert found.images == 3
    assert [change.image.id for change in found.broken] == ["img-3", "img-4", "img-5"]


def test_the_order_of_the_classes_may_differ():
    before, after = split(1, 1, 0, 0)[::-1]
    turned = Predictions(after.images, after.labels[::-1], after.probabilities[:, ::-1])
    found = list_changes(before, turned)
    assert [change.image.name for change in found.fixed] == ["1.png"]
    assert not found.broken
