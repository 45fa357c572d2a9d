import numpy as np

from pages.ui.evaluation.most_confused import most_confused


def test_the_commonest_mistakes_come_first_and_what_is_right_is_left_out():
    matrix = np.array([[9, 1, 0], [4, 9, 2], [0, 2, 9]])
    true, predicted = (np.repeat(each.ravel(), matrix.ravel()) for each in np.indices(matrix.shape))
    assert most_confused(true, predicted, 10) == [(1, 0, 4), (1, 2, 2), (2, 1, 2), (0, 1, 1)]
    assert most_confused(true, predicted, 1) == [(1, 0, 4)]


def test_without_mistakes_the_list_is_empty():
    assert most_confused(np.arange(4), np.arange(4), 5) == []
