"""The verdict on a detector's files: what rounding may change passes, other boxes do not."""

import numpy as np
import pytest

from tlcore.detection.found import Drawn
from tlcore.detection.suppression import suppress
from tlcore.detection.verification import DetectorReference, Kept, compare, find_breach, judge_answers
from tlcore.detection.views import Window
from tlcore.exporting.suppression import NOTHING

SIDE, PLACES = 64, 60
LABELS = ["disc", "square"]


@pytest.fixture
def reference():
    """What a detector says of two pictures: boxes anywhere, some over each other."""
    chance = np.random.default_rng(4)
    low = chance.uniform(0, 40, (2, PLACES, 2))
    edges = np.concatenate([low, low + chance.uniform(6, 24, (2, PLACES, 2))], axis=-1).astype(np.float32)
    scores = chance.uniform(0.1, 1, (2, PLACES, 2)).astype(np.float32)
    nothing = Drawn(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    return DetectorReference("validation", edges, scores, [Window(SIDE, SIDE, SIDE)] * 2, [nothing] * 2)


@pytest.fixture
def kept(reference):
    return Kept(*suppress(reference.edges[0], reference.scores[0]))


def changed(kept, **parts):
    return Kept(**{name: parts.get(name, getattr(kept, name)) for name in ("edges", "scores", "kinds")})


def ask(reference, kept):
    return find_breach(reference.edges[0], reference.scores[0], kept)


def test_what_the_reference_keeps_breaks_nothing(reference, kept):
    assert ask(reference, kept) == (0.0, 0.0, None)
    chance = np.random.default_rng(0)
    near = changed(
        kept,
        edges=kept.edges + chance.uniform(-0.01, 0.01, kept.edges.shape),
        scores=np.sort(kept.scores + chance.uniform(-1e-5, 1e-5, kept.scores.shape))[::-1],
    )
    shift, difference, breach = ask(reference, near)
    assert breach is None
    assert 0 < shift <= 0.0101
    assert 0 < difference < 1e-4


def test_each_way_to_keep_others_is_told(reference, kept):
    middle = len(kept.scores) // 2
    lacking = Kept(*(np.delete(array, middle, axis=0) for array in vars(kept).values()))
    assert ask(reference, lacking)[2] == "a box is left out"
    twice = Kept(*(np.insert(array, middle, array[middle], axis=0) for array in vars(kept).values()))
    assert ask(reference, twice)[2] == "two boxes of a kind lie over each other"
    assert ask(reference, Kept(*(array[::-1] for array in vars(kept).values())))[2].startswith(
        "they are not the surest"
    )
    assert ask(reference, changed(kept, edges=kept.edges + 1.0))[0] == pytest.approx(1.0, abs=1e-5)
    assert ask(reference, changed(kept, kinds=1 - kept.kinds))[1] > 1e-4


def test_edges_count_where_anything_is_seen_and_scores_everywhere():
    edges, scores = np.zeros((2, 4)), np.array([[0.5], [0.001]])
    moved = edges + np.array([[0.25], [9]])
    assert compare((edges, scores), (moved, scores + 0.125)) == (0.25, 0.125)


def every(reference):
    return {"boxes": reference.edges, "scores": reference.scores}


def suppressed(reference):
    """Answer as a file with suppression inside does."""
    boxes, scores = np.zeros((2, 300, 4), np.float32), np.zeros((2, 300), np.float32)
    classes, count = np.full((2, 300), NOTHING, np.int32), np.zeros(2, np.int32)
    for place in range(2):
        edges, values, kinds = suppress(reference.edges[place], reference.scores[place])
        count[place] = len(values)
        boxes[place, : len(values)], scores[place, : len(values)] = edges, values
        classes[place, : len(values)] = kinds
    return {"boxes": boxes, "scores": scores, "classes": classes, "count": count}


@pytest.fixture
def verdict(reference, tmp_path):
    """Return a function that judges answers."""

    def judge(answers):
        np.savez(tmp_path / "answers.npz", **answers, modules=np.array(["onnxruntime"]))
        return judge_answers(tmp_path / "answers.npz", [reference], LABELS)

    return judge


@pytest.mark.parametrize("answer", [every, suppressed])
def test_a_file_that_gives_the_detectors_own_passes(reference, verdict, answer):
    found = verdict(answer(reference))
    assert (found.judgement, found.reason) == ("passed", "")
    (judged,) = found.judged
    assert (judged.side, judged.images, judged.disagreements) == ("validation", 2, 0)
    assert (judged.largest_shift_px, judged.largest_difference, judged.accuracy_change) == (0, 0, 0)


@pytest.mark.parametrize("answer", [every, suppressed])
def test_a_file_of_other_boxes_is_refused(reference, verdict, answer):
    answers = answer(reference)
    answers["boxes"] = answers["boxes"].copy()
    answers["boxes"][1, 0, 0] += 2
    found = verdict(answers)
    assert found.judgement == "refused"
    assert found.reason.startswith("on 1 of 2 images other objects are found than by the run: edges are up to 2 px")
    assert found.judged[0].disagreements == 1


def test_answers_that_do_not_hold_together_are_refused(reference, verdict):
    fewer = every(reference) | {"boxes": reference.edges[:, :5]}
    assert "shapes {'boxes': (2, 5, 4)" in verdict(fewer).reason
    assert "no numbers" in verdict(every(reference) | {"boxes": reference.edges * np.nan}).reason
    named = every(reference) | {"class_names": np.array([LABELS[::-1]])}
    assert "class names" in verdict(named).reason
    counted = suppressed(reference)
    counted["count"] = counted["count"] - 1
    assert "do not agree" in verdict(counted).reason
    assert not verdict(counted).judged
