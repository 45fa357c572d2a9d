"""The one curve of the score: where it begins, and how it names its points."""

from pages.ui.figures.score_figure import score_curve, tell_score
from tlcore.training.history import Epoch

HEAD = Epoch(9, 1, 0.5, 0.8, 0.5, 0.8, 0.1)


def tuned(*scores: float) -> list[Epoch]:
    return [Epoch(number, 2, 0.4, 0.9, 0.4, score, 0.1) for number, score in enumerate(scores, 10)]


def test_the_curve_begins_with_the_head_and_goes_on_with_phase_two():
    figure = score_curve(HEAD, tuned(0.82, 0.86), 50)
    (line,) = figure.data
    assert list(line.x) == [0, 1, 2]
    assert list(line.y) == [0.8, 0.82, 0.86]
    assert list(line.hovertext) == ["the head: 40 of 50", "round 1: 41 of 50", "round 2: 43 of 50"]
    assert [(shape.y0, shape.y1) for shape in figure.layout.shapes] == [(0.8, 0.8)]


def test_before_the_first_round_there_is_the_head_alone_and_the_zoom_is_kept():
    before, after = score_curve(HEAD, [], 50), score_curve(HEAD, tuned(0.82), 50)
    assert list(before.data[0].y) == [0.8]
    assert [round(end, 3) for end in before.layout.yaxis.autorangeoptions.include] == [0.7, 0.9]
    assert before.layout.uirevision == after.layout.uirevision == "score"


def test_of_very_many_rounds_the_head_alone_has_a_marker():
    (line,) = score_curve(HEAD, tuned(*[0.8] * 100), 50).data
    assert [size > 0 for size in line.marker.size] == [True, *[False] * 100]


def test_a_score_of_an_unknown_number_of_photos_is_a_percentage():
    assert tell_score(0.8234, None) == "82.3%"
    assert tell_score(0.8234, 1020) == "840 of 1,020"
