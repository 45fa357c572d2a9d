"""The sample to find and count things on: what it shows, whether boxes fit, and that exam photos show nothing known."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from thaw.sources.object_sample import (
    BLOSSOM_AXIS,
    BLOSSOM_PLACE,
    EXAM_PLACES,
    LEARNT_PLACES,
    LEFT_OUTLINE,
    RIGHT_OUTLINE,
    TOWER_AXIS,
    write_objects,
)

PHOTOS = 20
ORANGE = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_objects(tmp_path_factory.mktemp("objects"), PHOTOS)


def read(folder, part):
    return json.loads((folder / part / f"instances_{part}.json").read_text(encoding="utf-8"))


def test_a_fifth_judges_and_some_photos_show_nothing(folder):
    for part, count in (("train", 16), ("valid", 4)):
        told = read(folder, part)
        files = sorted(path.name for path in (folder / part).glob("*.jpg"))
        assert [image["file_name"] for image in told["images"]] == files
        assert len(files) == count
        for file in files:
            with Image.open(folder / part / file) as picture:
                assert picture.size == (480, 360)
        assert {each["name"] for each in told["categories"]} == {"blossom", "tower"}
        assert {each["category_id"] for each in told["annotations"]} == {1, 2}
    empty = {image["id"] for image in read(folder, "train")["images"]}
    empty -= {each["image_id"] for each in read(folder, "train")["annotations"]}
    assert empty == {10}


def test_boxes_lie_within_the_photo_around_what_they_name(folder):
    """A blossom that nothing else touches is orange, up to the edges of its box, and a tower is not."""
    shares = {1: [], 2: []}
    told = read(folder, "train")
    for image in told["images"]:
        boxes = [each for each in told["annotations"] if each["image_id"] == image["id"]]
        pixels = np.asarray(Image.open(folder / "train" / image["file_name"]), int)
        orange = pixels[..., 0] - pixels[..., 2] > ORANGE
        for each in boxes:
            x, y, width, height = each["bbox"]
            assert 0 <= x < x + width <= 480
            assert 0 <= y < y + height <= 360
            if all(apart(each["bbox"], other["bbox"]) for other in boxes if other is not each):
                shares[each["category_id"]].append(orange[int(y) : int(y + height), int(x) : int(x + width)].mean())
    assert len(shares[1]) > 3
    assert min(shares[1]) > 0.4
    assert len(shares[2]) > 3
    assert max(shares[2]) < 0.4


def apart(first, second):
    return any(
        first[axis] + first[axis + 2] <= second[axis] or second[axis] + second[axis + 2] <= first[axis]
        for axis in (0, 1)
    )


def test_the_same_seed_gives_the_same_photos_and_another_one_others(folder, tmp_path):
    again, other = write_objects(tmp_path / "again", 2), write_objects(tmp_path / "other", 2, seed=1)
    first = "train/train-001.jpg"
    assert (again / first).read_bytes() == (folder / first).read_bytes()
    assert (other / first).read_bytes() != (folder / first).read_bytes()


@pytest.mark.parametrize("photograph", ["flower", "china"])
def test_exam_photos_are_made_of_other_pixels_than_those_to_learn_from(photograph):
    left, top, right, bottom = BLOSSOM_PLACE
    halves = {
        "flower": [[(left, top), (BLOSSOM_AXIS - 1, bottom)], [(BLOSSOM_AXIS, top), (right, bottom)]],
        "china": [LEFT_OUTLINE, RIGHT_OUTLINE],
    }
    sides = []
    for half, grounds in zip(halves[photograph], (LEARNT_PLACES, EXAM_PLACES), strict=True):
        used = Image.new("1", (640, 427))
        pen = ImageDraw.Draw(used)
        (pen.rectangle if photograph == "flower" else pen.polygon)(half, fill=1)
        for x, y, end, below in grounds[photograph]:
            pen.rectangle((x, y, end - 1, below - 1), fill=1)
        sides.append(np.asarray(used).copy())
    learnt, exam = sides
    assert learnt.any()
    assert exam.any()
    # The outlines of the tower's halves meet where it is cut.
    shared = np.argwhere(learnt & exam)[:, 1]
    assert {*shared.tolist()} <= ({TOWER_AXIS} if photograph == "china" else set())
