"""Suggestions for photos that have no class yet, from those that have been named; NumPy only, for the server."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thaw.retraining.numpy_head import PlainHead

STEPS, RATE = 150, 0.1
# Directions have length 1: without a scale the head would have to grow weights of a hundred before it is sure.
SCALE = 4.0
SURE = 0.8
# Photos of one kind are at least this like one another, as a cosine; two that are named alone may be less so.
LEAST_LIKE = 0.3
ROWS_AT_A_TIME = 1024


@dataclass(frozen=True)
class Suggestions:
    """What is suggested for each photo: `labels` are the classes' names, `shares` float32 (n, classes).

    The shares of a photo sum to 1 where it is as like a named one as these are among one another, else to less: the
    rest is for a kind that has no name yet.
    """

    labels: list[str]
    shares: np.ndarray

    @property
    def classes(self) -> list[str]:
        """Return the likeliest class of each photo."""
        return [self.labels[number] for number in self.shares.argmax(axis=1)]

    @property
    def confidence(self) -> np.ndarray:
        """Return the share of the likeliest class of each photo, float32 (n,), 0..1."""
        return np.asarray(self.shares.max(axis=1))

    @property
    def margins(self) -> np.ndarray:
        """Return how far the likeliest class is ahead of the next, float32 (n,), 0..1 (Scheffer et al. 2001)."""
        ordered = np.sort(self.shares, axis=1)
        return np.asarray(ordered[:, -1] - (ordered[:, -2] if ordered.shape[1] > 1 else 0))


def suggest(directions: np.ndarray, named: Sequence[str | None], seed: int = 0) -> Suggestions | None:
    """Teach a small head what has been named, and return what it says of every photo; None where nothing is named.

    `directions` are what `groups.reduce` returned, float32 (n, axes), and `named` has the class of each photo or None.
    The same input gives the same answer. Classes weigh the same however many photos they have.
    """
    labels = sorted({label for label in named if label is not None})
    if not labels:
        return None
    places = np.array([place for place, label in enumerate(named) if label is not None])
    familiar = _familiarity(directions, places)
    if len(labels) == 1:
        return Suggestions(labels, familiar[:, None])
    numbers = {label: number for number, label in enumerate(labels)}
    classes = np.array([numbers[label] for label in named if label is not None])
    scaled = directions * np.float32(SCALE)
    # Two units even for two classes, so that shares have one form.
    weights = [np.zeros((scaled.shape[1], len(labels)), np.float32), np.zeros(len(labels), np.float32)]
    head, chance = PlainHead(weights, 0.0, RATE), np.random.default_rng(seed)
    weight = (len(classes) / len(labels) / np.bincount(classes)).astype(np.float32)
    learnt = scaled[places]
    for _ in range(STEPS):
        head.train_batch(learnt, classes, weight, chance)
    return Suggestions(labels, head.probabilities(scaled) * familiar[:, None])


def _familiarity(directions: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return how like its nearest named photo each photo is, 0..1; 1 is what named ones are among one another."""
    nearest = np.empty(len(directions), np.float32)
    learnt, own = directions[places], np.full(len(directions), -1)
    own[places] = np.arange(len(places))
    for start in range(0, len(directions), ROWS_AT_A_TIME):
        rows = np.arange(start, min(start + ROWS_AT_A_TIME, len(directions)))
        likeness = directions[rows] @ learnt.T
        itself = own[rows] >= 0
        likeness[np.flatnonzero(itself), own[rows[itself]]] = -1
        nearest[rows] = likeness.max(axis=1)
    usual = max(float(np.median(nearest[places])), LEAST_LIKE)
    familiar = np.clip(nearest / np.float32(usual), 0, 1)
    familiar[places] = 1
    return np.asarray(familiar)


def order_by_doubt(margins: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Return the places of photos, the least certain first, with one photo alone of each set in `alike` before others.

    `margins` float32 (n,) are those of suggestions; near-duplicates of a photo that has just been asked teach nothing.
    """
    order = np.argsort(margins, kind="stable")
    _, first = np.unique(alike[order], return_index=True)
    leaders = np.zeros(len(order), dtype=bool)
    leaders[first] = True
    return np.concatenate([order[leaders], order[~leaders]])


def order_groups(groups: np.ndarray, margins: np.ndarray | None) -> list[int]:
    """Return the groups that are still to be named in the order in which naming them teaches the most.

    `groups` int (n,) has the group of each photo that waits, `margins` float32 (n,) how certain its suggestion is, None
    before the first is made: then the largest come first, else those with the most doubt in sum.
    """
    doubt = np.ones(len(groups)) if margins is None else 1 - margins.astype(float)
    sums = np.bincount(groups, weights=doubt) if len(groups) else np.zeros(0)
    present = np.unique(groups)
    return [int(each) for each in present[np.argsort(-sums[present], kind="stable")]]
