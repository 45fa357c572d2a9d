"""What a person marks in a figure: the points by their numbers, and the outlines that were drawn around them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Marking:
    """The numbers of the points that are marked, the closed outlines around them as float (corners, 2) in the figure's
    own coordinates, and the names of the parts that the person has hidden by the legend."""

    numbers: list[int]
    outlines: list[np.ndarray]
    hidden: frozenset[str]


def read_marking(said: Mapping[str, Any]) -> Marking:
    """Return what the browser tells of a mark."""
    return Marking(
        [int(number) for number in said["numbers"]],
        [np.asarray(outline, dtype=np.float64).reshape(-1, 2) for outline in said["outlines"]],
        frozenset(str(name) for name in said["hidden"]),
    )


def inside(places: np.ndarray, outlines: Sequence[np.ndarray]) -> np.ndarray:
    """Say which `places`, float (n, 2), lie within any of the outlines, bool (n,).

    By the even-odd rule: a place is inside if a ray from it crosses the outline an odd number of times.
    """
    found = np.zeros(len(places), dtype=bool)
    x, y = places[:, 0], places[:, 1]
    for outline in outlines:
        odd = np.zeros(len(places), dtype=bool)
        for (x1, y1), (x2, y2) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            if y1 != y2:
                odd ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
        found |= odd
    return found
