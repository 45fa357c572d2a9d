"""Groups of images that must stay on one side of a split: copies, near-duplicates, one subject, one burst."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter

from tlcore.errors import SettingsError
from tlcore.photos import Photo, natural
from tlcore.settings import Settings
from tlcore.splits.near_duplicates import group

PLACE = "{group}"
# How much of the only recording of a class is learnt from.
LEARNT_SHARE = 0.8
MAX_PATTERN = 200
MAX_WILDCARDS = 4


@dataclass(frozen=True)
class GroupRules(Settings):
    """Rules of the person's own, beside copies and near-duplicates.

    `pattern` is matched with file names: "{group}" stands for the part that names the subject or burst, "*" for
    anything, "?" for one character; an empty one groups nothing. Photos of one class that were taken within
    `burst_seconds` of one another (0 to 3600, by EXIF date) are one burst; 0 makes none.
    """

    pattern: str = ""
    burst_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._require("burst_seconds", 0, 3600)
        if self.pattern and (
            self.pattern.count(PLACE) != 1 or len(self.pattern) > MAX_PATTERN or self.pattern.count("*") > MAX_WILDCARDS
        ):
            raise SettingsError(
                f"Expected a pattern like '{PLACE}_*.jpg', with {PLACE} once and at most {MAX_WILDCARDS} stars. "
                f"Received: pattern={self.pattern[:MAX_PATTERN]!r}."
            )

    def subject(self, name: str) -> str | None:
        """Return what the pattern reads from the file name of `name`, or None where it does not fit."""
        if not self.pattern:
            return None
        found = _compile(self.pattern).fullmatch(name.rpartition("/")[2])
        return found[1] if found else None


def group_images(images: Sequence[Photo], rules: GroupRules | None = None) -> list[int]:
    """Return the group of each image, int: the place in `images` of the group's first member.

    Images are in one group if they share their content, `lookalike`, `similar` or `derived`, the subject that the
    pattern reads from their names, or a burst, directly or over others. The frames of a recording are one group; what
    the camera saw behind them joins no two recordings. Where a class is one recording and nothing else, its last fifth
    is a group of its own: the class could not be judged at all otherwise (`judged_by_itself` lists such classes).
    """
    rules = rules or GroupRules()
    pairs = [pair for keys in _keys(images, rules) for pair in _tie(keys)]
    groups = group(len(images), [*pairs, *_bursts(images, rules.burst_seconds)])
    for places in _sole_recordings(images, groups).values():
        ordered = sorted(places, key=lambda place: natural(images[place].name))
        cut = round(LEARNT_SHARE * len(ordered))
        for part in (ordered[:cut], ordered[cut:]):
            for place in part:
                groups[place] = min(part)
    return groups


def judged_by_itself(images: Sequence[Photo]) -> list[str]:
    """Return the classes that are one recording and nothing else, in the order of their names: what judges them was
    recorded in one go with what they are learnt from, so they look better than they are."""
    return sorted(_sole_recordings(images, [0] * len(images)), key=natural)


def _sole_recordings(images: Sequence[Photo], groups: Sequence[int]) -> dict[str, list[int]]:
    """Return the places of the images of each class that is one recording, and one group, and nothing else."""
    if not any(image.recording for image in images):
        return {}
    places, kinds = defaultdict(list), defaultdict(set)
    for place, (image, number) in enumerate(zip(images, groups, strict=True)):
        places[image.label].append(place)
        kinds[image.label].add((image.recording, number))
    sole = {label for label, found in kinds.items() if len(found) == 1 and next(iter(found))[0]}
    return {label: places[label] for label in sole if len(places[label]) > 1}


def group_keys(images: Sequence[Photo], groups: Sequence[int]) -> list[str]:
    """Return the key of each image's group, "" for an image that is alone in its group."""
    sizes = Counter(groups)
    return [images[number].id if sizes[number] > 1 else "" for number in groups]


def _keys(images: Sequence[Photo], rules: GroupRules) -> Iterator[Iterable[str | None]]:
    """Yield for one kind of likeness after another what each image has of it: None is like nothing.

    Kind by kind: a million images are gone through far faster than image by image.
    """
    yield (image.content for image in images)
    recordings = [image.recording if "recording-" in image.name else "" for image in images]
    recorded = any(recordings)
    if recorded:
        yield (f"{found} {image.label}" if found else None for image, found in zip(images, recordings, strict=True))
    # What the camera saw behind a recording says nothing of its frames.
    free = [None if found else image for image, found in zip(images, recordings, strict=True)] if recorded else images
    for kind in ("lookalike", "similar", "derived"):
        read = attrgetter(kind)
        yield (read(image) or None if image else None for image in free)
    if rules.pattern:
        yield (rules.subject(image.name) if image else None for image in free)


def _tie(keys: Iterable[str | None]) -> Iterator[tuple[int, int]]:
    """Yield the first place of a key and each later one."""
    first: dict[str, int] = {}
    for place, key in enumerate(keys):
        if key is not None and (earlier := first.setdefault(key, place)) != place:
            yield earlier, place


def _bursts(images: Sequence[Photo], seconds: float) -> Iterable[tuple[int, int]]:
    if not seconds:
        return
    dated = sorted(
        (image.label, image.taken_at, place) for place, image in enumerate(images) if image.taken_at is not None
    )
    for (label, taken_at, place), (next_label, next_taken_at, next_place) in pairwise(dated):
        if label == next_label and next_taken_at - taken_at <= seconds:
            yield place, next_place


@lru_cache(maxsize=32)
def _compile(pattern: str) -> re.Pattern[str]:
    """Turn a pattern into an expression that takes each part where it first fits, and so never searches for long."""
    first, *rest = re.split(r"(\{group\}|\*)", pattern)
    parts = [
        ("(.+?)" if wild == PLACE else ".*?") + _escape(text) for wild, text in zip(rest[::2], rest[1::2], strict=True)
    ]
    return re.compile(_escape(first) + "".join(f"(?>{part})" for part in parts[:-1]) + parts[-1], re.DOTALL)


def _escape(text: str) -> str:
    return re.escape(text).replace(re.escape("?"), ".")
