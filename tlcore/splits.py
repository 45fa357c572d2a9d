"""The split of a data set into training and validation images, and the size at which a backbone should see them."""

import hashlib
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tlcore.errors import DatasetError
from tlcore.records import Image

MIN_CLASSES = 2
MAX_CLASSES = 1000
SMALL_IMAGE_SIZE = 96


@dataclass(frozen=True)
class Split:
    """Training and validation images; `labels` are the class names, sorted: the order of the model's outputs."""

    training: list[Image]
    validation: list[Image]
    labels: list[str]


def split(images: Sequence[Image], validation_split: float, seed: int) -> Split:
    """Hold out about `validation_split` (0..1) of each class, at least one image, and keep at least one for training.

    The same images and seed give the same split. Images are ranked by a hash of seed and content: identical images
    lie on one side, and adding images later leaves nearly all others where they were. An image that is in several
    classes is always trained on, since either side would count one of its labels as wrong. Raises DatasetError,
    with advice, where the data set cannot be trained on.
    """
    contents: defaultdict[str, set[str]] = defaultdict(set)
    classes: defaultdict[str, set[str]] = defaultdict(set)
    for image in images:
        contents[image.label].add(image.content)
        classes[image.content].add(image.label)
    _require_trainable(contents)
    held_out: set[str] = set()
    for label in sorted(contents):
        own = [content for content in contents[label] if len(classes[content]) == 1]
        if not own:
            raise DatasetError(
                f"Every image of class {label!r} is also in another class, so the two cannot be told apart. "
                "Remove the copies from one of them."
            )
        count = round(len(contents[label]) * validation_split)
        count = max(1, min(count, len(own), len(contents[label]) - 1))
        held_out.update(sorted(own, key=lambda content: _rank(content, seed))[:count])
    return Split(
        training=[image for image in images if image.content not in held_out],
        validation=[image for image in images if image.content in held_out],
        labels=labels_of(images),
    )


def recommend_image_size(images: Sequence[Image], input_size: int) -> int:
    """Return the side in pixels at which a backbone of native `input_size` should see these images.

    Enlarging tiny images to the native size costs time and teaches nothing: 96 px where the median longer side is
    at most that, else the native size.
    """
    if not images:
        return input_size
    median = statistics.median(max(image.width, image.height) for image in images)
    return min(SMALL_IMAGE_SIZE, input_size) if median <= SMALL_IMAGE_SIZE else input_size


def _rank(content: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{content}".encode()).digest()


def _require_trainable(contents: dict[str, set[str]]) -> None:
    if len(contents) < MIN_CLASSES:
        received = f"only {next(iter(contents))!r}" if contents else "none"
        raise DatasetError(
            f"Expected at least {MIN_CLASSES} classes. Received: {received}. "
            "Add a second folder of images, one folder for each class."
        )
    if len(contents) > MAX_CLASSES:
        raise DatasetError(
            f"Expected at most {MAX_CLASSES:,} classes. Received: {len(contents):,}. "
            "Check that each folder is a class and not a single image, or merge classes."
        )
    lonely = sorted(label for label, distinct in contents.items() if len(distinct) < 2)
    if lonely:
        named = ", ".join(repr(label) for label in lonely[:5]) + (", ..." if len(lonely) > 5 else "")
        count = f"Class {named} has" if len(lonely) == 1 else f"{len(lonely)} classes ({named}) have"
        raise DatasetError(
            f"{count} 1 image, copies not counted; a split needs at least 2. Add images or remove the folder."
        )


def labels_of(images: Iterable[Image]) -> list[str]:
    """Return the class names of `images`, sorted: the order of the model's outputs."""
    return sorted({image.label for image in images})
