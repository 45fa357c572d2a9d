"""What may be wrong with boxes."""

import pytest

from thaw.datasets.box_health import count_overlapping, examine_boxes
from thaw.storage.records import Image
from tlcore.boxes import Box

BIG = Box("apple", 0.1, 0.1, 0.5, 0.5)
MANY = [Box("apple", 0.1 * n, 0.1 * m, 0.05, 0.05) for n in range(5) for m in range(2)]


def images(count):
    return [Image(f"img-{n}", "", f"{n}.jpg", f"{n:064x}", 640, 480, role="pile") for n in range(count)]


def find(boxes, count=None, ignored=(), **options):
    photos = images(len(boxes) if count is None else count)
    drawn = {f"img-{n}": each for n, each in enumerate(boxes)}
    return {finding.kind: finding for finding in examine_boxes(photos, drawn, ignored, **options)}


def names(finding):
    return [image.name for image in finding.images]


def test_boxes_that_are_sound_make_no_finding():
    assert find([MANY]) == {}


def test_tiny_boxes_are_those_below_what_the_stride_sees():
    edge, below = Box("apple", 0, 0, 0.025, 0.5), Box("apple", 0, 0, 0.0249, 0.5)
    assert "tiny" not in find([[*MANY, edge]])
    found = find([[*MANY, below], [below, below], MANY])["tiny"]
    assert (names(found), found.title) == (
        ["1.jpg", "0.jpg"],
        "3 boxes are tiny: under 8 pixels, where the model looks at 320",
    )
    assert "tiny" not in find([[*MANY, below]], image_size=512)


def test_kinds_with_few_objects_and_names_alike_are_told():
    found = find([[*MANY, BIG, Box("Apple", 0, 0, 1, 1)]])
    assert found["few"].title == "Kinds with fewer than 10 objects: 'Apple' (1)"
    assert found["twins"].classes == ("Apple", "apple")


def test_boxes_of_one_kind_on_one_another_are_told():
    near, other = Box("apple", 0.11, 0.1, 0.5, 0.5), Box("pear", 0.1, 0.1, 0.5, 0.5)
    apart = Box("apple", 0.3, 0.1, 0.5, 0.5)
    assert [count_overlapping(each) for each in ([BIG, near], [BIG, other], [BIG, apart], [BIG], [])] == [1, 0, 0, 0, 0]
    found = find([[*MANY], [BIG, near], [BIG, near, BIG]])["crowded"]
    assert names(found) == ["2.jpg", "1.jpg"]


def test_photos_without_boxes_are_background_only_where_that_was_said():
    found = find([MANY, []], count=3)
    assert names(found["background"]) == ["1.jpg"]
    assert names(found["undrawn"]) == ["2.jpg"]
    assert "1 photo without any object" in found["background"].title


@pytest.mark.parametrize(
    ("kind", "subject"),
    [("background", "img-1"), ("undrawn", "img-2"), ("few", "apple"), ("tiny", "img-3"), ("crowded", "img-3")],
)
def test_what_is_ignored_is_not_told_again(kind, subject):
    tiny = Box("apple", 0, 0, 0.01, 0.01)
    boxes = {"img-0": [BIG], "img-1": [], "img-3": [tiny, tiny]}
    told = {finding.kind for finding in examine_boxes(images(4), boxes)}
    assert told == {"background", "undrawn", "few", "tiny", "crowded"}
    assert {finding.kind for finding in examine_boxes(images(4), boxes, {f"{kind}:{subject}"})} == told - {kind}
