import numpy as np

from pages.ui.pairs import most_confused


def test_the_commonest_mistakes_come_first_and_what_is_right_is_left_out():
    matrix = np.array([[9, 1, 0], [4, 9, 2], [0, 2, 9]])
    assert most_confused(matrix, 10) == [(1, 0, 4), (1, 2, 2), (2, 1, 2), (0, 1, 1)]
    assert most_confused(matrix, 1) == [(1, 0, 4)]
    assert matrix[0, 0] == 9


def test_without_mistakes_the_list_is_empty():
    assert most_confused(np.eye(4, dtype=int), 5) == []
