"""Compares the detectors of runs: how much each finds, and whether chance alone would make the difference."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

from thaw.detection.found import CONFIDENCE, FoundPhotos
from thaw.runs.comparison import ComparedRun, group_alike, tell_lead, tell_waiting, warn_of_groups
from thaw.runs.significance import LEVEL, Difference
from tlcore.detection.comparison import list_sightings, measure_spread

FEWEST_PHOTOS = 10
Found = Mapping[str, FoundPhotos]
"""What the detectors of compared runs found on the photos that judge them, by the letter of the run."""


def same_photos(first: FoundPhotos, second: FoundPhotos) -> bool:
    """Say whether two detectors were judged on the same photos with the same boxes."""
    return _drawings(first) == _drawings(second)


def judge(first: FoundPhotos, second: FoundPhotos, comparisons: int = 1) -> Difference:
    """Compare two detectors by AP50; of several `comparisons` each has to be the surer (Bonferroni's correction).

    `first_alone` and `second_alone` count objects; the margin is that of the difference over draws of the photos.
    """
    images, paired = (len(first.images), len(second.images)), same_photos(first, second)
    here, there = (list_sightings(each.found, each.drawn, len(each.labels)) for each in (first, second))
    spread = measure_spread(here, there, images, paired)
    margin = 100 * NormalDist().inv_cdf(1 - LEVEL / comparisons / 2) * spread
    points = 100 * (first.precision - second.precision)
    # Where nothing differs, or on very few photos, draws say nothing of what chance would do.
    known = min(images) >= FEWEST_PHOTOS and np.isfinite(margin) and margin > 0
    one, other = (_found_objects(each) for each in (first, second)) if paired else (set(), set())
    return Difference(points, margin if known else None, images, paired, len(one - other), len(other - one))


def summarise(entries: Sequence[ComparedRun], found: Found) -> list[str]:
    """Tell in plain words how the best detector compares with each other one, and what chance has to do with it."""
    ranked = sorted((each for each in entries if each.letter in found), key=lambda each: -found[each.letter].precision)
    told = []
    for other in ranked[1:]:
        verdict = judge(found[ranked[0].letter], found[other.letter], len(ranked) - 1)
        told.append(f"{tell_lead(ranked[0], other, verdict.points, ' by AP50')} {_chance(ranked[0], other, verdict)}")
    return told + tell_waiting([entry.letter for entry in entries if entry.letter not in found])


def warn(entries: Sequence[ComparedRun], found: Found) -> str | None:
    """Say which detectors were judged on different photos, and why; None where all were judged on the same."""
    judged = [entry for entry in entries if entry.letter in found]
    return warn_of_groups(group_alike(judged, lambda one, other: same_photos(found[one.letter], found[other.letter])))


def _chance(best: ComparedRun, other: ComparedRun, verdict: Difference) -> str:
    first, second = verdict.images
    over = f"With {first:,} and {second:,} validation images"
    if verdict.paired:
        over = (
            f"On the same {first:,} validation images, {best.letter} alone finds {verdict.first_alone:,} and "
            f"{other.letter} alone {verdict.second_alone:,} of the objects"
        )
    if verdict.margin is None:
        return f"{over}: that is too little to tell the better one, this is within chance."
    standing = "this one is beyond it" if verdict.clear else "so is this one"
    return f"{over}; a difference under {verdict.margin:.1f} points is within chance, and {standing}."


def _drawings(photos: FoundPhotos) -> dict[str, list[tuple[object, ...]]]:
    return {
        image.id: sorted(
            (photos.labels[kind], *map(float, edges)) for edges, kind in zip(drawn.edges, drawn.kinds, strict=True)
        )
        for image, drawn in zip(photos.images, photos.drawn, strict=True)
    }


def _found_objects(photos: FoundPhotos) -> set[tuple[object, ...]]:
    """Return the objects that are found from `CONFIDENCE` on, each by its photo and its box."""
    return {
        (photos.images[each.photo].id, each.kind, *map(float, each.drawn))
        for each in photos.judge(CONFIDENCE).outcomes
        if each.drawn is not None and each.kind == each.said
    }
