"""What the confusion matrix says to those who cannot see it."""

import numpy as np

from pages.ui.evaluation.confusion_panel import describe_matrix


def test_the_matrix_says_how_many_are_right_and_what_is_mixed_up_most():
    told = describe_matrix(["cat", "dog", "owl"], np.array([[7, 1, 0], [3, 5, 0], [0, 0, 4]]))
    assert told == (
        "Mix-up table (confusion matrix) of 3 kinds: 16 of 20 images right; most often dog is taken for cat, 3 times"
    )


def test_a_matrix_without_a_mistake_names_none():
    told = describe_matrix(["cat", "dog"], np.array([[7, 0], [0, 5]]))
    assert told == "Mix-up table (confusion matrix) of 2 kinds: 12 of 12 images right"
