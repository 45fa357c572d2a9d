"""The split of a data set into the images that a model learns from and those that judge it, once or fold by fold."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic

import numpy as np

from tlcore.environment import uncollected
from tlcore.errors import DatasetError
from tlcore.images.pixels import WIDEST, Reader, read_picture
from tlcore.models.backbone_table import Backbone
from tlcore.photos import P, Part, Photo, natural
from tlcore.splits.grouped import GroupedPhotos
from tlcore.splits.groups import GroupRules

MIN_CLASSES = 2
MIN_GROUPS = 2
MAX_CLASSES = 10_000
SMALL_IMAGE_SIZE = 96
# No class has fewer images in a sample, where it has them: one for each of the three folds of a probe.
LEAST_OF_CLASS = 3
FOLDS = 5

Fold = tuple[np.ndarray, np.ndarray]
"""Row numbers to train on and row numbers to test on, int64."""


@dataclass(frozen=True)
class Split(Generic[P]):
    """Which images a model learns from and which judge it; `labels` are the class names, sorted: its outputs' order.

    `validation` steers the training (early stopping); `later` (the newest by EXIF date) and `holdout` (dropped
    separately) take no part in it. The files were read by `read`, and greys of more than 8 bits brought to 0..255 from
    0..`grey_range`.
    """

    training: list[P]
    validation: list[P]
    labels: list[str]
    later: list[P] = field(default_factory=list)
    holdout: list[P] = field(default_factory=list)
    grey_range: int = WIDEST
    read: Reader = read_picture

    @property
    def extra(self) -> dict[str, list[P]]:
        """Return the evaluation sets besides validation that have images, by name."""
        return {name: images for name, images in (("holdout", self.holdout), ("later", self.later)) if images}


@uncollected()
def split(
    images: Sequence[P],
    validation_split: float,
    seed: int,
    rules: GroupRules | None = None,
    later_share: float = 0.0,
    theirs: bool = False,
) -> Split[P]:
    """Hold out about `validation_split` (0..1) of each class, and the newest `later_share` of its dated photos.

    Every group of near-duplicates (`tlcore.splits.groups`) lies on one side whole. The same images and seed give the
    same split: groups are ranked by a hash of seed and content, so that adding images later leaves nearly all others
    where they were. An image that is in several classes is always trained on, with its group, since either side would
    count one of its labels as wrong. With `theirs`, images of the validation part of a ready-made split are validation,
    and those of its training part are not; a group with images of both is trained on. Of a class that the validation
    part lacks, images are held out all the same. Raises DatasetError, with advice, where the data set cannot be trained
    on.
    """
    groups = GroupedPhotos(images, rules)
    _require_trainable(groups.of_class)
    later = _take_newest(groups, later_share) if later_share else set()
    given = _read_parts(groups) if theirs else {}
    held_out = _hold_out(groups, later, validation_split, seed, given)
    sides: dict[str, list[P]] = {"training": [], "validation": [], "later": []}
    for image, group in zip(images, groups.of_image, strict=True):
        sides["later" if group in later else "validation" if group in held_out else "training"].append(image)
    return Split(sides["training"], sides["validation"], labels_of(images), sides["later"])


def recommend_image_size(images: Sequence[Photo], row: Backbone) -> int:
    """Return the side in pixels at which a backbone should see these images.

    Enlarging tiny images to the backbone's own size costs time and teaches nothing: 96 px, or what it takes that is
    nearest, where the median longer side is at most that, else its own size. A network of an own size below that, made
    for small images, sees such images at half of it.
    """
    return fit_image_size(measure_middle_side(images), row)


def measure_middle_side(images: Sequence[Photo]) -> float:
    """Return the median of the images' longer sides, in pixels; infinite where there is none."""
    return statistics.median(max(image.width, image.height) for image in images) if images else math.inf


def fit_image_size(median: float, row: Backbone) -> int:
    """Return what `recommend_image_size` does, for images whose longer sides have this median."""
    small = row.fit_size(SMALL_IMAGE_SIZE if row.input_size >= SMALL_IMAGE_SIZE else row.input_size // 2)
    return small if median <= SMALL_IMAGE_SIZE else row.input_size


def labels_of(images: Iterable[Photo]) -> list[str]:
    """Return the class names of `images`, sorted as people count: the order of the model's outputs."""
    return sorted({image.label for image in images}, key=natural)


def choose_images(images: Sequence[Photo], groups: Sequence[int], most: int, seed: int) -> list[int]:
    """Choose at most about `most` images, the same share of every class; return their places in `images`, in order.

    A second image of a group comes only after a first of every other: copies say little that is new. A class keeps
    three images where it has them, so that it can be divided.
    """
    if len(images) <= most:
        return list(range(len(images)))
    import numpy as np

    chance = np.random.default_rng(seed).permutation(len(images))
    seen: defaultdict[int, int] = defaultdict(int)
    ranked: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for place in chance.tolist():
        ranked[images[place].label].append((seen[groups[place]], place))
        seen[groups[place]] += 1
    chosen = []
    for ranks in ranked.values():
        number = max(len(ranks) * most // len(images), min(len(ranks), LEAST_OF_CLASS))
        chosen += [place for _, place in sorted(ranks, key=lambda rank: rank[0])[:number]]
    return sorted(chosen)


def count_straddling(images: Sequence[Photo], rules: GroupRules | None = None) -> int:
    """Count the images of the validation part of a ready-made split that are near-duplicates of its training part."""
    groups = GroupedPhotos(images, rules)
    given = _read_parts(groups)
    return sum(
        image.part == "validation" and given.get(group) == "training"
        for image, group in zip(images, groups.of_image, strict=True)
    )


def _read_parts(groups: GroupedPhotos) -> dict[int, Part]:
    """Return the part that each group is of, training where any of its images is; {} where no image has a part."""
    if not any(image.part for image in groups.images):
        return {}
    parts: dict[int, Part] = {}
    for group in dict.fromkeys(groups.of_image):
        found = {image.part for image in groups.members(group)}
        parts[group] = "training" if "training" in found else "validation" if "validation" in found else ""
    return parts


def _hold_out(
    groups: GroupedPhotos, later: set[int], share: float, seed: int, given: Mapping[int, Part] = MappingProxyType({})
) -> set[int]:
    """Choose the groups for validation: those `given` to it, then class by class, in the order of their ranks.

    Groups that are given to training are chosen only for a class that would have none else.
    """
    chosen: set[int] = set()
    held: Counter[str] = Counter()
    left = {label: len(own - later) for label, own in groups.of_class.items()}

    def take(group: int) -> None:
        chosen.add(group)
        for label in groups.labels(group):
            held[label] += groups.count(group, label)
            left[label] -= 1

    def allowed(group: int) -> bool:
        # At least one group of each class must be left to learn from.
        return group not in chosen and all(left[label] > 1 for label in groups.labels(group))

    for group, part in given.items():
        if part == "validation" and group not in later | groups.disputed and allowed(group):
            take(group)
    for label in sorted(groups.of_class):
        own = groups.of_class[label] - later - groups.disputed
        free = groups.of_class[label] - later
        if held[label]:
            free = {group for group in free if not given.get(group)}
        before = held[label] if given else 0
        target = before + max(not before, round(groups.count_all(free, label) * share))
        ranked = sorted(own, key=lambda group: groups.rank(group, seed))
        for group in filter(free.__contains__, ranked):
            if held[label] >= target:
                break
            # A large group may overshoot by no more than it would fall short without it.
            if held[label] + groups.count(group, label) / 2 <= target and allowed(group):
                take(group)
        if not held[label]:
            smallest = min(filter(allowed, ranked), key=lambda group: groups.count(group, label), default=None)
            if smallest is None:
                raise _inseparable(groups, label)
            take(smallest)
    return chosen


def _take_newest(groups: GroupedPhotos, share: float) -> set[int]:
    """Choose the newest groups of each class, up to `share` of its dated images; at least two groups stay."""
    chosen: set[int] = set()
    left = {label: len(own) for label, own in groups.of_class.items()}
    for label in sorted(groups.of_class):
        own = groups.of_class[label] - groups.disputed
        dated = [(when, group) for group in own if (when := groups.newest(group)) is not None]
        target = sum(groups.count(group, label) for _, group in dated) * share
        held = sum(groups.count(group, label) for group in chosen & own)
        for _, group in sorted(dated, key=lambda each: (-each[0], groups.rank(each[1], 0))):
            count = groups.count(group, label)
            if group in chosen:
                continue
            if held + count / 2 > target:
                # Older groups that fit would leave this newer one to be learnt from.
                break
            if all(left[each] > MIN_GROUPS for each in groups.labels(group)):
                chosen.add(group)
                held += count
                for each in groups.labels(group):
                    left[each] -= 1
    return chosen


def _inseparable(groups: GroupedPhotos, label: str) -> DatasetError:
    if groups.of_class[label] <= groups.disputed:
        return DatasetError(
            f"Every image of class {label!r} is also in another class, so the two cannot be told apart. "
            "Remove the copies from one of them."
        )
    return DatasetError(
        f"The images of class {label!r} cannot be divided: near-duplicates and grouped photos stay on one side. "
        "Add photos of other scenes, or loosen the grouping."
    )


def too_many(classes: int) -> str:
    """Say that a data set has more classes than a head is trained for."""
    return (
        f"Expected at most {MAX_CLASSES:,} classes. Received: {classes:,}. "
        "Check that each folder is a class and not a single image, or merge classes."
    )


def _require_trainable(of_class: dict[str, set[int]]) -> None:
    if len(of_class) < MIN_CLASSES:
        received = f"only {next(iter(of_class))!r}" if of_class else "none"
        raise DatasetError(
            f"Expected at least {MIN_CLASSES} classes. Received: {received}. "
            "Add a second folder of images, one folder for each class."
        )
    if len(of_class) > MAX_CLASSES:
        raise DatasetError(too_many(len(of_class)))
    lonely = sorted((label for label, groups in of_class.items() if len(groups) < MIN_GROUPS), key=natural)
    if lonely:
        named = ", ".join(repr(label) for label in lonely[:5]) + (", ..." if len(lonely) > 5 else "")
        count = f"Class {named} has" if len(lonely) == 1 else f"{len(lonely):,} classes ({named}) have"
        raise DatasetError(
            f"{count} 1 image, copies and near-duplicates not counted; a split needs at least 2. "
            "Add images or remove the class."
        )


def list_folds(classes: np.ndarray, groups: np.ndarray | None, folds: int, seed: int) -> list[Fold]:
    """List the folds, stratified by class and seeded; with groups, none is on both sides of a fold.

    There are at most `folds`, no more than the smallest class has groups, and so few that every class is in every
    training part. Raises DatasetError, with advice, where that cannot be had with two folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    present = np.unique(classes)
    if len(present) < 2:
        raise DatasetError(
            f"Expected images of at least 2 classes to cross-validate. Received: {len(present)} class(es). "
            "Add images of another class."
        )
    alone = groups is None or all_alone(groups)
    fewest = min(_count_groups(classes, groups, number) for number in present)
    column = np.zeros((len(classes), 1))
    for count in range(min(folds, fewest), 1, -1):
        splitter = (StratifiedKFold if alone else StratifiedGroupKFold)(count, shuffle=True, random_state=seed)
        plan = list(splitter.split(column, classes, None if alone else groups))
        if all(len(np.unique(classes[training])) == len(present) and len(testing) for training, testing in plan):
            return plan
    unit = "images" if alone else "groups of images (look-alikes count as one)"
    raise DatasetError(
        f"Expected at least 2 {unit} of every class to cross-validate, that can be told apart from other classes'. "
        f"Received: {fewest} in the smallest class. Add different images to it, or merge it with another class."
    )


def all_alone(groups: np.ndarray) -> bool:
    """Say whether no two of these groups, int (n,), are one."""
    return len(np.unique(groups)) == len(groups)


def _count_groups(classes: np.ndarray, groups: np.ndarray | None, number: int) -> int:
    own = classes == number
    return int(own.sum()) if groups is None else len(np.unique(groups[own]))
