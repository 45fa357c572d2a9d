"""The health report on real pictures: each rule finds what it is for, and ordinary pictures give no alarm."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageFilter
from sklearn.datasets import load_sample_images

from tests.support.pictures.corpus import encoded, photo
from thaw.datasets.health import Finding, examine
from thaw.sources.samples import write_digits
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work

pytestmark = pytest.mark.usefixtures("warm_decoder")

SIDE_PX, IMAGE_SIZE = 224, 224
CROPS = 40


@pytest.fixture(scope="module")
def photographs() -> list[Picture.Image]:
    return [Picture.fromarray(pixels) for pixels in load_sample_images().images]


@pytest.fixture(scope="module")
def crops(photographs) -> list[Picture.Image]:
    """Cut pieces out of two real photographs."""
    chance = np.random.default_rng(0)
    places = [
        (whole, int(chance.integers(whole.width - SIDE_PX)), int(chance.integers(whole.height - SIDE_PX)))
        for whole in photographs
        for _ in range(CROPS)
    ]
    return [whole.crop((left, top, left + SIDE_PX, top + SIDE_PX)) for whole, left, top in places]


def take_in(folder: Path, files: dict[str, bytes]) -> list[Image]:
    """Import files by the real import; return the images."""
    for name, content in files.items():
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return imported(folder, folder / "photos")


def imported(folder: Path, photos: Path) -> list[Image]:
    store = Store(open_workspace(folder / "workspace"))
    job_id = store.add_job("import", {"kind": "folder", "path": str(photos), "name": "photos"})
    work(store, job_id)
    assert store.job(job_id).status == "finished", store.job(job_id).error
    return store.images(store.datasets()[0].id)


def png(picture: Picture.Image) -> bytes:
    return encoded(picture, "PNG")


def ordinary(crops: list[Picture.Image]) -> dict[str, bytes]:
    """Lay the crops out as two classes of like size."""
    return {f"{'temple' if n < CROPS else 'flower'}/{n}.png": png(crop) for n, crop in enumerate(crops)}


def found(images: list[Image], ignored: set[str] = frozenset(), image_size: int = IMAGE_SIZE) -> dict[str, Finding]:
    findings = examine(images, image_size, ignored)
    assert len({finding.kind for finding in findings}) == len(findings)
    return {finding.kind: finding for finding in findings}


def names(finding: Finding) -> list[str]:
    return [image.name.rpartition("/")[2] for image in finding.images]


def test_real_photographs_whole_and_in_crops_raise_no_alarm(tmp_path, photographs, crops):
    whole = {
        f"{label}/whole.jpg": encoded(each, "JPEG")
        for label, each in zip(("temple", "flower"), photographs, strict=True)
    }
    kinds = set(found(take_in(tmp_path, ordinary(crops) | whole)))
    # Crops of one photograph overlap, but they are of one class.
    assert not kinds


def test_real_digits_raise_no_alarm(tmp_path):
    images = imported(tmp_path, write_digits(tmp_path / "digits"))
    assert len(images) == 1797
    assert not set(found(images, image_size=96)) - {"conflict", "copies"}


def test_smooth_pictures_are_judged_by_one_another(tmp_path):
    files = {
        f"{label}/{n}.png": png(photo(n + start, 320, 240)) for label, start in (("a", 0), ("b", 50)) for n in range(12)
    }
    assert not found(take_in(tmp_path, files))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory, crops) -> list[Image]:
    """Ordinary crops with one or more pictures of every fault that a picture can have."""
    noise = np.random.default_rng(1)
    wall = Picture.fromarray(noise.normal(120, 1.5, (200, 200, 3)).clip(0, 255).astype(np.uint8))
    faults = {
        "temple/blurred.png": crops[0].filter(ImageFilter.GaussianBlur(3)),
        "temple/more-blurred.png": crops[1].filter(ImageFilter.GaussianBlur(6)),
        "temple/soft.png": crops[2].filter(ImageFilter.GaussianBlur(1)),
        "flower/dark.png": crops[50].point(lambda value: value // 7),
        "flower/darker.png": crops[51].point(lambda value: value // 10),
        "flower/dim.png": crops[52].point(lambda value: value // 2),
        "flower/wall.png": wall,
        "flower/black.png": Picture.new("RGB", (200, 200)),
        "flower/small.png": crops[53].resize((111, 80)),
        "flower/large-enough.png": crops[54].resize((112, 80)),
        "temple/long.png": crops[3].resize((700, 230)),
        "temple/longer.png": crops[4].resize((120, 600)),
        "temple/wide.png": crops[5].resize((600, 200)),
    }
    files = ordinary(crops) | {name: png(picture) for name, picture in faults.items()}
    return take_in(tmp_path_factory.mktemp("faulty"), files)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("blurry", ["more-blurred.png", "blurred.png"]),
        ("dark", ["darker.png", "dark.png"]),
        ("uniform", ["black.png", "wall.png"]),
        ("small", ["small.png"]),
        ("narrow", ["longer.png", "long.png"]),
    ],
)
def test_each_fault_is_found_the_worst_first_and_nothing_else_is(faulty, kind, expected):
    finding = found(faulty)[kind]
    assert names(finding) == expected
    assert finding.title.startswith("1 image is " if len(expected) == 1 else f"{len(expected)} images are ")
    assert finding.surplus == finding.images


def test_an_ignored_picture_is_told_of_no_more_and_its_fellows_are(faulty):
    darker, dark = found(faulty)["dark"].images
    left = found(faulty, {f"dark:{darker.id}"})
    assert left["dark"].images == (dark,)
    assert left["dark"].title.startswith("1 image is ")
    assert "dark" not in found(faulty, {f"dark:{darker.id}", f"dark:{dark.id}"})
    assert "dark" in found(faulty, {f"small:{darker.id}", f"small:{dark.id}"})


def test_small_depends_on_what_the_backbone_sees(faulty):
    assert "small" not in found(faulty, image_size=96)


def test_a_picture_in_two_classes_is_found_even_when_it_was_encoded_again(tmp_path, crops):
    twice = {
        "temple/same.png": png(crops[70]),
        "flower/same.png": png(crops[70]),
        "temple/again.jpg": encoded(crops[60], "JPEG", quality=70),
        "flower/first.png": png(crops[60]),
    }
    images = take_in(tmp_path, {name: png(crop) for name, crop in zip(_slots(), crops[:40], strict=False)} | twice)
    finding = found(images)["conflict"]
    assert set(names(finding)) == {"same.png", "again.jpg", "first.png"}
    assert len(finding.images) == 4
    # The pictures that are one stand side by side.
    first, second, third, fourth = finding.images
    assert (first.lookalike, third.lookalike) == (second.lookalike, fourth.lookalike)
    assert "conflict" not in found(images, {f"conflict:{image.id}" for image in finding.images})


def _slots() -> list[str]:
    return [f"{'temple' if n % 2 else 'flower'}/{n}.png" for n in range(40)]


def images_of(counts: dict[str, int]) -> list[Image]:
    rows = [(label, n) for label, count in counts.items() for n in range(count)]
    return [
        Image(f"img-{number:012x}", label, f"{label}/{n}.jpg", f"{number:064x}", 300, 300, suffix=".jpg")
        for number, (label, n) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("counts", "told"), [({"a": 30, "b": 10}, False), ({"a": 31, "b": 10}, True), ({"a": 90}, False)]
)
def test_classes_are_unbalanced_beyond_three_to_one(counts, told):
    findings = found(images_of(counts))
    assert ("unbalanced" in findings) == told
    if told:
        assert "'a' has 31 images, 'b' 10" in findings["unbalanced"].title
        assert "unbalanced" not in found(images_of(counts), {"unbalanced:a/b"})


def test_classes_with_few_images_are_named_with_their_counts():
    finding = found(images_of({"a": 9, "b": 10, "c": 4, "d": 12}))["few"]
    assert finding.classes == ("a", "c")
    assert finding.title.endswith("'a' (9), 'c' (4)")


def test_twins_are_found_until_the_person_says_that_they_differ():
    images = images_of({"Cat": 10, "cat": 10, "dog": 10})
    assert found(images)["twins"].classes == ("Cat", "cat")
    assert "twins" not in found(images, {"twins:Cat/cat"})


def test_all_but_one_of_each_copy_are_surplus(tmp_path, crops):
    copies = {f"temple/copy-{n}.png": png(crops[0]) for n in range(3)}
    images = take_in(tmp_path, copies | {name: png(crop) for name, crop in zip(_slots(), crops[1:41], strict=True)})
    finding = found(images)["copies"]
    assert names(finding) == ["copy-0.png", "copy-1.png", "copy-2.png"]
    assert finding.title == "2 images are exact copies of another"
    assert len(finding.surplus) == 2
    assert finding.images[0] not in finding.surplus
    left = [image for image in images if image not in finding.surplus]
    assert "copies" not in found(left)
    assert "copies" not in found(images, {f"copies:{image.id}" for image in finding.images})


def test_the_gravest_comes_first():
    images = images_of({"Cat": 40, "cat": 9})
    blurred = [
        Image(f"img-x{n}", "Cat", f"x{n}", f"x{n}", 50, 300, suffix=".png", sharpness=1.0, contrast=40.0)
        for n in (1, 2)
    ]
    sharp = [
        Image(f"img-s{n}", "Cat", f"s{n}", f"s{n}", 300, 300, suffix=".png", sharpness=900.0, contrast=40.0)
        for n in range(9)
    ]
    kinds = [finding.kind for finding in examine([*images, *blurred, *sharp], IMAGE_SIZE)]
    assert kinds == ["twins", "unbalanced", "few", "blurry", "narrow"]
    assert Counter(kinds).most_common(1)[0][1] == 1
