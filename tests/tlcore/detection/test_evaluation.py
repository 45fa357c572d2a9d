"""A detector judged: what became of every object, and COCO's figures, against cases worked by hand."""

import numpy as np
import pytest

from tlcore.detection.evaluation import judge, measure_precisions
from tlcore.detection.found import Drawn, Found, average_precision

LABELS = ["cup", "fork"]


def square(left, top=0.0, side=0.2):
    return [left, top, left + side, top + side]


def found(*rows):
    """Return what was found, of (edges, score, kind), surest first."""
    edges, scores, kinds = zip(*rows, strict=True) if rows else ((), (), ())
    return Found(np.array(edges, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(kinds, np.int64))


def drawn(*rows):
    edges, kinds = zip(*rows, strict=True) if rows else ((), ())
    return Drawn(np.array(edges, np.float32).reshape(-1, 4), np.array(kinds, np.int64))


@pytest.fixture
def judged():
    truth = [
        drawn((square(0.0), 0), (square(0.4), 1), (square(0.8), 0), (square(0.0, 0.5, 0.4), 1)),
        drawn(),
    ]
    seen = [
        # A cup that is found, again and less sure; a fork that is taken for a cup; below the threshold, a cup.
        found((square(0.0), 0.9, 0), (square(0.41), 0.8, 0), (square(0.01), 0.7, 0), (square(0.8), 0.2, 0)),
        found((square(0.5), 0.95, 1)),
    ]
    return judge(seen, truth, LABELS, 0.5)


def test_every_object_is_found_confused_or_missed_and_the_rest_is_a_false_alarm(judged):
    cup, fork = judged.kinds
    assert (cup.objects, cup.found, cup.confused, cup.missed, cup.false_alarms) == (2, 1, 0, 1, 1)
    assert (fork.objects, fork.found, fork.confused, fork.missed, fork.false_alarms) == (2, 0, 1, 1, 1)
    assert judged.confusions == [("fork", "cup", 1)]


def test_the_worst_come_first(judged):
    assert [(each.kind, round(each.area, 3)) for each in judged.misses] == [(1, 0.16), (0, 0.04)]
    assert [(each.photo, each.said, round(each.score, 2)) for each in judged.false_alarms] == [
        (1, 1, 0.95),
        (0, 0, 0.7),
    ]
    assert judged.false_alarms[0].area == pytest.approx(0.04)


def test_a_count_is_off_by_what_was_missed_or_seen_twice(judged):
    # Three cups said for two, no fork for two; one fork for none: 4 on two photos.
    assert judged.counting_error == pytest.approx((1 + 2 + 1) / 2)


def test_what_there_is_on_each_photo_stands_beside_what_was_counted(judged):
    there, counted = judged.counts
    assert there.tolist() == [[2, 2], [0, 0]]
    assert counted.tolist() == [[3, 0], [0, 1]]


def test_what_was_taken_for_what_has_a_place_for_the_missed_and_for_nothing(judged):
    # A cup found and one missed, a fork taken for a cup and one missed; a cup and a fork where nothing is.
    assert judged.taken.tolist() == [[1, 0, 1], [1, 0, 1], [1, 1, 0]]


def test_at_a_lower_confidence_more_is_found():
    seen, truth = [found((square(0.0), 0.3, 0))], [drawn((square(0.0), 0))]
    assert judge(seen, truth, LABELS, 0.5).kinds[0].found == 0
    assert judge(seen, truth, LABELS, 0.3).kinds[0].found == 1
    assert judge(seen, truth, LABELS, 0.3).counting_error == 0


def test_cocos_figures_of_one_object_found_and_one_not():
    truth = [drawn((square(0.0), 0), (square(0.5), 0))]
    figures = measure_precisions([found((square(0.0), 0.9, 0))], truth, LABELS)
    # Precision 1 at 51 of 101 recalls, at every overlap; the other kind is not drawn.
    assert figures.ap50.value == pytest.approx(51 / 101)
    assert figures.ap50_95.value == pytest.approx(51 / 101)
    assert figures.by_kind == [pytest.approx(51 / 101), None]


def test_a_box_that_is_a_little_off_is_right_at_low_overlaps_alone():
    # 0.2 wide, 0.03 aside: an overlap of 0.17 / 0.23 = 0.739, right at 0.5, 0.55, 0.6, 0.65 and 0.7.
    figures = measure_precisions([found((square(0.03), 0.9, 0))], [drawn((square(0.0), 0))], LABELS)
    assert figures.ap50.value == pytest.approx(1)
    assert figures.ap50_95.value == pytest.approx(0.5)


def test_the_figure_that_is_watched_in_training_is_cocos():
    chance = np.random.default_rng(0)
    truth, seen = [], []
    for _ in range(30):
        boxes = [(square(chance.uniform(0, 0.8), chance.uniform(0, 0.8)), int(chance.integers(2))) for _ in range(4)]
        moved = [(np.array(box) + chance.normal(0, 0.03, 4), kind) for box, kind in boxes]
        scores = np.sort(chance.random(4))[::-1]
        truth.append(drawn(*boxes))
        seen.append(found(*((box, score, kind) for (box, kind), score in zip(moved, scores, strict=True))))
    figures = measure_precisions(seen, truth, LABELS)
    assert figures.ap50.value == pytest.approx(average_precision(seen, truth, 2), abs=1e-6)
    assert 0 < figures.ap50_95.value < figures.ap50.value < 1
    assert figures.ap50.low < figures.ap50.value < figures.ap50.high
    assert figures.ap50.of == 30
    assert measure_precisions(seen, truth, LABELS) == figures


def test_without_boxes_there_is_no_figure_and_without_findings_it_is_0():
    assert measure_precisions([found()], [drawn()], LABELS) is None
    nothing = measure_precisions([found()], [drawn((square(0.0), 1))], LABELS)
    assert (nothing.ap50.value, nothing.ap50_95.value, nothing.by_kind) == (0, 0, [None, 0])


def test_many_photos_where_a_rare_kind_is_drawn_once_have_an_interval_all_the_same():
    truth = [drawn((square(0.0), 1)), *(drawn() for _ in range(5))]
    figures = measure_precisions([found((square(0.0), 0.9, 1)), *(found() for _ in range(5))], truth, LABELS)
    assert [figures.ap50.value, figures.ap50.low, figures.ap50.high] == pytest.approx([1, 1, 1])
