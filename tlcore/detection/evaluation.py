"""How good a detector is on photos with boxes: object by object at one confidence, and by COCO's average precision."""

import contextlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tlcore.detection.found import Drawn, Found, match
from tlcore.detection.suppression import MOST
from tlcore.evaluation.metrics import Interval

# COCO's own share of the photo is no matter: IoU is the same in any unit.
_UNIT = 1000.0
DRAWS = 200


@dataclass(frozen=True)
class Outcome:
    """One object or one false alarm: the `photo`'s place in the list, and what is known of both boxes.

    `kind` and `drawn` (4,) are of the box that a person drew, None for a false alarm; `said`, `score` and `seen` (4,)
    of the one that was found, None for an object that was missed. Edges are shares of the photo.
    """

    photo: int
    kind: int | None
    drawn: np.ndarray | None
    said: int | None = None
    score: float | None = None
    seen: np.ndarray | None = None

    @property
    def area(self) -> float:
        """Return the share of the photo that the object, or else the false alarm, covers."""
        edges = self.drawn if self.drawn is not None else self.seen
        assert edges is not None
        return float((edges[2] - edges[0]) * (edges[3] - edges[1]))


@dataclass(frozen=True)
class KindFigures:
    """Of one kind of object, counted at one confidence: those drawn, and of these the found, the confused (found, and
    taken for another kind) and the missed; and the false alarms, where nothing is drawn that is not found already."""

    label: str
    objects: int
    found: int
    confused: int
    missed: int
    false_alarms: int


@dataclass(frozen=True)
class Judged:
    """What became of every object on some photos at one confidence (0 to 1)."""

    outcomes: list[Outcome]
    labels: list[str]
    photos: int
    confidence: float

    @property
    def kinds(self) -> list[KindFigures]:
        """Return the figures of each kind, in the order of the labels."""
        return [self._count(number, label) for number, label in enumerate(self.labels)]

    @property
    def confusions(self) -> list[tuple[str, str, int]]:
        """List what was taken for what and how often, the most often first."""
        pairs = Counter(
            (self.labels[each.kind], self.labels[each.said])
            for each in self.outcomes
            if each.kind is not None and each.said is not None and each.kind != each.said
        )
        return [(true, said, count) for (true, said), count in pairs.most_common()]

    @property
    def taken(self) -> np.ndarray:
        """Return how often each kind (row) was taken for each (column), int64 (kinds + 1, kinds + 1): in the last
        column the missed, in the last row the false alarms."""
        nothing = len(self.labels)
        table = np.zeros((nothing + 1, nothing + 1), np.int64)
        for each in self.outcomes:
            table[nothing if each.kind is None else each.kind, nothing if each.said is None else each.said] += 1
        return table

    @property
    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return how many objects of each kind there are on each photo, and how many were counted: both int64 (photos,
        kinds)."""
        there, counted = (np.zeros((self.photos, len(self.labels)), np.int64) for _ in range(2))
        for each in self.outcomes:
            if each.kind is not None:
                there[each.photo, each.kind] += 1
            if each.said is not None:
                counted[each.photo, each.said] += 1
        return there, counted

    @property
    def counting_error(self) -> float:
        """Return by how many objects the count of a photo is off, on average; kinds are counted apart."""
        there, counted = self.counts
        return float(np.abs(counted - there).sum()) / max(1, self.photos)

    @property
    def misses(self) -> list[Outcome]:
        """List the objects that were missed, the largest first: those that are hardest to overlook."""
        return sorted((each for each in self.outcomes if each.said is None), key=lambda each: -each.area)

    @property
    def false_alarms(self) -> list[Outcome]:
        """List the false alarms, the surest first."""
        return sorted((each for each in self.outcomes if each.kind is None), key=lambda each: -(each.score or 0.0))

    def _count(self, number: int, label: str) -> KindFigures:
        mine = [each for each in self.outcomes if each.kind == number]
        found = sum(each.said == number for each in mine)
        missed = sum(each.said is None for each in mine)
        alarms = sum(each.kind is None and each.said == number for each in self.outcomes)
        return KindFigures(label, len(mine), found, len(mine) - found - missed, missed, alarms)


def judge(found: Sequence[Found], drawn: Sequence[Drawn], labels: Sequence[str], confidence: float) -> Judged:
    """Say of every object what became of it, where boxes below `confidence` (0 to 1) are not shown.

    A box is of the object of its kind that it lies over most, with an IoU of at least 0.5; surer ones choose first.
    What is left of either is then matched whatever its kind: an object that was taken for another.
    """
    outcomes: list[Outcome] = []
    for photo, (seen, true) in enumerate(zip(found, drawn, strict=True)):
        shown = seen.above(confidence)
        taken = np.full(len(shown.edges), -1, np.int64)
        for kind in range(len(labels)):
            mine, theirs = np.flatnonzero(shown.kinds == kind), np.flatnonzero(true.kinds == kind)
            _take(taken, shown.edges, true.edges, mine, theirs)
        left = np.setdiff1d(np.arange(len(true.edges)), taken)
        _take(taken, shown.edges, true.edges, np.flatnonzero(taken < 0), left)
        for number, place in enumerate(taken):
            said, score, edges = int(shown.kinds[number]), float(shown.scores[number]), shown.edges[number]
            if place >= 0:
                outcomes.append(Outcome(photo, int(true.kinds[place]), true.edges[place], said, score, edges))
            else:
                outcomes.append(Outcome(photo, None, None, said, score, edges))
        for place in np.setdiff1d(np.arange(len(true.edges)), taken):
            outcomes.append(Outcome(photo, int(true.kinds[place]), true.edges[place]))
    return Judged(outcomes, [*labels], len(found), confidence)


def _take(taken: np.ndarray, seen: np.ndarray, drawn: np.ndarray, mine: np.ndarray, theirs: np.ndarray) -> None:
    matched = match(seen[mine], drawn[theirs])
    taken[mine[matched >= 0]] = theirs[matched[matched >= 0]]


@dataclass(frozen=True)
class Precisions:
    """Average precision as COCO defines it, 0 to 1, with 95% intervals over photos: at an IoU of 0.5, and the mean of
    ten from 0.5 to 0.95; and the former of each kind, None for one that is not drawn."""

    ap50: Interval
    ap50_95: Interval
    by_kind: list[float | None]


def measure_precisions(
    found: Sequence[Found], drawn: Sequence[Drawn], labels: Sequence[str], seed: int = 0
) -> Precisions | None:
    """Return the figures of pycocotools for photos, or None where nothing is drawn on them.

    The intervals are of a bootstrap over the photos (Efron and Tibshirani 1993, percentile method).
    """
    if not any(len(each.edges) for each in drawn):
        return None
    photos = len(drawn)
    if not any(len(each.edges) for each in found):
        nothing = Interval(0.0, 0.0, 0.0, photos)
        objects = Counter(int(kind) for each in drawn for kind in each.kinds)
        return Precisions(nothing, nothing, [0.0 if objects[kind] else None for kind in range(len(labels))])
    evaluation = _evaluate(found, drawn, labels)
    each_photo = evaluation.evalImgs
    kinds = _accumulate(evaluation)
    chance, drawn_values = np.random.default_rng(seed), []
    for _ in range(DRAWS if photos > 1 else 0):
        places = chance.integers(0, photos, photos)
        evaluation.evalImgs = [each_photo[kind * photos + place] for kind in range(len(labels)) for place in places]
        again = _accumulate(evaluation)
        if (again[0] > -1).any():
            drawn_values.append(_mean(again))
    values = _mean(kinds)
    bounds = np.percentile(drawn_values, [2.5, 97.5], axis=0) if drawn_values else np.array([values, values])
    ap50, ap50_95 = (
        Interval(value, float(low), float(high), photos) for value, low, high in zip(values, *bounds, strict=True)
    )
    return Precisions(ap50, ap50_95, [float(value) if value > -1 else None for value in kinds[0]])


def _mean(kinds: np.ndarray) -> tuple[float, float]:
    """Return AP50 and AP50-95 over the kinds that are drawn, for both of each kind, (2, classes), -1 for the others."""
    known = kinds[:, kinds[0] > -1]
    return float(known[0].mean()), float(known[1].mean())


def _accumulate(evaluation: Any) -> np.ndarray:
    """Return AP50 and AP50-95 of each kind, (2, classes), -1 where it is not drawn."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    # (overlaps, recalls, classes, sizes, limits)
    precision = evaluation.eval["precision"][:, :, :, 0, 0]
    return np.stack([precision[0].mean(axis=0), precision.mean(axis=(0, 1))])


def _evaluate(found: Sequence[Found], drawn: Sequence[Drawn], labels: Sequence[str]) -> Any:
    """Return COCO's evaluation of each photo and kind; its progress is not printed."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO()
    truth.dataset = {
        "images": [{"id": number} for number in range(len(drawn))],
        "categories": [{"id": kind} for kind in range(len(labels))],
        # It takes the number 0 for "no annotation".
        "annotations": [{**each, "id": number, "iscrowd": 0} for number, each in enumerate(_annotate(drawn), start=1)],
    }
    scores = [float(score) for each in found for score in each.scores]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        seen = truth.loadRes([{**each, "score": score} for each, score in zip(_annotate(found), scores, strict=True)])
        evaluation = COCOeval(truth, seen, "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [MOST]
        evaluation.evaluate()
    return evaluation


def _annotate(photos: Sequence[Found | Drawn]) -> list[dict[str, Any]]:
    annotations = []
    for number, each in enumerate(photos):
        for edges, kind in zip(each.edges, each.kinds, strict=True):
            left, top, right, bottom = (float(edge) * _UNIT for edge in edges)
            box = [left, top, right - left, bottom - top]
            annotations.append({"image_id": number, "category_id": int(kind), "bbox": box, "area": box[2] * box[3]})
    return annotations
