"""The split of photos with boxes."""

from collections import Counter

import pytest

from tlcore.boxes import Box, BoxedPhotos
from tlcore.errors import DatasetError
from tlcore.photos import Photo
from tlcore.splits.boxed_splits import split_boxed


def boxed(*kinds, names=None, **fields):
    """Make photos of which each shows the kinds that its letters stand for."""
    photos = [
        Photo(
            f"img-{n}",
            "",
            names[n] if names else f"{n}.jpg",
            f"{n * 7919:064x}",
            512,
            512,
            **{field: values[n] for field, values in fields.items()},
        )
        for n in range(len(kinds))
    ]
    boxes = {
        photo.id: [Box(kind, 0, 0, 0.5, 0.5) for kind in shown] for photo, shown in zip(photos, kinds, strict=True)
    }
    return BoxedPhotos(photos, boxes)


def ids(side):
    return [photo.id for photo in side.photos]


def count(side):
    return Counter(label for photo in side.photos for label in {box.label for box in side.boxes[photo.id]} or {""})


def test_every_kind_and_the_background_are_divided_alike():
    made = boxed(*["a"] * 40, *["ab"] * 20, *["c"] * 10, *[""] * 10)
    split = split_boxed(made, 0.2, 0)
    assert sorted(ids(split.training) + ids(split.validation)) == sorted(photo.id for photo in made.photos)
    held = count(split.validation)
    assert (held["b"], held["c"], held[""]) == (4, 2, 2)
    assert 10 <= held["a"] <= 14
    assert (split.unjudged, split.left_out) == ([], [])


def test_the_same_seed_gives_the_same_split_and_more_photos_move_few():
    made = boxed(*["a"] * 50)
    again = split_boxed(made, 0.2, 3)
    assert ids(split_boxed(made, 0.2, 3).validation) == ids(again.validation)
    assert ids(split_boxed(made, 0.2, 4).validation) != ids(again.validation)
    more = split_boxed(boxed(*["a"] * 55), 0.2, 3)
    assert len({*ids(again.validation)} - {*ids(more.validation)}) <= 2


@pytest.mark.parametrize("seed", range(8))
def test_near_duplicates_and_tiles_lie_on_one_side(seed):
    names = [f"s{n // 4}_{n % 4 * 256}_0.png" for n in range(20)] + [f"p{n}.jpg" for n in range(20)]
    made = boxed(*["a"] * 40, names=names, lookalike=[""] * 20 + [f"{n // 2}" for n in range(20)])
    held = {*ids(split_boxed(made, 0.25, seed).validation)}
    for first, size in ((0, 4), (20, 2)):
        for start in range(first, first + 20, size):
            assert len({f"img-{n}" in held for n in range(start, start + size)}) == 1


def test_a_kind_on_one_photo_is_learnt_and_told_of():
    split = split_boxed(boxed(*["a"] * 10, "ab"), 0.2, 0)
    assert split.unjudged == ["b"]
    assert "img-10" in ids(split.training)


def test_a_kind_in_large_groups_is_judged_all_the_same():
    made = boxed(*["a"] * 6, *["b"] * 30, lookalike=["x"] * 3 + ["y"] * 3 + [""] * 30)
    assert count(split_boxed(made, 0.1, 0).validation)["a"] == 3


def test_a_ready_made_split_is_kept_where_asked_for():
    parts = ["training"] * 5 + ["validation"] * 3 + [""] * 2
    made = boxed(*["a"] * 10, part=parts, lookalike=["x", *[""] * 4, "x", *[""] * 4])
    assert ids(split_boxed(made, 0.2, 0, theirs=True).validation) == ["img-6", "img-7"]
    assert ids(split_boxed(made, 0.2, 0).validation) != ["img-6", "img-7"]


def test_a_picture_of_tiles_that_all_overlap_is_cut_in_two():
    names = [f"north_{x * 256}_{y * 256}.png" for x in range(8) for y in range(2)]
    split = split_boxed(boxed(*["a"] * 16, names=names), 0.25, 0)
    offsets = [
        {int(photo.name.split("_")[1]) for photo in side}
        for side in (split.training.photos, split.left_out, split.validation.photos)
    ]
    assert offsets == [{0, 256, 512, 768, 1024}, {1280}, {1536, 1792}]


@pytest.mark.parametrize("kinds", [["a"], ["a", "b"], ["a", "a"]])
def test_where_nothing_can_judge_it_is_refused(kinds):
    with pytest.raises(DatasetError, match="on at least 2 photos"):
        split_boxed(boxed(*kinds, lookalike=["x"] * len(kinds)), 0.2, 0)


def test_two_photos_are_enough_and_both_sides_make_a_split():
    parts = split_boxed(boxed("a", "a"), 0.2, 0).split
    assert (len(parts.training), len(parts.validation), parts.labels) == (1, 1, ["a"])
