import re

from pages.ui.figures.comparison_figure import COLOURS, DASHES, MARKERS, Line, validation_curves
from thaw.runs.comparison import MOST_RUNS
from tlcore.training.history import Epoch


def epochs(count):
    return [Epoch(n, 1 if n < 3 else 2, 1 / n, 0.9, 1.1 / n, 1 - 0.5 / n, 0.2) for n in range(1, count + 1)]


def test_each_run_has_a_line_of_accuracy_and_one_of_loss():
    figure = validation_curves([Line("A", "image size 96", epochs(4)), Line("B", "", epochs(2))])
    assert [trace.name for trace in figure.data] == ["A: image size 96", "A: image size 96", "B", "B"]
    assert [list(trace.x) for trace in figure.data] == [[1, 2, 3, 4]] * 2 + [[1, 2]] * 2
    assert list(figure.data[2].y) == [0.5, 0.75]
    assert list(figure.data[3].y) == [1.1, 0.55]
    assert list(figure.data[0].customdata) == [1, 1, 2, 2]
    assert [trace.showlegend for trace in figure.data] == [True, False, True, False]


def test_lines_are_told_apart_without_their_colours():
    lines = [Line(letter, "", epochs(2)) for letter in "ABCDEFGH"]
    assert len(lines) == MOST_RUNS
    drawn = validation_curves(lines).data[::2]
    assert len({(trace.line.dash, trace.marker.symbol) for trace in drawn}) == MOST_RUNS
    assert len(set(COLOURS)) == len(DASHES) == len(MARKERS) == MOST_RUNS


def test_names_in_the_legend_are_literal():
    (trace, _) = validation_curves([Line("A", "<b>bold</b> & co", epochs(1))]).data
    assert re.search("&lt;b&gt;bold&lt;/b&gt; &amp; co", trace.name)


def test_no_epoch_yet_is_no_error():
    assert not validation_curves([Line("A", "", []), Line("B", "", [])]).data[0].x


def test_an_axis_of_shares_does_not_run_beyond_all_of_them():
    axis = validation_curves([Line("A", "", epochs(1))]).layout.yaxis
    assert axis.range is None, "it fits itself to the lines"
    assert (axis.autorangeoptions.clipmin, axis.autorangeoptions.clipmax) == (-0.02, 1.02)
