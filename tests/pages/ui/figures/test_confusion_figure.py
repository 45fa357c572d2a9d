"""The confusion matrix as a figure: shares, counts, names, the chosen cell, and what it weighs."""

import re

import numpy as np

from pages.ui.figures import confusion_figure
from pages.ui.figures.confusion_figure import confusion


def test_confusion_shows_shares_of_the_true_class_and_says_counts():
    heat = confusion(["<i>a</i>", "b"], np.array([[3, 1], [0, 2]])).data[0]
    assert np.allclose(np.asarray(heat.z), [[0.75, 0.25], [0, 1]])
    assert np.asarray(heat.customdata).tolist() == [[3, 1], [0, 2]]


def test_confusion_names_the_classes_on_hover_from_the_ticks():
    figure = confusion(["<i>a</i>", "b"], np.array([[3, 1], [0, 2]]))
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert list(axis.ticktext) == ["&lt;i&gt;a&lt;/i&gt;", "b"]
    assert {"%{x}", "%{y}", "%{customdata:,}"} <= set(re.findall(r"%{.*?}", figure.data[0].hovertemplate))
    many = [f"class {number} of a name that is long" for number in range(confusion_figure.MOST_TICKS + 1)]
    axis = confusion(many, np.eye(len(many), dtype=int)).layout.xaxis
    assert (list(axis.ticktext), axis.showticklabels) == (many, False)


def test_confusion_of_the_most_classes_stays_light():
    labels = [f"class {number:03d} with quite a long name" for number in range(confusion_figure.MOST_CLASSES)]
    matrix = np.random.default_rng(0).integers(0, 300, (len(labels), len(labels)))
    assert len(confusion(labels, matrix).to_json()) < 500_000


def test_confusion_frames_the_chosen_cell():
    (frame,) = confusion(["a", "b"], np.array([[3, 1], [0, 2]]), chosen=(0, 1)).layout.shapes
    assert (frame.x0, frame.x1, frame.y0, frame.y1) == (0.5, 1.5, -0.5, 0.5)
    assert not confusion(["a", "b"], np.array([[3, 1], [0, 2]])).layout.shapes


def test_confusion_writes_each_count_in_an_ink_that_its_cell_bears():
    _, pale, dark = confusion(["a", "b"], np.array([[7, 5], [0, 9]])).data
    assert (list(pale.text), list(pale.x), list(pale.y)) == (["7", "5"], [0, 1], [0, 0])
    assert (list(dark.text), list(dark.x), list(dark.y)) == (["9"], [1], [1])
    assert dark.textfont.color == confusion_figure.INK_ON_DARK_CELL
    assert pale.textfont.color is None


def test_confusion_of_many_classes_leaves_the_numbers_out():
    labels = [str(number) for number in range(confusion_figure.MOST_COUNTS + 1)]
    assert len(confusion(labels, np.eye(len(labels), dtype=int)).data) == 1


def test_confusion_of_a_class_without_validation_images_divides_by_nothing():
    figure = confusion(["a", "b"], np.array([[0, 0], [0, 1]]))
    assert np.isfinite(np.asarray(figure.data[0].z)).all()


def test_confusion_writes_shares_of_the_true_class_where_asked():
    matrix = np.array([[7, 5], [0, 9]])
    heat, pale, dark = confusion(["a", "b"], matrix, rates=True).data
    assert list(pale.text) == ["58%", "42%"]
    assert list(dark.text) == ["100%"]
    assert np.asarray(heat.z).sum(axis=1).tolist() == [1, 1]
    assert np.asarray(heat.customdata).tolist() == matrix.tolist()
