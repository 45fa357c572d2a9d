"""The program in a detector's export: it sees pictures as Thaw does, and keeps the boxes that Thaw keeps."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thaw.exporting.guide import FITTED, SUPPRESSION
from tlcore.detection import suppression
from tlcore.detection.views import GREY, read_squares

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "thaw" / "exporting"


@pytest.fixture(scope="module")
def finder():
    """The program, imported as beside an export: the reader of photos lies in the same folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import find_objects

        yield find_objects
        del sys.modules["find_objects"], sys.modules["read_photo"]


@pytest.mark.parametrize(("places", "kinds"), [(400, 3), (5, 1), (300, 8)])
def test_it_keeps_the_boxes_that_thaw_keeps(finder, places, kinds):
    chance = np.random.default_rng(places)
    low = chance.uniform(0, 280, (places, 2))
    boxes = np.concatenate([low, low + chance.uniform(0, 60, (places, 2))], axis=1).astype(np.float32)
    scores = (chance.uniform(0, 1, (places, kinds)) ** 2).astype(np.float32)
    boxes[1::2] = boxes[: len(boxes) // 2 * 2 : 2][: len(boxes[1::2])] + 1
    expected = suppression.suppress(boxes, scores)
    assert len(expected[1]) > 1
    for one, other in zip(finder.suppress(boxes, scores), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_its_rule_is_thaws(finder):
    told = (finder.LEAST_SCORE, finder.MOST_OVERLAP, finder.MOST)
    assert told == (suppression.LEAST_SCORE, suppression.MOST_OVERLAP, suppression.MOST)
    assert finder.GREY == GREY
    none = np.zeros((4, 4), np.float32), np.full((4, 2), 0.009, np.float32)
    assert [len(array) for array in finder.suppress(*none)] == [0, 0, 0]


def test_boxes_that_a_file_has_chosen_itself_are_taken_as_they_are(finder):
    answers = {"boxes": np.ones((300, 4)), "scores": np.ones(300), "classes": np.ones(300, int), "count": np.int32(2)}
    assert [len(array) for array in finder.choose(answers)] == [2, 2, 2]


@pytest.mark.parametrize("size", [(64, 64), (640, 427), (31, 64), (640, 3)])
def test_a_photo_lies_in_the_square_as_it_does_for_thaw(finder, size):
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8))
    (square,), (window,) = read_squares([photo], 96)
    seen, place = finder.fit_into_square(photo, 96)
    np.testing.assert_array_equal(seen, square)
    assert place == window.drawn


@pytest.mark.parametrize(("orientation", "size"), [(1, (60, 40)), (6, (40, 60)), (3, (60, 40))])
def test_a_photo_is_measured_upright(finder, tmp_path, orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (60, 40)).save(tmp_path / "photo.jpg", exif=exif)
    assert finder.measure(tmp_path / "photo.jpg") == size


def test_it_says_how_it_is_called_where_it_is_called_wrongly():
    line = [sys.executable, "find_objects.py", "model.onnx"]
    done = subprocess.run(line, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: python find_objects.py model.onnx photo.jpg")


def test_the_guide_has_both_rules_word_for_word():
    guide = " ".join((ROOT / "docs" / "export.md").read_text(encoding="utf-8").split())
    assert FITTED in guide
    for number, step in enumerate(SUPPRESSION, 1):
        assert f"{number}. {step}" in guide
