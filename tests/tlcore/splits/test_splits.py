import dataclasses
import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thaw.storage.records import Image
from tlcore.errors import DatasetError
from tlcore.models.backbones import BACKBONES
from tlcore.splits.groups import group_images
from tlcore.splits.splits import count_straddling, list_folds, recommend_image_size, split


def image(label, content, name=None, side=100):
    digest = hashlib.sha256(str(content).encode()).hexdigest()
    return Image(
        f"img-{label}-{name or content}",
        label,
        f"{label}/{name or content}.jpg",
        digest,
        side,
        side // 2,
        suffix=".jpg",
    )


def classes(**counts):
    return [image(label, f"{label}{n}") for label, count in counts.items() for n in range(count)]


def ids(images):
    return {image.id for image in images}


def test_each_class_gives_its_share_and_nothing_is_lost():
    images = classes(rose=50, tulip=20, daisy=2)
    halves = split(images, 0.2, seed=0)
    assert halves.labels == ["daisy", "rose", "tulip"]
    assert ids(halves.training) | ids(halves.validation) == ids(images)
    assert not ids(halves.training) & ids(halves.validation)
    held = [i.label for i in halves.validation]
    assert (held.count("rose"), held.count("tulip"), held.count("daisy")) == (10, 4, 1)


def test_the_seed_alone_decides():
    images = classes(rose=50, tulip=20)
    assert ids(split(images, 0.2, 1).validation) == ids(split(images[::-1], 0.2, 1).validation)
    assert ids(split(images, 0.2, 1).validation) != ids(split(images, 0.2, 2).validation)


def test_adding_images_moves_hardly_any_other():
    before = ids(split(classes(rose=100, tulip=100), 0.2, 0).validation)
    after = ids(split(classes(rose=110, tulip=100), 0.2, 0).validation)
    kept = {i for i in after if i in before}
    assert len(kept) >= len(before) - 3


def test_copies_lie_on_one_side():
    images = classes(rose=20, tulip=20)
    copies = [image("rose", f"rose{n}", name=f"copy{n}") for n in range(20)]
    halves = split([*images, *copies], 0.3, 0)
    assert not {i.content for i in halves.training} & {i.content for i in halves.validation}


def test_an_image_in_two_classes_is_only_trained_on():
    images = [*classes(rose=5, tulip=5), image("rose", "both"), image("tulip", "both")]
    for seed in range(20):
        halves = split(images, 0.5, seed)
        assert {"img-rose-both", "img-tulip-both"} <= ids(halves.training)


@pytest.mark.parametrize(
    ("images", "advice"),
    [
        ([], "Add a second folder"),
        (classes(rose=9), "only 'rose'.*Add a second folder"),
        (classes(rose=9, tulip=1), "Class 'tulip' has 1 image.*Add images or remove the class"),
        ([*classes(rose=9), image("tulip", 1, "a"), image("tulip", 1, "b")], "copies and near-duplicates not counted"),
        (classes(**{f"c{n}": 1 for n in range(10_001)}), "Received: 10,001.*merge classes"),
        ([image(label, n) for label in "ab" for n in range(3)], "cannot be told apart"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_with_advice(images, advice):
    with pytest.raises(DatasetError, match=advice):
        split(images, 0.2, 0)


def test_two_images_a_class_are_enough():
    halves = split(classes(rose=2, tulip=2), 0.5, 0)
    assert len(halves.training) == len(halves.validation) == 2


def test_tiny_images_are_not_blown_up():
    tiny, large = image("rose", 1, side=64), image("rose", 2, side=500)
    own, patches = BACKBONES["efficientnet-lite0"], BACKBONES["dinov2-vits14"]
    assert recommend_image_size([tiny, tiny, large], own) == 96
    assert recommend_image_size([tiny, large, large], own) == 224
    assert recommend_image_size([tiny], replace(own, input_size=64)) == 32
    assert recommend_image_size([], own) == 224
    assert [recommend_image_size(images, patches) for images in ([tiny], [large])] == [98, 224]


def test_near_duplicates_lie_on_one_side():
    images = [dataclasses.replace(each, lookalike=f"k{n // 4}") for n, each in enumerate(classes(rose=40, tulip=40))]
    halves = split(images, 0.25, 0)
    assert not {i.lookalike for i in halves.training} & {i.lookalike for i in halves.validation}
    held = [i.label for i in halves.validation]
    assert 8 <= held.count("rose") <= 12
    assert 8 <= held.count("tulip") <= 12


def test_a_class_whose_images_are_all_near_duplicates_is_refused_with_advice():
    images = [*classes(rose=9), *(dataclasses.replace(each, lookalike="k") for each in classes(tulip=9))]
    with pytest.raises(DatasetError, match="'tulip' has 1 image, copies and near-duplicates not counted"):
        split(images, 0.2, 0)


def test_the_newest_photos_of_each_class_judge_the_passing_of_time():
    images = [
        dataclasses.replace(each, taken_at=float(n % 20) if n % 20 < 15 else None)
        for n, each in enumerate(classes(rose=20, tulip=20))
    ]
    parts = split(images, 0.2, 0, later_share=0.2)
    assert sorted((i.label, i.taken_at) for i in parts.later) == [
        (label, when) for label in ("rose", "tulip") for when in (12.0, 13.0, 14.0)
    ]
    assert ids(parts.training) | ids(parts.validation) | ids(parts.later) == ids(images)
    assert parts.extra == {"later": parts.later}


def test_a_burst_is_wholly_later_or_wholly_before():
    images = [
        dataclasses.replace(each, taken_at=float(n % 20), lookalike=f"{each.label} burst" if n % 20 >= 17 else "")
        for n, each in enumerate(classes(rose=20, tulip=20))
    ]
    burst = {image.id for image in images if image.lookalike}
    assert ids(split(images, 0.2, 0, later_share=0.15).later) == burst
    # Too large to go, it lets no older photos go in its place: they would be judged by one who saw newer ones.
    assert split(images, 0.2, 0, later_share=0.05).later == []
    without_dates = [dataclasses.replace(each, taken_at=None) for each in images]
    assert split(without_dates, 0.2, 0, later_share=0.5).later == []


IMAGES = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.integers(0, 12),
        st.sampled_from(["", "", "k1", "k2", "k3"]),
        st.sampled_from(["", "", "s1", "s2"]),
        st.one_of(st.none(), st.integers(0, 9)),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(drawn=IMAGES, share=st.floats(0.05, 0.5), seed=st.integers(0, 3), later=st.sampled_from([0.0, 0.2, 0.5]))
def test_no_group_is_ever_on_two_sides(drawn, share, seed, later):
    images = [
        dataclasses.replace(image(label, content, f"{n}"), id=f"img-{n}", lookalike=look, similar=like, taken_at=when)
        for n, (label, content, look, like, when) in enumerate(drawn)
    ]
    try:
        parts = split(images, share, seed, later_share=later)
    except DatasetError:
        return
    group_of = dict(zip((i.id for i in images), group_images(images), strict=True))
    sides = [{group_of[i.id] for i in side} for side in (parts.training, parts.validation, parts.later)]
    assert sum(map(len, sides)) == len(set(group_of.values()))
    assert sorted(i.id for side in (parts.training, parts.validation, parts.later) for i in side) == sorted(group_of)
    for side in (parts.training, parts.validation):
        assert {i.label for i in side} == set(parts.labels)


def parted(label, part, numbers):
    return [replace(image(label, f"{label}{part}{n}"), part=part) for n in numbers]


def their_split(extra=()):
    return [
        each
        for label in ("rose", "tulip")
        for each in (*parted(label, "training", range(20)), *parted(label, "validation", range(10)))
    ] + list(extra)


def test_a_ready_made_split_is_kept_or_made_anew():
    images = their_split()
    halves = split(images, 0.2, 0, theirs=True)
    assert {each.part for each in halves.validation} == {"validation"}
    assert len(halves.validation) == 20
    assert {each.part for each in split(images, 0.2, 0).validation} == {"training", "validation"}
    assert split(classes(rose=9, tulip=9), 0.3, 0, theirs=True) == split(classes(rose=9, tulip=9), 0.3, 0)


def test_what_straddles_a_ready_made_split_is_learnt_from_and_counted():
    images = their_split()
    copied = {f"img-rose-rose{part}{n}": f"p{n}" for part in ("training", "validation") for n in range(3)}
    images = [replace(each, derived=copied.get(each.id, "")) for each in images]
    halves = split(images, 0.2, 0, theirs=True)
    assert len(halves.validation) == 17
    assert count_straddling(images) == 3
    assert count_straddling(their_split()) == count_straddling(classes(rose=3)) == 0


def test_what_came_without_a_part_is_divided_by_share():
    halves = split(their_split(classes(rose=50, tulip=50)), 0.2, 0, theirs=True)
    held = Counter((each.label, each.part) for each in halves.validation)
    assert held == {(label, part): 10 for label in ("rose", "tulip") for part in ("", "validation")}


def test_a_class_without_validation_photos_of_theirs_gets_some():
    halves = split(their_split(parted("lily", "training", range(20))), 0.2, 0, theirs=True)
    assert Counter(each.label for each in halves.validation) == {"rose": 10, "tulip": 10, "lily": 4}
    halves = split(their_split(parted("lily", "validation", range(20))), 0.2, 0, theirs=True)
    assert Counter(each.label for each in halves.training)["lily"] == 1


def test_groups_are_never_on_both_sides_and_every_image_is_held_out_once():
    chance = np.random.default_rng(0)
    groups = chance.integers(0, 60, 300)
    classes = groups % 3
    plan = list_folds(classes, groups, 5, seed=0)
    assert len(plan) == 5
    for training, testing in plan:
        assert not set(groups[training]) & set(groups[testing])
        assert set(classes[training]) == {0, 1, 2}
    assert sorted(np.concatenate([testing for _, testing in plan])) == list(range(300))
