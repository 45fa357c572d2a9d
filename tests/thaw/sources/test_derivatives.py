import pytest

from thaw.sources.derivatives import find_derivatives, read_stem
from tlcore.splits.near_duplicates import group

MADE = [
    *(
        "IMG_1_jpg.rf.0123456789abcdef0123456789abcdef.jpg",
        "IMG_1_png.rf.AbC12345xyz.png",
        "IMG_1.rf.0123456789abcdef.jpg",
    ),
    *("IMG_1_aug_2.jpg", "IMG_1_flip.png", "IMG_1-rot90.jpg", "IMG_1_hflip.jpg", "IMG_1_flipped_rotated_90.jpg"),
    *("IMG_1_rot_-15.jpg", "IMG_1_copy.jpg", "IMG_1 - Copy.jpg", "IMG_1 - Copy (2).jpg", "IMG_1 copy 3.jpg"),
    *("IMG_1_crop_3.jpg", "Copy of IMG_1.jpg", "flipped_IMG_1.jpg", "aug_3_IMG_1.jpg", "x/IMG_1_mirrored.jpeg"),
    "dog_original_IMG_1.jpg_3f2504e0-4f89-41d3-9a0c-0305e82c3301.jpg",
]


@pytest.mark.parametrize("name", MADE)
def test_the_name_of_the_photo_is_read_from_that_of_a_picture_made_of_it(name):
    stem = read_stem(name)
    assert stem.text == "IMG_1"
    assert stem.made


@pytest.mark.parametrize(
    "name", ["IMG_1.jpg", "flip.jpg", "airport.jpg", "copyright_notice.jpg", "outcrop_3.jpg", "x" * 9000]
)
def test_other_names_are_left_alone(name):
    assert not read_stem(name).made


def groups(names, label="a"):
    """Return the groups of two or more, as lists of names."""
    labels = [label] * len(names) if isinstance(label, str) else label
    numbers = group(len(names), find_derivatives(labels, names))
    members = {}
    for name, number in zip(names, numbers, strict=True):
        members.setdefault(number, []).append(name)
    return [each for each in members.values() if len(each) > 1]


def others(count=30):
    return [f"other{number}.jpg" for number in range(count)]


def test_what_an_exporter_made_of_one_photo_is_one_group():
    names = [f"p{photo}_jpg.rf.{copy:032x}.jpg" for photo in range(10) for copy in range(3)]
    assert groups(names) == [names[start : start + 3] for start in range(0, 30, 3)]


def test_the_same_name_in_two_classes_is_two_photos():
    names = ["a/1_jpg.rf.00000001.jpg", "b/1_jpg.rf.00000002.jpg", "a/1_flip.jpg", "b/1.jpg"]
    assert groups(names, ["a", "b", "a", "b"]) == []


def test_the_photo_itself_is_in_the_group():
    assert groups(["x.jpg", "x_flip.jpg", "x_rot90.jpg", *others()]) == [["x.jpg", "x_flip.jpg", "x_rot90.jpg"]]


def test_what_keras_saved_is_grouped_by_the_photos_index():
    names = [f"aug_{photo}_{drawn}.jpeg" for photo in range(6) for drawn in (9921, 311, 5203)]
    assert groups(names) == [names[start : start + 3] for start in range(0, 18, 3)]


@pytest.mark.parametrize(
    "names",
    [
        [f"run_3_{frame:04}.jpg" for frame in range(1, 31)],
        [f"cat ({number}).jpg" for number in range(1, 121)],
        ["cat.jpg", *(f"cat ({number}).jpg" for number in range(1, 31))],
        ["download.jpg", "download (1).jpg", "download (2).jpg"],
        [f"corn_crop_{number}.jpg" for number in range(30)],
        [f"{folder}/{number}.jpg" for folder in ("train/cat", "test/cat") for number in range(20)],
        ["1.jpg", "1.png", "2.jpg"],
        [f"2024_05_1{day}_1{hour}0000.jpg" for day in range(6) for hour in range(6)],
    ],
)
def test_series_of_different_photos_stay_apart(names):
    assert groups([*names, *others()]) == []


def test_a_copy_by_a_file_manager_joins_its_original():
    names = ["x.jpg", "x (1).jpg", "x (2).jpg", *others()]
    assert groups(names) == [names[:3]]


def test_folders_that_number_their_own_stay_apart():
    names = ["a/1.jpg", "a/1_flip.jpg", "b/1.jpg", "b/1_flip.jpg", *others()]
    assert groups(names) == [names[:2], names[2:4]]
