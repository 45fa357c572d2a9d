"""A pile named by groups takes far fewer decisions than photo by photo: the short version of benchmarks/pile.py."""

import numpy as np
import pytest

from benchmarks.pile import DECISIONS, by_groups, by_photos, first_reaching, in_random_order, least_certain
from thaw.labelling.groups import reduce


@pytest.fixture(scope="module")
def pile():
    """Return directions of 200 photos of ten kinds, each kind of two sorts that lie apart; and the kind of each."""
    chance = np.random.default_rng(5)
    kind = np.repeat(np.arange(10), 20)
    centres = np.repeat(chance.normal(size=(10, 80)), 2, axis=0) + 0.8 * chance.normal(size=(20, 80))
    features = centres[2 * kind + np.arange(200) % 2] + 0.5 * chance.normal(size=(200, 80))
    return reduce(features.astype(np.float32)), np.array([f"kind {each}" for each in kind])


def test_groups_label_a_pile_right_in_under_sixty_decisions_and_single_photos_do_not(pile):
    directions, truth = pile
    alike = np.arange(len(truth))
    curve = by_groups(directions, truth, alike)
    reached = first_reaching(curve)
    assert reached is not None
    assert reached < DECISIONS
    alone = by_photos(directions, truth, in_random_order(0), reached, suggests=False)
    assert alone[-1] == pytest.approx(reached / len(truth))
    with_suggestions = by_photos(directions, truth, in_random_order(0), reached)
    assert alone[-1] < with_suggestions[-1] < curve[reached - 1]


def test_the_least_certain_photos_teach_more_than_random_ones(pile):
    directions, truth = pile
    asked = by_photos(directions, truth, least_certain(directions, np.arange(len(truth))), 25)
    random = [by_photos(directions, truth, in_random_order(seed), 25)[-1] for seed in range(3)]
    assert asked[-1] > np.mean(random)
