"""What a detector found on photos, and which of it is right: boxes matched with those that a person drew."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlcore.boxes import overlaps

# A box is right where it lies over the drawn one with at least this IoU: the "50" of AP50.
RIGHT_OVERLAP = 0.5


@dataclass(frozen=True)
class Found:
    """The objects that a detector sees on a photo, surest first: `edges` float32 (n, 4) as shares of the photo,
    `scores` float32 (n,) from 0 to 1, and `kinds` int64 (n,), numbers of the detector's labels."""

    edges: np.ndarray
    scores: np.ndarray
    kinds: np.ndarray

    def above(self, confidence: float) -> "Found":
        """Return those of at least this confidence."""
        sure = self.scores >= confidence
        return Found(self.edges[sure], self.scores[sure], self.kinds[sure])


@dataclass(frozen=True)
class Drawn:
    """The boxes that a person drew on a photo: `edges` float32 (n, 4) as shares of it, `kinds` int64 (n,)."""

    edges: np.ndarray
    kinds: np.ndarray


def match(found: np.ndarray, drawn: np.ndarray, least: float = RIGHT_OVERLAP) -> np.ndarray:
    """Return for each found box, surest first, the number of the drawn one that it is, or -1: int64 (n,).

    Each takes the one that it lies over most of those that no surer one has taken, if by an IoU of at least `least`.
    Both are edges (n, 4) and (m, 4) in the same unit, of one kind or whatever kind.
    """
    over = overlaps(np.asarray(found, np.float64), np.asarray(drawn, np.float64))
    taken = np.full(len(found), -1, np.int64)
    for number in range(len(found)):
        if not len(drawn):
            break
        best = int(over[number].argmax())
        if over[number, best] >= least:
            taken[number] = best
            over[:, best] = 0.0
    return taken


@dataclass(frozen=True)
class PhotoJudged:
    """What is right on a photo: int64 numbers of the drawn boxes that were `missed`, and of the found ones that are
    `false_alarms`, among those of the confidence asked for."""

    missed: np.ndarray
    false_alarms: np.ndarray


@dataclass(frozen=True)
class KindCount:
    """How many objects of a kind were found and missed, and how many were seen where there is none."""

    label: str
    found: int
    missed: int
    false_alarms: int


def judge_photo(found: Found, drawn: Drawn, confidence: float, least: float = RIGHT_OVERLAP) -> PhotoJudged:
    """Match what is found on a photo with at least this confidence, kind by kind, with what is drawn there."""
    sure = found.above(confidence)
    missed, alarms = np.ones(len(drawn.kinds), bool), np.ones(len(sure.kinds), bool)
    for kind in set(drawn.kinds.tolist()) | set(sure.kinds.tolist()):
        mine, theirs = np.flatnonzero(sure.kinds == kind), np.flatnonzero(drawn.kinds == kind)
        taken = match(sure.edges[mine], drawn.edges[theirs], least)
        alarms[mine] = taken < 0
        missed[theirs[taken[taken >= 0]]] = False
    return PhotoJudged(np.flatnonzero(missed), np.flatnonzero(alarms))


def count_found(
    found: Sequence[Found], drawn: Sequence[Drawn], labels: Sequence[str], confidence: float
) -> list[KindCount]:
    """Count over photos, kind by kind, what was found with at least this confidence, missed, and seen in vain."""
    objects, missed, alarms = (np.zeros(len(labels), int) for _ in range(3))
    for seen, true in zip(found, drawn, strict=True):
        judged, sure = judge_photo(seen, true, confidence), seen.above(confidence)
        np.add.at(objects, true.kinds, 1)
        np.add.at(missed, true.kinds[judged.missed], 1)
        np.add.at(alarms, sure.kinds[judged.false_alarms], 1)
    return [
        KindCount(label, int(objects[kind] - missed[kind]), int(missed[kind]), int(alarms[kind]))
        for kind, label in enumerate(labels)
    ]


def average_precision(
    found: Sequence[Found], drawn: Sequence[Drawn], classes: int, least: float = RIGHT_OVERLAP
) -> float | None:
    """Return the mean over kinds of the precision averaged over 101 recalls, 0 to 1, as COCO defines it for one
    overlap; None where nothing is drawn.

    It is for watching a training; `tlcore.detection.evaluation` has the figures of pycocotools.
    """
    each = [_of_kind(found, drawn, kind, least) for kind in range(classes)]
    known = [value for value in each if value is not None]
    return float(np.mean(known)) if known else None


def _of_kind(found: Sequence[Found], drawn: Sequence[Drawn], kind: int, least: float) -> float | None:
    scores, right, objects = [np.zeros(0)], [np.zeros(0, bool)], 0
    for seen, true in zip(found, drawn, strict=True):
        mine, theirs = seen.kinds == kind, true.edges[true.kinds == kind]
        objects += len(theirs)
        scores.append(seen.scores[mine])
        right.append(match(seen.edges[mine], theirs, least) >= 0)
    if not objects:
        return None
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits = np.cumsum(np.concatenate(right)[order])
    precision = hits / np.arange(1, len(hits) + 1)
    # The best precision at this recall or a larger one.
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(hits / objects, np.linspace(0, 1, 101), side="left")
    return float(np.append(precision, 0.0)[np.minimum(at, len(precision))].mean())
