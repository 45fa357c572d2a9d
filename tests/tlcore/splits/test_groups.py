"""Groups: what ties images together, and what a pattern reads from a name."""

import dataclasses

import pytest

from thaw.storage.records import Image
from tlcore.errors import SettingsError
from tlcore.photos import Photo
from tlcore.splits.groups import GroupRules, group_images, judged_by_itself
from tlcore.splits.splits import split


def make(name, **changes):
    plain = Image(name, "cat", name, content=name, suffix=".png", width=64, height=64)
    return dataclasses.replace(plain, **changes)


def test_images_that_have_nothing_in_common_are_groups_of_one():
    assert group_images([make("a"), make("b"), make("c")]) == [0, 1, 2]


def test_copies_lookalikes_and_similar_ones_are_tied_together_over_one_another():
    images = [
        make("a", content="x"),
        make("b"),
        make("c", content="x", lookalike="k"),
        make("d", lookalike="k", similar="s"),
        make("e", similar="s"),
    ]
    assert group_images(images) == [0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("pattern", "name", "subject"),
    [
        ("{group}_*", "cats/anna_03_left.jpg", "anna"),
        ("IMG_{group}-?.png", "dogs/IMG_20240501-3.png", "20240501"),
        ("{group}_*", "cats/anna.jpg", None),
        ("{group}.*", "cats/a+b(1).jpg", "a+b(1)"),
        ("", "cats/anna_03.jpg", None),
    ],
)
def test_a_pattern_reads_the_subject_from_the_file_name(pattern, name, subject):
    assert GroupRules(pattern).subject(name) == subject


def test_photos_of_one_subject_are_one_group_across_classes():
    images = [make("well/anna_1.jpg", label="well"), make("ill/anna_2.jpg", label="ill"), make("ill/ben_1.jpg")]
    assert group_images(images, GroupRules("{group}_*")) == [0, 0, 2]


def test_photos_taken_within_seconds_are_a_burst_of_their_class():
    taken = {"a": 100.0, "b": 101.5, "c": 103.0, "d": 200.0, "e": None}
    images = [make(name, taken_at=when) for name, when in taken.items()]
    images.append(make("f", taken_at=101.0, label="dog"))
    assert group_images(images, GroupRules(burst_seconds=2)) == [0, 0, 0, 3, 4, 5]


@pytest.mark.parametrize("pattern", ["*.jpg", "{group}{group}", "{group}*****", "{group}" + "x" * 200])
def test_a_pattern_that_makes_no_sense_is_refused(pattern):
    with pytest.raises(SettingsError, match="Expected a pattern"):
        GroupRules(pattern)


def test_a_hostile_name_does_not_hold_up_the_pattern():
    assert GroupRules("{group}_*_*_*_*!").subject("a_" * 4000) is None


def recorded(number, recording, label, **marks):
    name = f"{label}/recording-{recording:012x}-{number:04d}.jpg"
    return Photo(f"{label}-{recording}-{number}", label, name, f"{label}{recording}{number}", 9, 9, **marks)


def test_a_recording_is_one_group_and_what_looks_alike_joins_no_two_recordings():
    images = [recorded(number, take, "cup", similar="same") for take in (1, 2) for number in range(3)]
    assert group_images(images) == [0, 0, 0, 3, 3, 3]
    assert judged_by_itself(images) == []


def test_the_only_recording_of_a_class_is_judged_by_its_last_fifth_and_that_is_told():
    images = [recorded(number, 1, "cup", lookalike="same") for number in reversed(range(10))]
    images += [recorded(number, take, "dog") for take in (2, 3) for number in range(2)]
    assert group_images(images)[:10] == [0, 0, *[2] * 8]
    assert judged_by_itself(images) == ["cup"]
    parts = split(images, 0.2, seed=0)
    assert sorted(image.name for image in parts.validation if image.label == "cup") == [
        images[1].name,
        images[0].name,
    ]


def test_a_photo_beside_the_recording_ends_that():
    images = [recorded(number, 1, "cup") for number in range(5)]
    images.append(Photo("photo", "cup", "cup/photo.jpg", "photo", 9, 9))
    assert group_images(images) == [0, 0, 0, 0, 0, 5]
    assert judged_by_itself(images) == []
