"""The health report of photos with boxes: what might be wrong with the boxes, in plain words, with a remedy."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from thaw.datasets.health import Finding
from thaw.names import twins
from thaw.storage.records import Image
from tlcore.boxes import Box, corners, overlaps
from tlcore.photos import natural

INPUT_SIZE = 320
FINEST_STRIDE = 8
"""Pixels of the finest grid on which a detector looks for objects; smaller ones fall between its points."""
FEW_OBJECTS = 10
HEAVY_OVERLAP = 0.7
"""From here on two boxes of one kind are taken for one where a detector's doubles are sorted out."""


def examine_boxes(
    images: Sequence[Image],
    boxes: Mapping[str, Sequence[Box]],
    ignored: Collection[str] = (),
    image_size: int = INPUT_SIZE,
) -> list[Finding]:
    """Return the findings, the gravest first, without those that were ignored ("kind:subject").

    `images` are those that take part; `boxes` has by id those of each that was looked at. `image_size` in pixels is the
    side of the square that a detector sees.
    """
    looked_at = [image for image in images if image.id in boxes]
    counts = Counter(box.label for image in looked_at for box in boxes[image.id])
    found = [
        _crowded(looked_at, boxes, ignored),
        _tiny(looked_at, boxes, ignored, image_size),
        *_twins(counts),
        _few(counts),
        _undrawn(images, boxes, ignored),
        _background(looked_at, boxes, ignored),
    ]
    kept = [finding for finding in found if finding]
    return [finding for finding in kept if finding.images or f"{finding.kind}:{finding.subjects[0]}" not in ignored]


def count_overlapping(boxes: Sequence[Box]) -> int:
    """Count the pairs of boxes of one kind that lie nearly on one another."""
    labels = np.array([box.label for box in boxes])
    edges = corners(boxes)
    pairs = 0
    # Row by row: of 2,000 boxes all pairs at once would take much memory.
    for place in range(len(boxes) - 1):
        rest = slice(place + 1, None)
        close = overlaps(edges[place : place + 1], edges[rest])[0] >= HEAVY_OVERLAP
        pairs += int((close & (labels[rest] == labels[place])).sum())
    return pairs


def _crowded(images: Sequence[Image], boxes: Mapping[str, Sequence[Box]], ignored: Collection[str]) -> Finding | None:
    counted = {image.id: count_overlapping(boxes[image.id]) for image in images if len(boxes[image.id]) > 1}
    found = [image for image in images if counted.get(image.id) and f"crowded:{image.id}" not in ignored]
    if not found:
        return None
    return Finding(
        "crowded",
        f"{_photos(found)} with boxes of one kind that lie nearly on one another",
        "Perhaps an object was drawn twice: then delete one of the boxes. Of objects that truly hide one another only "
        "one will be found.",
        tuple(sorted(found, key=lambda image: (-counted[image.id], natural(image.name)))),
    )


def _tiny(
    images: Sequence[Image], boxes: Mapping[str, Sequence[Box]], ignored: Collection[str], image_size: int
) -> Finding | None:
    least = FINEST_STRIDE / image_size
    tiny = {image.id: [box for box in boxes[image.id] if min(box.width, box.height) < least] for image in images}
    found = [image for image in images if tiny[image.id] and f"tiny:{image.id}" not in ignored]
    if not found:
        return None
    count = sum(len(tiny[image.id]) for image in found)
    return Finding(
        "tiny",
        f"{count:,} {'box is' if count == 1 else 'boxes are'} tiny: under {FINEST_STRIDE} pixels, where the model "
        f"looks at {image_size}",
        "So small an object can hardly be found. Cut the photos into parts and add these, or train at a larger size.",
        tuple(sorted(found, key=lambda image: (-len(tiny[image.id]), natural(image.name)))),
    )


def _twins(counts: Mapping[str, int]) -> list[Finding]:
    return [
        Finding(
            "twins",
            f"The kinds {' and '.join(repr(name) for name in group)} have nearly the same name",
            "If they are one kind, rename one to the other on the page Draw boxes.",
            classes=tuple(group),
        )
        for group in twins(counts)
    ]


def _few(counts: Mapping[str, int]) -> Finding | None:
    few = sorted((label for label, count in counts.items() if count < FEW_OBJECTS), key=natural)
    if not few:
        return None
    named = ", ".join(f"{label!r} ({counts[label]})" for label in few[:5]) + (", ..." if len(few) > 5 else "")
    return Finding(
        "few",
        f"Kinds with fewer than {FEW_OBJECTS} objects: {named}",
        "So few can neither teach nor judge a model well. Draw more of them, or leave the kind out.",
        classes=tuple(few),
    )


def _undrawn(images: Sequence[Image], boxes: Mapping[str, Sequence[Box]], ignored: Collection[str]) -> Finding | None:
    found = [image for image in images if image.id not in boxes and f"undrawn:{image.id}" not in ignored]
    if not found:
        return None
    return Finding(
        "undrawn",
        f"{_photos(found)} that nobody has drawn on yet",
        "They are left out of training. Draw the objects on them, or say that they show none.",
        tuple(found),
    )


def _background(
    images: Sequence[Image], boxes: Mapping[str, Sequence[Box]], ignored: Collection[str]
) -> Finding | None:
    found = [image for image in images if not boxes[image.id] and f"background:{image.id}" not in ignored]
    if not found:
        return None
    return Finding(
        "background",
        f"{_photos(found)} without any object",
        "They are kept as background: a model learns from them where there is nothing. Look whether an object was "
        "forgotten on one, for that would teach it not to see it.",
        tuple(found),
    )


def _photos(images: Sequence[Image]) -> str:
    return f"{len(images):,} {'photo' if len(images) == 1 else 'photos'}"
