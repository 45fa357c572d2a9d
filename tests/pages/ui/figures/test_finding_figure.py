"""The figures of what a detector counts and of what it takes for what, and the words for those who cannot see them."""

import numpy as np
import pytest

from pages.ui.figures.finding_figure import counted_against, describe_counted, describe_taken, taken_for

THERE, COUNTED = np.array([3, 3, 0, 5]), np.array([3, 3, 1, 2])


def test_photos_of_the_same_two_numbers_share_a_dot():
    _, dots = counted_against(THERE, COUNTED).data
    assert list(zip(dots.x, dots.y, dots.text, strict=True)) == [(3, 3, "2"), (0, 1, ""), (5, 2, "")]
    assert dots.marker.size[0] > dots.marker.size[1] == dots.marker.size[2]
    assert list(dots.marker.symbol) == ["circle", "diamond", "diamond"]
    assert dots.hovertext[0] == "2 photos: 3 counted, 3 there"


def test_the_line_of_right_counts_crosses_both_axes_to_their_ends():
    figure = counted_against(THERE, COUNTED)
    assert list(figure.data[0].x) == list(figure.data[0].y) == list(figure.layout.xaxis.range) == [-0.5, 5.5]
    assert figure.layout.yaxis.range == figure.layout.xaxis.range


@pytest.mark.parametrize("photos", [0, 1])
def test_few_photos_are_drawn_as_well(photos):
    figure = counted_against(THERE[:photos], COUNTED[:photos])
    assert len(figure.data[1].x) == photos


def test_the_words_say_how_many_photos_are_right_short_and_over():
    assert describe_counted(THERE, COUNTED) == (
        "of 4 exam photos it counts 2 exactly right, 1 too few, 1 too many; at most 3 off"
    )
    assert describe_counted(THERE, THERE) == "of 4 exam photos it counts 4 exactly right, 0 too few, 0 too many"


def test_what_is_taken_for_what_has_a_column_for_the_missed_and_a_row_for_nothing():
    taken = np.array([[5, 1, 2], [0, 4, 0], [3, 0, 0]])
    figure = taken_for(["cup", "<b>fork"], taken)
    assert list(figure.layout.yaxis.ticktext) == ["cup", "&lt;b&gt;fork", "nothing there"]
    assert list(figure.layout.xaxis.ticktext) == ["cup", "&lt;b&gt;fork", "missed"]
    assert "class" not in str(figure.to_json())
    assert describe_taken(["cup", "fork"], taken) == (
        "Mix-up table of 2 kinds: of 12 things 9 found, 1 taken for another kind, 2 missed; 3 false alarms"
    )
