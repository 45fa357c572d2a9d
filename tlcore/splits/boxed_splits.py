"""Divides photos with boxes into those that a detector learns from and those that judge it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Generic

from tlcore.boxes import BoxedPhotos
from tlcore.errors import DatasetError
from tlcore.photos import P, Photo, natural
from tlcore.splits.groups import GroupRules, group_images
from tlcore.splits.near_duplicates import group
from tlcore.splits.splits import Split
from tlcore.splits.tiles import Tile, overlap, pair_tiles, read_tiles

BACKGROUND = ""
"""Stands for the kind of a photo without any object."""


@dataclass(frozen=True)
class BoxedSplit(Generic[P]):
    """Which photos a detector learns from and which judge it.

    `left_out` are tiles that share pixels with both sides of a picture that had to be cut in two. No photo that judges
    shows one of the kinds `unjudged`, for it is on one photo, or one group of photos, alone.
    """

    training: BoxedPhotos[P]
    validation: BoxedPhotos[P]
    left_out: list[P] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)

    @property
    def split(self) -> Split[P]:
        """Return the two sides as those of any other split; its `labels` are the kinds of objects."""
        labels = sorted({*self.training.labels, *self.validation.labels})
        return Split([*self.training.photos], [*self.validation.photos], labels)


def split_boxed(
    boxed: BoxedPhotos[P], share: float, seed: int, rules: GroupRules | None = None, theirs: bool = False
) -> BoxedSplit[P]:
    """Hold out about `share` (0..1) of the photos that show each kind of object, and of those that show none.

    Near-duplicates, and tiles of one picture (`tlcore.splits.tiles`), lie on one side. The same photos and seed
    give the same split: groups are ranked by a hash of seed and content, so that photos that come later leave
    nearly all others where they were. The rarest kind chooses first, and at least one group of each is left to
    learn from. With `theirs`, photos of the validation part of a ready-made split judge, and those of its training
    part do not. Raises DatasetError, with advice, where there is nothing to judge by.
    """
    photos = [*boxed.photos]
    tiles = read_tiles(photos)
    groups = _group(photos, tiles, rules)
    if theirs and any(photo.part for photo in photos):
        held = _given(photos, groups)
    else:
        held = _choose(boxed, photos, groups, share, seed)
    judging, left_out = {place for place, number in enumerate(groups) if number in held}, set[int]()
    if not judging and len({*groups}) == 1:
        judging, left_out = _cut(photos, tiles, share)
    if not judging:
        raise DatasetError(
            "Expected a kind of object that is on at least 2 photos, copies and near-duplicates not counted, so that "
            f"one can judge what the other taught. Received: none among {len(photos):,} photos. Add photos, or draw on "
            "more of them."
        )
    learnt = [photo for place, photo in enumerate(photos) if place not in judging | left_out]
    training = replace(boxed, photos=learnt)
    validation = replace(boxed, photos=[photos[place] for place in sorted(judging)])
    unjudged = [label for label in boxed.labels if label not in {*validation.labels}]
    return BoxedSplit(training, validation, [photos[place] for place in sorted(left_out)], unjudged)


def _group(photos: Sequence[Photo], tiles: Sequence[Tile | None], rules: GroupRules | None) -> list[int]:
    alike = enumerate(group_images(photos, rules))
    return group(len(photos), [*alike, *pair_tiles(photos, tiles)])


def _given(photos: Sequence[Photo], groups: Sequence[int]) -> set[int]:
    """Return the groups of a ready-made validation part, without those that reach into its training part."""
    learnt = {number for photo, number in zip(photos, groups, strict=True) if photo.part == "training"}
    return {number for photo, number in zip(photos, groups, strict=True) if photo.part == "validation"} - learnt


def _choose(boxed: BoxedPhotos, photos: Sequence[Photo], groups: Sequence[int], share: float, seed: int) -> set[int]:
    """Choose the groups that judge, kind by kind, in the order of their ranks (Sechidis et al. 2011, in groups)."""
    shown: defaultdict[int, Counter[str]] = defaultdict(Counter)
    first: dict[int, str] = {}
    for photo, number in zip(photos, groups, strict=True):
        shown[number].update({box.label for box in boxed.boxes.get(photo.id, ())} or {BACKGROUND})
        first[number] = min(first.get(number, photo.content), photo.content)
    totals = Counter(label for counts in shown.values() for label in counts.elements())
    left = Counter(label for counts in shown.values() for label in counts)
    ranked = sorted(shown, key=lambda number: hashlib.sha256(f"{seed}:{first[number]}".encode()).digest())
    chosen: set[int] = set()
    held: Counter[str] = Counter()

    def allowed(number: int) -> bool:
        # At least one group of each kind must be left to learn from.
        return number not in chosen and all(left[label] > 1 for label in shown[number] if label != BACKGROUND)

    def take(number: int) -> None:
        chosen.add(number)
        held.update(shown[number])
        left.subtract(shown[number].keys())

    for label in sorted(totals, key=lambda each: (totals[each], natural(each))):
        target = max(1, round(totals[label] * share))
        own = [number for number in ranked if label in shown[number]]
        for number in own:
            # A large group may overshoot by no more than it would fall short without it.
            if held[label] < target and held[label] + shown[number][label] / 2 <= target and allowed(number):
                take(number)
        if label != BACKGROUND and not held[label]:
            smallest = min(filter(allowed, own), key=lambda number: shown[number].total(), default=None)
            if smallest is not None:
                take(smallest)
    return chosen if len(chosen) < len(shown) else set()


def _cut(photos: Sequence[Photo], tiles: Sequence[Tile | None], share: float) -> tuple[set[int], set[int]]:
    """Cut the one picture that all tiles come from in two; return the places of those that judge and are left out.

    The cut goes across the longer side; what shares pixels with a tile that judges is left out.
    """
    placed = [tile for tile in tiles if tile and tile.px]
    if len(placed) < len(photos) or len({tile.scene for tile in placed}) > 1:
        return set(), set()
    rows = [(tile.x, tile.y) for tile in placed]
    along = max((0, 1), key=lambda axis: max(row[axis] for row in rows) - min(row[axis] for row in rows))
    edges = sorted(row[along] for row in rows)
    edge = edges[-max(1, round(len(edges) * share))]
    judging = {place for place, row in enumerate(rows) if row[along] >= edge}
    left_out = {
        place
        for place, tile in enumerate(placed)
        if place not in judging and any(overlap(tile, placed[other], photos[place], photos[other]) for other in judging)
    }
    return (judging, left_out) if len(judging) + len(left_out) < len(photos) else (set(), set())
