"""Which places of a detector learn from which box, and how much: task-aligned assignment (TOOD, Feng et al. 2021, arXiv
2108.07755, section 3.2). A place that already sees a box well, in kind and edges, is the one to learn it better."""

from typing import Any, NamedTuple

import numpy as np

from tlcore.models.backend import keras

# The paper's: how the score and the overlap weigh, and how many places learn from one box.
SCORE_POWER, OVERLAP_POWER, PLACES_EACH = 1.0, 6.0, 13
_TINY = 1e-9
# What one place ranks below the one before it: next to nothing, and more than float32 rounds away.
_STEP = 2e-7


class Assigned(NamedTuple):
    """What each place is to learn: `edges` (n, places, 4) in pixels and `kinds` (n, places, classes), 0 or 1, of its
    box; `targets` (n, places), 0 to 1, how sure it is to be of an object, 0 for those that have none."""

    edges: Any
    kinds: Any
    targets: Any


def assign(edges: Any, scores: Any, boxes: Any, middles: Any, places_each: int = PLACES_EACH) -> Assigned:
    """Assign boxes (n, m, 5) to places: edges in pixels and the number of a class, -1 where there is no box.

    `edges` (n, places, 4) and `scores` (n, places, classes) are what is predicted, `middles` (places, 2) where the
    places are. Of the places in a box (or the one that is nearest, if none is) the `places_each` with the largest
    score ** 1 * overlap ** 6 are its own; a place in several boxes learns the one for which that is largest. The
    target is that measure, scaled so that a box's best place has the overlap that its best place has.
    """
    ops = keras.ops
    classes = scores.shape[-1]
    kinds = ops.one_hot(ops.cast(boxes[..., 4], "int32"), classes)
    real = ops.cast(boxes[..., 4] >= 0, "float32")[..., None]
    inside = _inside(boxes[..., :4], middles) * real
    overlap = overlaps(boxes[..., :4], edges) * inside
    seen = ops.matmul(kinds, ops.transpose(scores, (0, 2, 1)))
    # What is tiny decides among places that see nothing of the box yet.
    measure = (ops.power(seen, SCORE_POWER) * ops.power(overlap, OVERLAP_POWER) + _TINY) * inside
    # Of places that see a box equally well the first are taken: no box has more than `places_each`.
    ranked = measure * (1 - _STEP * np.arange(measure.shape[-1], dtype=np.float32))
    least = ops.top_k(ranked, min(places_each, measure.shape[-1]))[0][..., -1:]
    own = ops.cast(ranked >= ops.maximum(least, _TINY / 2), "float32") * measure
    # One box for each place.
    chosen = ops.one_hot(ops.argmax(own, axis=1), own.shape[1], axis=1) * ops.cast(own > 0, "float32")
    own, overlap = own * chosen, overlap * chosen
    scale = ops.max(overlap, axis=-1, keepdims=True) / (ops.max(own, axis=-1, keepdims=True) + _TINY**2)
    targets = ops.max(own * scale, axis=1)
    return Assigned(
        ops.matmul(ops.transpose(chosen, (0, 2, 1)), boxes[..., :4]),
        ops.matmul(ops.transpose(chosen, (0, 2, 1)), kinds),
        targets,
    )


def overlaps(boxes: Any, edges: Any) -> Any:
    """Return how far each box (n, m, 4) lies over each place's edges (n, places, 4): IoU, (n, m, places)."""
    ops = keras.ops
    left, top, right, bottom = (boxes[:, :, None, side] for side in range(4))
    mine = [edges[:, None, :, side] for side in range(4)]
    across = ops.maximum(ops.minimum(right, mine[2]) - ops.maximum(left, mine[0]), 0)
    down = ops.maximum(ops.minimum(bottom, mine[3]) - ops.maximum(top, mine[1]), 0)
    areas = (right - left) * (bottom - top) + ops.maximum(mine[2] - mine[0], 0) * ops.maximum(mine[3] - mine[1], 0)
    return across * down / ops.maximum(areas - across * down, _TINY)


def _inside(boxes: Any, middles: Any) -> Any:
    """Return 1 where a place's middle is in a box, or is the nearest to one that has none in it: (n, m, places)."""
    ops = keras.ops
    left, top, right, bottom = (boxes[:, :, None, side] for side in range(4))
    x, y = middles[:, 0], middles[:, 1]
    within = ops.minimum(ops.minimum(x - left, right - x), ops.minimum(y - top, bottom - y)) > 0
    away = ops.square(x - (left + right) / 2) + ops.square(y - (top + bottom) / 2)
    nearest = ops.logical_and(away <= ops.min(away, axis=-1, keepdims=True), ~ops.any(within, axis=-1, keepdims=True))
    return ops.cast(ops.logical_or(within, nearest), "float32")
