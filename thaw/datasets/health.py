"""The health report of a data set: what might be wrong with its images and classes, in plain words, with a remedy."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from thaw.names import twins
from thaw.storage.records import Check, Image, read_doubts
from tlcore.environment import uncollected
from tlcore.images.pixels import UNIFORM_CONTRAST
from tlcore.photos import natural
from tlcore.splits.class_weights import UNBALANCED, imbalance

Kind = Literal[
    "conflict",
    "mislabelled",
    "twins",
    "unbalanced",
    "few",
    "uniform",
    "blurry",
    "dark",
    "small",
    "narrow",
    "copies",
    # Of boxes (`thaw.datasets.box_health`).
    "crowded",
    "tiny",
    "undrawn",
    "background",
]

FEW_TO_LEARN = 10
# Measured on scikit-learn's two photos, whole and in 300 crops of 224 px: the darkest crop has a brightness of 48, the
# plainest a contrast of 17, the softest a sharpness of 48. Blurred by a Gaussian of 3 px at 320 px they come to 12 and
# 19, by one of 2 px to 34 and 67; at a fifth of their light to brightnesses of 13 and 29 and contrasts of 11 and 17.
# The 1,797 digits have brightnesses from 46 on, contrasts from 77 on.
DARK = 30.0
BLURRED = 25.0
BLURRED_SHARE = 0.1
NARROW = 3.0
SMALL_SHARE = 0.5


@dataclass(frozen=True)
class Finding:
    """One thing that may be wrong: in `images` (worst first) or in `classes`; `title` says what, `advice` what to do.

    `subjects` are what `thaw.datasets.edits.ignore_finding` takes to say that nothing is wrong; `suggestions` is the
    class that each image, by its id, perhaps belongs to.
    """

    kind: Kind
    title: str
    advice: str
    images: tuple[Image, ...] = ()
    classes: tuple[str, ...] = ()
    suggestions: Mapping[str, str] = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(image.id for image in self.images) or ("/".join(self.classes),)

    @property
    def surplus(self) -> tuple[Image, ...]:
        """Return the images that must go for the finding to be gone: all, or of copies all but the first of each."""
        if self.kind != "copies":
            return self.images
        kept: dict[tuple[str, str], Image] = {}
        return tuple(
            image for image in self.images if kept.setdefault((image.content, image.label), image) is not image
        )


@uncollected()
def examine(
    images: Sequence[Image], image_size: int, ignored: Collection[str] = (), check: Check | None = None
) -> list[Finding]:
    """Return the findings, the gravest first, without those that were ignored ("kind:subject").

    `images` are those that take part in training; `image_size` in pixels is the one at which a backbone would see them.
    Of the latest `check` that counts which was measured on labels that still stand.
    """
    counts = Counter(image.label for image in images)
    found = [
        *_conflicts(images, ignored),
        *_mislabelled(images, check, ignored),
        *_twins(counts),
        *_unbalanced(counts),
        *_few(counts),
        *(finding for rule in _RULES if (finding := rule(images, image_size, ignored))),
        *_copies(images, ignored),
    ]
    return [finding for finding in found if finding.images or f"{finding.kind}:{finding.subjects[0]}" not in ignored]


def _conflicts(images: Sequence[Image], ignored: Collection[str]) -> list[Finding]:
    """Find images that are in several classes, by their pixels or, nearly, by their fingerprints."""
    groups: defaultdict[str, list[Image]] = defaultdict(list)
    for image in images:
        groups[image.lookalike or image.content].append(image)
    disputed = [
        image
        for group in groups.values()
        if len({image.label for image in group}) > 1 and any(f"conflict:{image.id}" not in ignored for image in group)
        for image in sorted(group, key=lambda image: (natural(image.label), natural(image.name)))
    ]
    if not disputed:
        return []
    return [
        Finding(
            "conflict",
            f"{_count(disputed)} show the same picture, or nearly the same, in more than one class",
            "A model cannot learn both. Keep each picture in the class it belongs to, move or exclude the others, and "
            "ignore those that truly differ.",
            tuple(disputed),
        )
    ]


def _mislabelled(images: Sequence[Image], check: Check | None, ignored: Collection[str]) -> list[Finding]:
    """Find images whose class a check doubted; one that has been moved since, or whose suggestion is gone, is no more.

    A person who moved an image has judged it, and what was renamed or merged waits for the next check.
    """
    doubts = {doubt.image: doubt for doubt in read_doubts(check)}
    classes = {image.label for image in images}
    doubted = [
        (-doubt.margin, image)
        for image in images
        if (doubt := doubts.get(image.id)) and doubt.given == image.label and doubt.suggested in classes
    ]
    finding = _worst_first(
        "mislabelled",
        doubted,
        ignored,
        "perhaps in the wrong class",
        "In the latest cross-validation a model that had not seen them was surer of another class; the surest first. "
        "Look at each: move those that are wrong, and ignore those that are right, for a model errs too.",
    )
    return [replace(finding, suggestions={i.id: doubts[i.id].suggested for i in finding.images})] if finding else []


def _twins(counts: Mapping[str, int]) -> list[Finding]:
    return [
        Finding(
            "twins",
            f"The classes {' and '.join(repr(name) for name in group)} have nearly the same name",
            "If they are one class, merge them: apart, each counts as a mistake for the other.",
            classes=tuple(group),
        )
        for group in twins(counts)
    ]


def _unbalanced(counts: Mapping[str, int]) -> list[Finding]:
    if len(counts) < 2 or imbalance(counts) <= UNBALANCED:
        return []
    smallest, largest = min(counts, key=lambda label: counts[label]), max(counts, key=lambda label: counts[label])
    return [
        Finding(
            "unbalanced",
            f"The classes are of very different size: {largest!r} has {counts[largest]:,} images, {smallest!r} "
            f"{counts[smallest]:,}",
            "Training weighs the small classes more (class weights, on by default here). More photos help more.",
            classes=(largest, smallest),
        )
    ]


def _few(counts: Mapping[str, int]) -> list[Finding]:
    few = sorted((label for label, count in counts.items() if count < FEW_TO_LEARN), key=natural)
    if not few:
        return []
    named = ", ".join(f"{label!r} ({counts[label]})" for label in few[:5]) + (", ..." if len(few) > 5 else "")
    return [
        Finding(
            "few",
            f"Classes with fewer than {FEW_TO_LEARN} images: {named}",
            "So few can neither teach nor judge a model well. Add photos, or merge the class with another.",
            classes=tuple(few),
        )
    ]


def _uniform(images: Sequence[Image], _: int, ignored: Collection[str]) -> Finding | None:
    return _worst_first(
        "uniform",
        [
            (image.contrast, image)
            for image in images
            if image.contrast is not None and image.contrast < UNIFORM_CONTRAST
        ],
        ignored,
        "nearly of one colour: nothing is to be seen",
        "Exclude them, unless emptiness is what the class is about.",
    )


def _blurry(images: Sequence[Image], _: int, ignored: Collection[str]) -> Finding | None:
    measured = [
        (image.sharpness, image)
        for image in images
        if image.sharpness is not None and (image.contrast or 0) >= UNIFORM_CONTRAST and not _is_dark(image)
    ]
    # A set of soft pictures (clouds, scans) is not all out of focus: they are judged by one another too.
    middle = statistics.median(sharpness for sharpness, _ in measured) if measured else 0.0
    limit = min(BLURRED, BLURRED_SHARE * middle) if middle > BLURRED else BLURRED_SHARE * middle
    return _worst_first(
        "blurry",
        [(sharpness, image) for sharpness, image in measured if sharpness < limit],
        ignored,
        "blurred, far more than the others",
        "Exclude them, unless photos like these are what the model will see.",
    )


def _dark(images: Sequence[Image], _: int, ignored: Collection[str]) -> Finding | None:
    return _worst_first(
        "dark",
        [
            (image.brightness, image)
            for image in images
            if image.brightness is not None and _is_dark(image) and (image.contrast or 0) >= UNIFORM_CONTRAST
        ],
        ignored,
        "very dark",
        "Exclude them, or brighten the originals and add them again.",
    )


def _is_dark(image: Image) -> bool:
    """Say whether a picture is dark throughout, which also makes it look blurred; a night scene has lights."""
    return image.brightness is not None and image.brightness < DARK and (image.contrast or 0) < DARK


def _small(images: Sequence[Image], image_size: int, ignored: Collection[str]) -> Finding | None:
    sides = [(max(image.width, image.height), image) for image in images]
    return _worst_first(
        "small",
        [(side, image) for side, image in sides if side < image_size * SMALL_SHARE],
        ignored,
        f"small: under {image_size * SMALL_SHARE:.0f} pixels, where the backbone looks at {image_size}",
        "Enlarged, they are a blur to the model. Replace them by larger versions, or exclude them.",
    )


def _narrow(images: Sequence[Image], _: int, ignored: Collection[str]) -> Finding | None:
    ratios = [(max(image.width, image.height) / min(image.width, image.height), image) for image in images]
    return _worst_first(
        "narrow",
        [(-ratio, image) for ratio, image in ratios if ratio > NARROW],
        ignored,
        f"very long and narrow: one side over {NARROW:g} times the other",
        "The model sees them squeezed into a square. Cut out what matters and add them again, or exclude them.",
    )


_RULES: tuple[Callable[[Sequence[Image], int, Collection[str]], Finding | None], ...] = (
    _uniform,
    _blurry,
    _dark,
    _small,
    _narrow,
)


def _copies(images: Sequence[Image], ignored: Collection[str]) -> list[Finding]:
    groups: defaultdict[tuple[str, str], list[Image]] = defaultdict(list)
    for image in images:
        groups[image.label, image.content].append(image)
    copied = [
        sorted(group, key=lambda image: natural(image.name))
        for _, group in sorted(item for item in groups.items() if len(item[1]) > 1)
        if any(f"copies:{image.id}" not in ignored for image in group)
    ]
    extra = sum(len(group) - 1 for group in copied)
    if not extra:
        return []
    return [
        Finding(
            "copies",
            f"{extra:,} {'image is an exact copy' if extra == 1 else 'images are exact copies'} of another",
            "Nothing leaks: copies stay on one side of the split. Exclude them if each picture should count once.",
            tuple(image for group in copied for image in group),
        )
    ]


def _worst_first(
    kind: Kind, measured: Sequence[tuple[float, Image]], ignored: Collection[str], title: str, advice: str
) -> Finding | None:
    ordered = sorted(measured, key=lambda each: (each[0], natural(each[1].name)))
    images = tuple(image for _, image in ordered if f"{kind}:{image.id}" not in ignored)
    verb = "is" if len(images) == 1 else "are"
    return Finding(kind, f"{_count(images)} {verb} {title}", advice, images) if images else None


def _count(images: Sequence[Image]) -> str:
    return f"{len(images):,} {'image' if len(images) == 1 else 'images'}"
