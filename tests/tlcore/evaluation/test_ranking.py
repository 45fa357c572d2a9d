"""Which judged images come first: worst, least certain, least sure."""

import numpy as np
import pytest

from tests.support.models.predictions import image
from tlcore.evaluation import predictions
from tlcore.evaluation.predictions import Predictions, find_mistakes

LABELS = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def random_predictions() -> Predictions:
    chance = np.random.default_rng(3)
    shares = chance.dirichlet([0.5] * 3, size=200).astype(np.float32)
    return Predictions([image(n, LABELS[each]) for n, each in enumerate(chance.integers(0, 3, 200))], LABELS, shares)


def test_the_worst_come_as_in_the_list_of_mistakes(random_predictions):
    rows = predictions.list_worst(random_predictions)
    assert [random_predictions.images[row].id for row in rows] == [
        mistake.image_id for mistake in find_mistakes(random_predictions)
    ]
    cell = predictions.list_worst(random_predictions, "bee", "cat")
    assert cell == [row for row in rows if (random_predictions.true[row], random_predictions.predicted[row]) == (1, 2)]
    assert cell
    assert predictions.list_worst(random_predictions, "bee", "bee") == []


def test_the_least_certain_are_right_and_wrong_ones_by_their_margin(random_predictions):
    rows = predictions.list_uncertain(random_predictions)
    assert sorted(rows) == list(range(200))
    two = np.sort(random_predictions.probabilities[rows], axis=1)[:, -2:]
    margins = two[:, 1] - two[:, 0]
    assert (np.diff(margins) >= 0).all()
    right = random_predictions.true[rows[:50]] == random_predictions.predicted[rows[:50]]
    assert 0 < right.sum() < 50
    assert {int(random_predictions.true[row]) for row in predictions.list_uncertain(random_predictions, "ant")} == {0}


def test_small_shares_of_many_classes_do_not_make_an_answer_uncertain():
    shares = np.array([[0.60, 0.14, 0.13, 0.13], [0.51, 0.49, 0.0, 0.0]], dtype=np.float32)
    entropy = -(shares * np.log(np.maximum(shares, 1e-9))).sum(axis=1)
    assert entropy[0] > entropy[1], "entropy would put the first one first"
    told = Predictions([image(0, "a"), image(1, "b")], ["a", "b", "c", "d"], shares)
    assert predictions.list_uncertain(told) == [1, 0]


def test_those_that_are_right_come_least_sure_first(random_predictions):
    rows = predictions.list_right(random_predictions, "cat")
    assert (random_predictions.true[rows] == 2).all()
    assert (random_predictions.predicted[rows] == 2).all()
    assert (np.diff(random_predictions.probabilities[rows, 2]) >= 0).all()
