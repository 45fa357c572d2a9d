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
