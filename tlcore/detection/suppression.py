"""Which of a detector's boxes are kept: the reference for non-maximum suppression, in plain NumPy.

1. Of each kind by itself, boxes whose score is below `least_score` are left out, and the `CANDIDATES` surest go on.
2. From the surest to the least sure, a box is kept unless it lies over one of its kind that is kept with an IoU above
   `most_overlap`. Of equal scores the one that comes first in the output is the surer.
3. Of all kinds together the `most` surest are kept, surest first.

Whoever runs an exported model without suppression inside does this to its boxes and scores.
"""

import numpy as np

from tlcore.boxes import overlaps

# A detector's lists are drawn from these; what is shown is chosen later, by one threshold. Where objects are unlike
# those that were learnt from, many right boxes are hardly sure: with 0.05 and 0.6 AP50 was two to five hundredths less.
LEAST_SCORE, MOST_OVERLAP, MOST = 0.01, 0.5, 300
CANDIDATES = 1000


def suppress(
    edges: np.ndarray,
    scores: np.ndarray,
    least_score: float = LEAST_SCORE,
    most_overlap: float = MOST_OVERLAP,
    most: int = MOST,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the kept boxes of one picture, surest first: edges (k, 4), scores (k,) and numbers of kinds, int64 (k,).

    `edges` (places, 4) are left, top, right and bottom in any unit, `scores` (places, classes) from 0 to 1.
    """
    kept: list[tuple[float, int, int]] = []
    for kind in range(scores.shape[1]):
        mine = scores[:, kind]
        places = np.flatnonzero(mine >= least_score)
        places = places[np.argsort(-mine[places], kind="stable")][:CANDIDATES]
        for place in _keep(edges[places], most_overlap, most):
            kept.append((float(mine[places[place]]), int(places[place]), kind))
    kept.sort(key=lambda each: -each[0])
    chosen = kept[:most]
    return (
        edges[[place for _, place, _ in chosen]].reshape(-1, 4),
        np.array([score for score, _, _ in chosen], scores.dtype),
        np.array([kind for _, _, kind in chosen], np.int64),
    )


def _keep(edges: np.ndarray, most_overlap: float, most: int) -> list[int]:
    """Return which of boxes, surest first, lie over no kept one by more than `most_overlap`: at most `most`."""
    kept: list[int] = []
    left = np.arange(len(edges))
    while len(left) and len(kept) < most:
        first, rest = left[0], left[1:]
        kept.append(int(first))
        left = rest[overlaps(edges[first : first + 1], edges[rest])[0] <= most_overlap]
    return kept
