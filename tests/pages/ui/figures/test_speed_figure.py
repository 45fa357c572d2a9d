"""Accuracy against speed as drawn: every point in sight, labels apart, the chosen one marked by more than colour."""

from pages.ui.figures.speed_figure import Point, accuracy_against_speed


def test_the_figure_marks_the_chosen_one_and_keeps_every_point_in_sight():
    points = [Point("Slow", 80.0, 83.9, True), Point("<b>Quick", 4.0, 75.1, False), Point("Middle", 20.0, 76.0, False)]
    figure = accuracy_against_speed(points)
    (trace,) = figure.data
    assert list(trace.x) == [4.0, 20.0, 80.0]
    assert list(trace.y) == [75.1, 76.0, 83.9]
    assert list(trace.marker.symbol) == ["circle", "circle", "diamond"]
    assert trace.text[0] == "&lt;b&gt;Quick"
    assert trace.textposition[0] != trace.textposition[1]
    low, high = (10**end for end in figure.layout.xaxis.range)
    assert low < 4.0 < 80.0 < high
    low, high = figure.layout.yaxis.range
    assert low < 75.1 < 83.9 < high


def test_one_measured_backbone_alone_can_be_drawn():
    figure = accuracy_against_speed([Point("Only", 5.0, 75.0, True)])
    low, high = figure.layout.xaxis.range
    assert low < high
