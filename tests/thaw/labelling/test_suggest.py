"""Suggestions that follow what has been named, and the order in which a person is asked."""

import numpy as np
import pytest

from thaw.labelling.groups import reduce
from thaw.labelling.suggest import order_by_doubt, order_groups, suggest


@pytest.fixture
def pile():
    """Return directions of sixty photos of three kinds, and the kind of each."""
    chance = np.random.default_rng(1)
    kind = np.repeat(["cat", "dog", "owl"], 20)
    centres = dict(zip(("cat", "dog", "owl"), chance.normal(size=(3, 80)), strict=True))
    features = np.stack([centres[each] + 0.3 * chance.normal(size=80) for each in kind])
    return reduce(features.astype(np.float32)), kind


def test_nothing_is_suggested_before_a_first_name_and_one_class_is_all_there_is(pile):
    directions, _ = pile
    assert suggest(directions, [None] * 60) is None
    made = suggest(directions, ["cat", *[None] * 59])
    assert made.classes == ["cat"] * 60
    assert made.confidence.tolist() == made.margins.tolist()
    assert made.confidence[0] == 1


def test_a_kind_that_nobody_has_named_yet_is_not_taken_for_another(pile):
    directions, kind = pile
    made = suggest(
        directions, [label if label != "owl" and place % 20 < 5 else None for place, label in enumerate(kind)]
    )
    assert (made.confidence[kind != "owl"] > 0.7).mean() > 0.9
    assert (made.confidence[kind == "owl"] < 0.5).all()
    doubt = order_groups(np.repeat([0, 1, 2], 20), made.margins)
    assert doubt[0] == 2, "the new kind is what to ask about"


def test_a_few_names_suggest_the_rest_with_confidence(pile):
    directions, kind = pile
    named = [label if place % 20 < 3 else None for place, label in enumerate(kind)]
    made = suggest(directions, named)
    assert made.labels == ["cat", "dog", "owl"]
    assert made.classes == kind.tolist()
    assert (made.shares.sum(axis=1) <= 1 + 1e-5).all()
    assert made.shares[[0, 20, 40]].sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (made.margins <= made.confidence).all()
    assert (suggest(directions, named).shares == made.shares).all(), "the same names give the same suggestions"


def test_many_photos_of_one_class_do_not_drown_another(pile):
    directions, kind = pile
    named = [label if label == "cat" or place in (20, 40) else None for place, label in enumerate(kind)]
    said = suggest(directions, named).classes
    assert "cat" not in said[20:]
    assert sum(one == other for one, other in zip(said, kind, strict=True)) > 50


def test_two_classes_have_two_shares(pile):
    directions, kind = pile
    made = suggest(directions, [label if label != "owl" else None for label in kind])
    assert made.shares.shape == (60, 2)


def test_who_is_between_two_kinds_is_least_certain(pile):
    directions, kind = pile
    between = directions[[0]] + directions[[20]]
    every = np.vstack([directions, between / np.linalg.norm(between)])
    made = suggest(every, [*kind, None])
    assert made.margins.argmin() == 60
    assert order_by_doubt(made.margins, np.arange(61))[0] == 60


def test_of_near_duplicates_one_is_asked_first():
    margins, alike = np.array([0.1, 0.2, 0.3, 0.4]), np.array([7, 7, 2, 7])
    assert order_by_doubt(margins, alike).tolist() == [0, 2, 1, 3]
    assert order_by_doubt(np.zeros(0), np.zeros(0, int)).tolist() == []


def test_large_groups_come_first_and_later_those_with_the_most_doubt():
    groups = np.array([4, 4, 4, 1, 1, 6])
    assert order_groups(groups, None) == [4, 1, 6]
    assert order_groups(groups, np.array([1, 1, 0.9, 0.5, 0.6, 0.4])) == [1, 6, 4]
    assert order_groups(np.zeros(0, int), None) == []
