"""Classes that are confused with one another stand together, always in the same order; the commonest mistakes lead."""

import itertools
import time

import numpy as np

from tlcore.evaluation.metrics import most_confused, order_by_similarity


def mixed(groups: list[list[int]], rate: float = 0.2) -> np.ndarray:
    """Return counts of classes that are confused within their groups alone, 100 images each."""
    classes = sum(map(len, groups))
    matrix = np.zeros((classes, classes), dtype=np.int64)
    for members in groups:
        for true in members:
            others = [each for each in members if each != true]
            matrix[true, others] = round(100 * rate / len(others))
            matrix[true, true] = 100 - matrix[true].sum()
    return matrix


def test_classes_that_are_confused_stand_side_by_side():
    groups = [[0, 4, 7], [1, 5], [2, 3, 6]]
    order = order_by_similarity(mixed(groups))
    places = {number: place for place, number in enumerate(order)}
    assert sorted(order) == list(range(8))
    for members in groups:
        spread = [places[each] for each in members]
        assert max(spread) - min(spread) == len(members) - 1


def test_a_chain_of_likeness_is_followed_from_end_to_end():
    chain = [3, 0, 4, 1, 2]
    matrix = np.diag([90] * 5)
    for one, other in itertools.pairwise(chain):
        matrix[one, other] = 5
    assert order_by_similarity(matrix) in (chain, chain[::-1])


def test_either_direction_of_a_mistake_counts():
    matrix = np.diag([50, 50, 50])
    matrix[2, 0] = 10
    assert order_by_similarity(matrix) == [0, 2, 1]


def test_without_mistakes_the_order_stays_and_so_does_that_of_twins():
    assert order_by_similarity(np.diag([5, 5, 5, 5])) == [0, 1, 2, 3]
    assert order_by_similarity(np.full((4, 4), 3)) == order_by_similarity(np.full((4, 4), 3))
    assert order_by_similarity(np.zeros((3, 3), dtype=int)) == [0, 1, 2]
    assert order_by_similarity(np.ones((1, 1), dtype=int)) == [0]


def test_the_size_of_a_class_does_not_hide_what_it_is_taken_for():
    small_is_confused = np.array([[900, 30, 0], [0, 1000, 0], [0, 8, 2]])
    order = order_by_similarity(small_is_confused)
    assert abs(order.index(1) - order.index(2)) == 1


def test_two_hundred_classes_cost_no_wait():
    matrix = np.random.default_rng(0).integers(0, 50, (200, 200))
    started = time.process_time()
    assert sorted(order_by_similarity(matrix)) == list(range(200))
    assert time.process_time() - started < 2


def test_the_commonest_mistakes_come_first_and_what_is_right_is_left_out():
    matrix = np.array([[9, 1, 0], [4, 9, 2], [0, 2, 9]])
    true, predicted = (np.repeat(each.ravel(), matrix.ravel()) for each in np.indices(matrix.shape))
    assert most_confused(true, predicted, 10) == [(1, 0, 4), (1, 2, 2), (2, 1, 2), (0, 1, 1)]
    assert most_confused(true, predicted, 1) == [(1, 0, 4)]


def test_without_mistakes_the_list_is_empty():
    assert most_confused(np.arange(4), np.arange(4), 5) == []
