"""Verifies a detector's exported files: the boxes and scores of each are judged by the detector's own.

A file with suppression inside gives fewer boxes, of which nothing but the detector's own numbers tells whether they are
the right ones. Where scores differ, the boxes that are kept are the one set in which none lies over another of its kind
while every one that is left out lies over a surer one: that is what is asked of them, with what rounding may change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tlcore.boxes import overlaps
from tlcore.detection.finding import read_found
from tlcore.detection.found import Drawn, Found, average_precision
from tlcore.detection.suppression import CANDIDATES, LEAST_SCORE, MOST, MOST_OVERLAP
from tlcore.detection.views import Window
from tlcore.exporting.bench import Verdict
from tlcore.exporting.formats import FLOAT_TOLERANCE, LARGEST_SHIFT_PX
from tlcore.exporting.model_files import Judged
from tlcore.exporting.suppression import NOTHING, Rule

RULE = Rule(LEAST_SCORE, MOST_OVERLAP, MOST)
# A place that sees next to nothing may put its edges anywhere.
LEAST_SEEN = 0.01
# Between an overlap that is and one that is not allowed rounding decides.
CLOSE_OVERLAP = 0.01


@dataclass(frozen=True)
class DetectorReference:
    """What a detector says of the pictures of one set: edges in pixels of the square, float32 (n, places, 4), and
    scores, float32 (n, places, kinds); how each picture lies in its square, and what is drawn on it."""

    side: str
    edges: np.ndarray
    scores: np.ndarray
    windows: Sequence[Window]
    drawn: Sequence[Drawn]

    @cached_property
    def precision(self) -> float:
        """Return AP50 of the detector itself, 0 to 1."""
        return self.measure(read_found(self.edges, self.scores, self.windows))

    def measure(self, found: Sequence[Found]) -> float:
        """Return AP50 of what is found on the pictures, 0 to 1: 0 where nothing is drawn."""
        return average_precision(found, self.drawn, self.scores.shape[-1]) or 0.0


@dataclass(frozen=True)
class Kept:
    """The boxes of one picture that are left after suppression, the surest first: edges in pixels (k, 4), scores (k,)
    and numbers of kinds (k,)."""

    edges: np.ndarray
    scores: np.ndarray
    kinds: np.ndarray


def judge_answers(path: Path, references: Sequence[DetectorReference], labels: Sequence[str]) -> Verdict:
    """Return the verdict on a file by its answers for the pictures of all sets, one after another.

    It is refused where an edge is further off than `LARGEST_SHIFT_PX`, a score than `FLOAT_TOLERANCE`, or where other
    boxes are left after suppression.
    """
    with np.load(path, allow_pickle=False) as archive:
        answers = {name: archive[name] for name in archive.files}
    images = sum(len(reference.edges) for reference in references)
    names = answers["class_names"].tolist() if "class_names" in answers else [list(labels)]
    if names != [list(labels)]:
        return Verdict("refused", "its class names are not those of the run")
    if fault := _find_fault(answers, images, references[0]):
        return Verdict("refused", fault)
    judge = _judge_kept if "count" in answers else _judge_every
    judged, breaches, start = [], list[str](), 0
    for reference in references:
        end = start + len(reference.edges)
        one, found = judge(reference, {name: array[start:end] for name, array in answers.items()})
        judged.append(one)
        breaches += found
        start = end
    if not breaches:
        return Verdict("passed", "", judged)
    reason = f"on {len(breaches):,} of {images:,} images other objects are found than by the run: {breaches[0]}"
    return Verdict("refused", reason, judged)


def compare(expected: Sequence[np.ndarray], answers: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return how far edges (places, 4), where anything is seen, and scores (places, kinds) are apart at most."""
    seen = expected[1].max(axis=-1) >= LEAST_SEEN
    far = [np.abs(one - other) for one, other in zip(expected, answers, strict=True)]
    return float(far[0][seen].max(initial=0.0)), float(far[1].max(initial=0.0))


def find_breach(edges: np.ndarray, scores: np.ndarray, kept: Kept) -> tuple[float, float, str | None]:
    """Return how far the edges and scores of kept boxes are at most from the nearest of a detector's own on a picture,
    and how they break the rule of suppression, or None.

    `edges` (places, 4) and `scores` (places, kinds) are the detector's own.
    """
    shift = difference = 0.0
    breach = None
    if (np.diff(kept.scores) > 0).any() or (kept.scores < LEAST_SCORE - FLOAT_TOLERANCE).any():
        breach = "they are not the surest, or not in that order"
    for kind in range(scores.shape[1]):
        own, mine = kept.edges[kept.kinds == kind], kept.scores[kept.kinds == kind]
        places, apart, off = _find_places(edges, scores[:, kind], own, mine)
        shift, difference = max(shift, apart), max(difference, off)
        over = overlaps(own, own)
        if (over[~np.eye(len(own), dtype=bool)] > MOST_OVERLAP + CLOSE_OVERLAP).any():
            breach = breach or "two boxes of a kind lie over each other"
        if _is_lacking(edges, scores[:, kind], own, mine, places, kept):
            breach = breach or "a box is left out"
    return shift, difference, breach


def _find_places(
    edges: np.ndarray, scores: np.ndarray, own: np.ndarray, mine: np.ndarray
) -> tuple[list[int], float, float]:
    """Return for each box of a kind the detector's place that it is, and how far edges and scores are off at most."""
    places, shift, difference = [], 0.0, 0.0
    for box, score in zip(own, mine, strict=True):
        off = np.abs(scores - score)
        near = np.flatnonzero(off <= max(FLOAT_TOLERANCE, float(off.min())))
        apart = np.abs(edges[near] - box).max(axis=1)
        best = int(apart.argmin())
        places.append(int(near[best]))
        shift, difference = max(shift, float(apart[best])), max(difference, float(off[near[best]]))
    return places, shift, difference


def _is_lacking(
    edges: np.ndarray, scores: np.ndarray, own: np.ndarray, mine: np.ndarray, places: Sequence[int], kept: Kept
) -> bool:
    """Say whether a place of a kind was left out without a surer box of that kind that it lies over."""
    least = LEAST_SCORE + FLOAT_TOLERANCE
    if len(kept.scores) >= MOST:
        least = max(least, float(kept.scores[-1]) + FLOAT_TOLERANCE)
    candidates = np.flatnonzero(scores >= least)
    candidates = candidates[np.argsort(-scores[candidates], kind="stable")][:CANDIDATES]
    candidates = candidates[~np.isin(candidates, places)]
    over = overlaps(edges[candidates], own) >= MOST_OVERLAP - CLOSE_OVERLAP
    surer = mine[None] >= scores[candidates, None] - FLOAT_TOLERANCE
    return bool((~(over & surer).any(axis=1)).any())


def _find_fault(answers: dict[str, np.ndarray], images: int, reference: DetectorReference) -> str | None:
    """Return what is wrong with a file's answers taken by themselves, or None where they hold together."""
    _, places, kinds = reference.scores.shape
    every = {"boxes": (images, places, 4), "scores": (images, places, kinds)}
    kept = {"boxes": (images, MOST, 4), "scores": (images, MOST), "classes": (images, MOST), "count": (images,)}
    expected = kept if "count" in answers else every
    shapes = {name: answers[name].shape if name in answers else None for name in expected}
    if shapes != expected:
        return f"its outputs have the shapes {shapes}, not {expected}"
    if not all(np.isfinite(answers[name]).all() for name in expected):
        return "some of its boxes and scores are no numbers"
    if "count" not in answers:
        return None
    found = np.arange(MOST)[None] < answers["count"][:, None]
    named = (answers["classes"] >= 0) & (answers["classes"] < kinds)
    if (named != found).any() or (answers["classes"][~found] != NOTHING).any():
        return "its classes and its count do not agree"
    return None


def _judge_every(reference: DetectorReference, answers: dict[str, np.ndarray]) -> tuple[Judged, list[str]]:
    """Judge a file that gives every place as it is."""
    boxes, scores = answers["boxes"], answers["scores"]
    rows = zip(reference.edges, reference.scores, boxes, scores, strict=True)
    measured = [(*compare((edges, said), (box, score)), None) for edges, said, box, score in rows]
    return _sum_up(reference, measured, read_found(boxes, scores, reference.windows))


def _judge_kept(reference: DetectorReference, answers: dict[str, np.ndarray]) -> tuple[Judged, list[str]]:
    """Judge a file that gives what is left after suppression."""
    measured, found = [], []
    for place, count in enumerate(answers["count"]):
        kept = Kept(*(answers[name][place, :count] for name in ("boxes", "scores", "classes")))
        measured.append(find_breach(reference.edges[place], reference.scores[place], kept))
        shares = reference.windows[place].back(kept.edges).clip(0, 1).astype(np.float32)
        found.append(Found(shares, kept.scores, kept.kinds.astype(np.int64)))
    return _sum_up(reference, measured, found)


def _sum_up(
    reference: DetectorReference, measured: Sequence[tuple[float, float, str | None]], found: Sequence[Found]
) -> tuple[Judged, list[str]]:
    """Return what was measured of a set, and in what way its pictures differ, those that do."""
    breaches = []
    for shift, difference, breach in measured:
        if shift > LARGEST_SHIFT_PX or difference > FLOAT_TOLERANCE:
            limits = f"at most {LARGEST_SHIFT_PX} px and {FLOAT_TOLERANCE:g} were expected"
            breaches.append(f"edges are up to {shift:.2g} px and scores up to {difference:.2g} off, {limits}")
        elif breach:
            breaches.append(breach)
    precision = reference.measure(found)
    judged = Judged(
        reference.side,
        len(measured),
        len(breaches),
        max((difference for _, difference, _ in measured), default=0.0),
        precision,
        precision - reference.precision,
        max((shift for shift, _, _ in measured), default=0.0),
    )
    return judged, breaches
