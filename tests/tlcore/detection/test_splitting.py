"""Photos with boxes, divided: near-duplicates together, every kind on both sides where it can be."""

from dataclasses import replace

import pytest

from tlcore.boxes import Box, BoxedPhotos
from tlcore.detection.splitting import split_boxed
from tlcore.errors import DatasetError
from tlcore.photos import Photo


def boxed(labels, **changes):
    """Return photos with a box of each label of theirs; `changes` are by a photo's number."""
    photos = [Photo(f"p{number}", "", f"{number}.jpg", f"{number:064x}", 10, 10) for number in range(len(labels))]
    photos = [replace(photo, **changes.get(photo.id, {})) for photo in photos]
    boxes = {f"p{n}": [Box(label, 0.1, 0.1, 0.5, 0.5) for label in each] for n, each in enumerate(labels)}
    return BoxedPhotos(photos, boxes)


def ids(photos):
    return {photo.id for photo in photos}


def test_a_fifth_is_held_out_the_same_each_time():
    photos = boxed([["cup"]] * 40)
    parts = split_boxed(photos)
    assert (len(parts.training), len(parts.validation), parts.labels) == (32, 8, ["cup"])
    assert split_boxed(photos) == parts
    assert ids(split_boxed(photos, seed=1).validation) != ids(parts.validation)
    assert not ids(parts.training) & ids(parts.validation)


def test_photos_that_are_added_later_move_nearly_none():
    before = ids(split_boxed(boxed([["cup"]] * 40)).validation)
    after = ids(split_boxed(boxed([["cup"]] * 44)).validation)
    assert len(before & after) >= 6


def test_near_duplicates_lie_on_one_side():
    changes = {f"p{number}": {"lookalike": f"scene {number // 5}"} for number in range(40)}
    parts = split_boxed(boxed([["cup"]] * 40, **changes))
    sides = [{photo.lookalike for photo in side} for side in (parts.training, parts.validation)]
    assert not sides[0] & sides[1]
    assert len(parts.validation) in (5, 10)


def test_a_rare_kind_is_on_both_sides_and_a_single_one_is_learnt_from():
    parts = split_boxed(boxed([["cup"]] * 30 + [["fork"], ["fork"], ["spoon"]]))
    kinds = [
        {photo.id for photo in side if photo.id in ("p30", "p31", "p32")} for side in (parts.training, parts.validation)
    ]
    assert len(kinds[1] & {"p30", "p31"}) == 1
    assert "p32" in kinds[0]


def test_a_ready_made_split_is_kept_where_it_is_asked_for():
    changes = {"p3": {"part": "validation"}, "p4": {"part": "validation"}}
    parts = split_boxed(boxed([["cup"]] * 20, **changes), theirs=True)
    assert ids(parts.validation) == {"p3", "p4"}
    assert len(split_boxed(boxed([["cup"]] * 20, **changes)).validation) == 4


def test_photos_without_objects_are_divided_too():
    parts = split_boxed(boxed([["cup"]] * 10 + [[]] * 30))
    assert len(parts.validation) == 8


def test_two_photos_are_enough_and_one_is_not():
    parts = split_boxed(boxed([["cup"], ["cup"]]))
    assert (len(parts.training), len(parts.validation)) == (1, 1)
    with pytest.raises(DatasetError, match="Expected photos of at least two scenes"):
        split_boxed(boxed([["cup"]]))
    with pytest.raises(DatasetError, match="Received: 3 photos without any"):
        split_boxed(boxed([[], [], []]))
