"""How far apart two detectors are by average precision, and how far chance alone would bring them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlcore.detection.found import Drawn, Found, match

DRAWS = 400
RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Sightings:
    """What a detector found of one kind on some photos, surest first: the `photo` of each box and whether it is
    `right`, both (n,), and how many `objects` of the kind each photo shows (photos,)."""

    photo: np.ndarray
    right: np.ndarray
    objects: np.ndarray


def list_sightings(found: Sequence[Found], drawn: Sequence[Drawn], classes: int) -> list[Sightings]:
    """Return the sightings of each of the kinds 0 to `classes` - 1; a box is right where `match` says so."""
    return [_list_kind(found, drawn, kind) for kind in range(classes)]


def precision_of(sightings: Sequence[Sightings], weights: np.ndarray) -> float | None:
    """Return AP50 (0 to 1) on photos that count as often as `weights` (photos,) says; None where nothing is drawn.

    With weights of one it is `tlcore.detection.found.average_precision`.
    """
    known = [value for each in sightings if (value := _precision_of_kind(each, weights)) is not None]
    return float(np.mean(known)) if known else None


def measure_spread(
    first: Sequence[Sightings], second: Sequence[Sightings], photos: tuple[int, int], paired: bool, seed: int = 0
) -> float:
    """Return the standard deviation of the difference in AP50 between two detectors, over `DRAWS` draws of the photos.

    `paired` says that both were judged on the same photos, which are then drawn together (a bootstrap: Efron and
    Tibshirani 1993). `photos` has the number of each one's.
    """
    chance = np.random.default_rng(seed)
    differences = []
    for _ in range(DRAWS):
        one = np.bincount(chance.integers(0, photos[0], photos[0]), minlength=photos[0])
        other = one if paired else np.bincount(chance.integers(0, photos[1], photos[1]), minlength=photos[1])
        here, there = precision_of(first, one), precision_of(second, other)
        if here is not None and there is not None:
            differences.append(here - there)
    return float(np.std(differences, ddof=1)) if len(differences) > 1 else math.inf


def _list_kind(found: Sequence[Found], drawn: Sequence[Drawn], kind: int) -> Sightings:
    scores, photos, right = [np.zeros(0)], [np.zeros(0, np.int64)], [np.zeros(0, bool)]
    objects = np.zeros(len(drawn), np.int64)
    for place, (seen, true) in enumerate(zip(found, drawn, strict=True)):
        mine, theirs = seen.kinds == kind, true.edges[true.kinds == kind]
        objects[place] = len(theirs)
        scores.append(seen.scores[mine])
        photos.append(np.full(int(mine.sum()), place))
        right.append(match(seen.edges[mine], theirs) >= 0)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return Sightings(np.concatenate(photos)[order], np.concatenate(right)[order], objects)


def _precision_of_kind(sightings: Sightings, weights: np.ndarray) -> float | None:
    objects = int(sightings.objects @ weights)
    if not objects:
        return None
    counted = weights[sightings.photo]
    hits, shown = np.cumsum(counted * sightings.right), np.cumsum(counted)
    # What is seen only on photos that do not count comes before none that does.
    precision = hits / np.maximum(shown, 1)
    # The best precision at this recall or a larger one.
    precision = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(precision[np.searchsorted(hits / objects, RECALLS, side="left")].mean())
