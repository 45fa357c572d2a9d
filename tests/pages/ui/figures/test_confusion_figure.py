"""The confusion matrix as a figure: shares, counts, names, the chosen cell, and what it weighs."""

import re

import numpy as np
import plotly.graph_objects as go
import pytest

from pages.ui.figures import confusion_figure
from pages.ui.figures.confusion_figure import confusion


def shade(figure: go.Figure, value: float) -> str:
    """Return the colour of a cell by the figure's scale: that of the stop below its value, which is enough here."""
    heat = figure.data[0]
    return [colour for place, colour in heat.colorscale if place <= (value - heat.zmin) / (heat.zmax - heat.zmin)][-1]


def lay(colour: str, page: str) -> list[float]:
    """Return the red, green and blue, 0 to 255, of a colour that is laid over the page's."""
    *hue, strength = (float(part) for part in re.findall(r"[\d.]+", colour))
    beneath = [int(page[place : place + 2], 16) for place in (1, 3, 5)]
    return [strength * above + (1 - strength) * below for above, below in zip(hue, beneath, strict=True)]


def contrast(one: list[float], other: list[float]) -> float:
    """Return the contrast of two colours as WCAG defines it, 1 to 21."""

    def light(colour: list[float]) -> float:
        linear = [each / 3294.6 if each <= 10 else ((each / 255 + 0.055) / 1.055) ** 2.4 for each in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    weak, strong = sorted((light(one), light(other)))
    return (strong + 0.05) / (weak + 0.05)


def test_confusion_says_counts_and_shares_of_the_true_class():
    heat = confusion(["<i>a</i>", "b"], np.array([[3, 1], [0, 2]])).data[0]
    assert np.asarray(heat.z).tolist() == [[3, 1], [0, 2]]
    assert np.allclose(np.asarray(heat.customdata), [[0.75, 0.25], [0, 1]])
    assert "images: %{z:,}<br>of the true kind: %{customdata:.1%}" in heat.hovertemplate


def test_confusion_names_the_classes_on_hover_from_the_ticks():
    figure = confusion(["<i>a</i>", "b"], np.array([[3, 1], [0, 2]]))
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert list(axis.ticktext) == ["&lt;i&gt;a&lt;/i&gt;", "b"]
    assert {"%{x}", "%{y}"} <= set(re.findall(r"%{.*?}", figure.data[0].hovertemplate))


def test_confusion_names_every_class_however_many():
    many = [f"class {number}" for number in range(60)]
    figure = confusion(many, np.eye(len(many), dtype=int))
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert list(axis.ticktext) == many
        assert axis.showticklabels is not False
    room = confusion_figure.SMALLEST_PX * len(many)
    assert min(figure.layout.height, confusion_figure.least_width_px(len(many))) > room


def test_confusion_has_one_shade_for_a_count_in_every_row():
    figure = confusion(["a", "b"], np.array([[1, 1], [1, 199]]))
    values = np.asarray(figure.data[0].z)
    assert values[0, 1] == values[1, 0] == 1
    stops = [place for place, _ in figure.data[0].colorscale]
    assert stops == sorted(stops)
    assert (stops[0], stops[-1]) == (0, 1)


@pytest.mark.parametrize(("page", "ink"), [("#ffffff", "#1c2b30"), ("#12191c", "#e6eef0")], ids=["day", "night"])
@pytest.mark.parametrize("rates", [False, True])
def test_confusion_shows_a_single_image_and_is_read_by_day_and_by_night(page, ink, rates):
    figure = confusion(["a", "b"], np.array([[999, 1], [0, 10]]), rates=rates)
    values = np.asarray(figure.data[0].z)
    empty, one, most = (lay(shade(figure, float(value)), page) for value in (0, values[0, 1], values.max()))
    assert contrast(one, empty) > 1.3
    letters = lay(f"{','.join(str(int(ink[place : place + 2], 16)) for place in (1, 3, 5))},1", page)
    assert contrast(letters, one) > 4.5
    assert contrast(letters, most) > 4.5
    assert contrast(most, one) > 1.3


def test_confusion_of_the_most_classes_stays_light():
    labels = [f"class {number:03d} with quite a long name" for number in range(confusion_figure.MOST_CLASSES)]
    matrix = np.random.default_rng(0).integers(0, 300, (len(labels), len(labels)))
    assert len(confusion(labels, matrix).to_json()) < 500_000


def test_confusion_frames_the_chosen_cell():
    (frame,) = confusion(["a", "b"], np.array([[3, 1], [0, 2]]), chosen=(0, 1)).layout.shapes
    assert (frame.x0, frame.x1, frame.y0, frame.y1) == (0.5, 1.5, -0.5, 0.5)
    assert not confusion(["a", "b"], np.array([[3, 1], [0, 2]])).layout.shapes


def test_confusion_writes_each_count_in_its_cell():
    _, written = confusion(["a", "b"], np.array([[7, 5], [0, 9]])).data
    assert list(zip(written.text, written.x, written.y, strict=True)) == [("7", 0, 0), ("5", 1, 0), ("9", 1, 1)]
    # In the ink of the page, which the browser knows.
    assert written.textfont.color is None


def test_confusion_leaves_out_numbers_that_do_not_fit_or_are_too_many():
    labels = [str(number) for number in range(60)]
    assert len(confusion(labels, 99 * np.eye(60, dtype=int)).data) == 2
    assert len(confusion(labels, 999 * np.eye(60, dtype=int)).data) == 1
    assert len(confusion(labels, np.ones((60, 60), dtype=int)).data) == 1


def test_confusion_of_a_class_without_validation_images_divides_by_nothing():
    figure = confusion(["a", "b"], np.array([[0, 0], [0, 1]]))
    assert np.isfinite(np.asarray(figure.data[0].z)).all()


def test_confusion_writes_shares_of_the_true_class_where_asked():
    matrix = np.array([[7, 5], [0, 9]])
    heat, written = confusion(["a", "b"], matrix, rates=True).data
    assert list(written.text) == ["58%", "42%", "100%"]
    assert np.allclose(np.asarray(heat.z).sum(axis=1), 1)
    assert np.asarray(heat.customdata).tolist() == matrix.tolist()
    assert "images: %{customdata:,}<br>of the true kind: %{z:.1%}" in heat.hovertemplate
