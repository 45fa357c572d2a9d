import hashlib

import pytest

from tlcore.errors import DatasetError
from tlcore.records import Image
from tlcore.splits import recommend_image_size, split


def image(label, content, name=None, side=100):
    digest = hashlib.sha256(str(content).encode()).hexdigest()
    return Image(
        f"img-{label}-{name or content}", label, f"{label}/{name or content}.jpg", digest, ".jpg", side, side // 2
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
        (classes(rose=9, tulip=1), "Class 'tulip' has 1 image.*Add images or remove the folder"),
        ([*classes(rose=9), image("tulip", 1, "a"), image("tulip", 1, "b")], "copies not counted"),
        (classes(**{f"c{n}": 1 for n in range(10_000)}), "10,000.*merge classes"),
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
    assert recommend_image_size([tiny, tiny, large], 224) == 96
    assert recommend_image_size([tiny, large, large], 224) == 224
    assert recommend_image_size([tiny], 64) == 64
    assert recommend_image_size([], 224) == 224
