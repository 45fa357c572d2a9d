"""Divides photos with boxes into those that a detector learns from and those that judge it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

from tlcore.boxes import BoxedPhotos
from tlcore.errors import DatasetError
from tlcore.photos import Photo
from tlcore.splits.groups import GroupRules, group_images
from tlcore.splits.splits import Split


def split_boxed(
    photos: BoxedPhotos, validation: float = 0.2, seed: int = 0, rules: GroupRules | None = None, theirs: bool = False
) -> Split[Photo]:
    """Hold out about `validation` (0.05..0.5) of the photos, with objects of every kind where there are enough.

    Near-duplicates and photos of one group (`tlcore.splits.groups`) lie on one side. Groups are ranked by a hash of
    seed and content, so that photos that are added later move nearly none of the others. Of each kind some photos are
    left to learn from. With `theirs` the photos of a ready-made split stay on the side where they came in. Raises
    DatasetError where no boxes are drawn, or all photos are one group.
    """
    labels = photos.labels
    if not labels:
        raise DatasetError(
            f"Expected boxes around objects on some of the photos. Received: {len(photos.photos)} photos without any. "
            "Draw boxes on them first."
        )
    members: defaultdict[int, list[Photo]] = defaultdict(list)
    for photo, number in zip(photos.photos, group_images(photos.photos, rules), strict=True):
        members[number].append(photo)
    kinds = {
        number: Counter(box.label for photo in group for box in photos.boxes.get(photo.id, ()))
        for number, group in members.items()
    }
    left = Counter(label for counted in kinds.values() for label in counted)
    ranked = sorted(members, key=lambda number: _rank(members[number], seed))
    chosen: set[int] = set()

    def take(number: int) -> None:
        chosen.add(number)
        left.subtract(dict.fromkeys(kinds[number], 1))

    def allowed(number: int) -> bool:
        # Of each kind something must be left to learn from.
        return number not in chosen and len(chosen) + 1 < len(members) and all(left[each] > 1 for each in kinds[number])

    given = [number for number in ranked if _part(members[number]) == "validation"] if theirs else []
    for number in filter(allowed, given):
        take(number)
    target = max(1, round(len(photos.photos) * validation))
    if not chosen:
        for number in ranked:
            held = sum(len(members[each]) for each in chosen)
            # A large group may overshoot by no more than it would fall short without it.
            if held < target and held + len(members[number]) / 2 <= target and allowed(number):
                take(number)
    for label in labels:
        if not any(label in kinds[number] for number in chosen):
            free = [number for number in ranked if label in kinds[number] and allowed(number)]
            if free:
                take(min(free, key=lambda number: len(members[number])))
    if not chosen:
        smallest = min(filter(allowed, ranked), key=lambda number: len(members[number]), default=None)
        if smallest is None:
            raise DatasetError(
                f"Expected photos of at least two scenes for each kind of object, to learn from one and judge by the "
                f"other. Received: {len(photos.photos)} photos in {len(members)} group(s). Add photos of other scenes."
            )
        take(smallest)
    sides: tuple[list[Photo], list[Photo]] = [], []
    for number, group in members.items():
        sides[number in chosen].extend(group)
    place = {photo.id: at for at, photo in enumerate(photos.photos)}
    training, held_out = (sorted(side, key=lambda photo: place[photo.id]) for side in sides)
    return Split(training, held_out, labels)


def _part(group: Sequence[Photo]) -> str:
    parts = {photo.part for photo in group}
    return "validation" if parts == {"validation"} else ""


def _rank(group: Sequence[Photo], seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{min(photo.content for photo in group)}".encode()).digest()
