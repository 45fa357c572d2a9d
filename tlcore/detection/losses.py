"""What a detector's training makes small: how far edges are off, and how wrong it is about objects and their kinds.

Edges by complete IoU (CIoU, Zheng et al. 2020, arXiv 1911.08287) and the distributions of their distances (DFL, Li et
al. 2020, arXiv 2006.04388); objects and kinds by cross-entropy, as in YOLOX (Ge et al. 2021, arXiv 2107.08430),
kinds with label smoothing (Szegedy et al. 2015, arXiv 1512.00567, section 7).
"""

from typing import Any, NamedTuple

import numpy as np

from tlcore.detection.assignment import PLACES_EACH, Assigned, assign
from tlcore.detection.network import read_edges, read_scores
from tlcore.detection.places import BINS, list_places
from tlcore.models.backend import keras

# YOLOX weighs edges five times as much as the rest.
EDGES_WEIGHT, DISTANCES_WEIGHT = 5.0, 0.5
# So much of being a kind is shared by all: few objects teach one, and who is wholly sure of it knows those alone.
SMOOTHED = 0.1


class Terms(NamedTuple):
    """The parts of the loss for each image, (n,): before they are weighed."""

    edges: Any
    distances: Any
    objects: Any
    kinds: Any


class DetectionLoss(keras.losses.Loss):
    """The loss of the head's output, (n, places, 4 * BINS + 1 + classes) logits, for boxes (n, m, 5): edges in pixels
    and the number of a class, -1 where there is no box."""

    def __init__(self, image_size: int) -> None:
        super().__init__(name="detection")
        self._middles, self._strides = list_places(image_size)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image, (n,); their mean is the batch's sum divided by its sum of targets."""
        terms = find_terms(y_true, y_pred, self._middles, self._strides)
        return EDGES_WEIGHT * terms.edges + DISTANCES_WEIGHT * terms.distances + terms.objects + terms.kinds


def find_terms(boxes: Any, said: Any, middles: np.ndarray, strides: np.ndarray) -> Terms:
    """Return the terms of the loss; each place's part is weighed by its target, and all by the batch's targets."""
    ops = keras.ops
    boxes, still = ops.cast(boxes, "float32"), ops.stop_gradient(said)
    all_edges, scores = read_edges(still[..., : 4 * BINS], middles, strides), read_scores(still[..., 4 * BINS :])
    assigned = Assigned(*map(ops.stop_gradient, assign(all_edges, scores, boxes, middles)))
    # Of thousands of places a few learn edges and kinds: only what those say goes through the rest, and back.
    chosen, targets = _choose(assigned.targets, boxes.shape[1])
    mine, theirs, kinds = (_pick(each, chosen) for each in (said, assigned.edges, assigned.kinds))
    middles, strides = ops.take(middles, chosen, axis=0), ops.take(strides, chosen, axis=0)
    logits = mine[..., : 4 * BINS]
    edges = read_edges(logits, middles, strides)
    # A place without a box has a box of no size, of which nothing is to be learnt.
    off = edges_loss(ops.where(targets[..., None] > 0, theirs, edges), edges)
    far = distances_loss(find_distances(theirs, middles, strides), logits)
    unsure = entropy(assigned.targets, said[..., 4 * BINS])
    wrong = ops.sum(entropy(smooth(kinds), mine[..., 4 * BINS + 1 :]), axis=-1)
    images = ops.cast(ops.shape(targets)[0], "float32")
    norm = images / ops.maximum(ops.sum(assigned.targets), 1.0)
    return Terms(
        ops.sum(off * targets, axis=-1) * norm,
        ops.sum(far * targets, axis=-1) * norm,
        ops.sum(unsure, axis=-1) * norm,
        ops.sum(wrong * targets, axis=-1) * norm,
    )


def edges_loss(theirs: Any, mine: Any) -> Any:
    """Return 1 - CIoU of edges (..., 4) in pixels: 0 where they are the same, and up to about 2."""
    return 1 - keras.utils.bounding_boxes.compute_ciou(theirs, mine, "xyxy")


def find_distances(edges: Any, middles: Any, strides: Any) -> Any:
    """Return how far edges (n, places, 4) lie from the places' middles, in strides, as far as the bins reach."""
    far = keras.ops.concatenate([middles - edges[..., :2], edges[..., 2:] - middles], axis=-1) / strides[..., None]
    return keras.ops.clip(far, 0.0, BINS - 1.01)


def distances_loss(far: Any, logits: Any) -> Any:
    """Return the distribution focal loss, (n, places), of distances (n, places, 4) in strides and logits
    (n, places, 4 * BINS): the cross-entropy of the two bins beside a distance, the nearer one weighing more."""
    ops = keras.ops
    shares = ops.log_softmax(ops.reshape(logits, (-1, logits.shape[1], 4, BINS)), axis=-1)
    # A bin's weight falls from 1 at its own distance to 0 at its neighbours'.
    weights = ops.maximum(0.0, 1 - ops.abs(far[..., None] - np.arange(BINS, dtype=np.float32)))
    return -ops.mean(ops.sum(weights * shares, axis=-1), axis=-1)


def entropy(targets: Any, logits: Any) -> Any:
    """Return the cross-entropy of targets 0 to 1 and logits, without rounding either end away."""
    ops = keras.ops
    return ops.maximum(logits, 0) - logits * targets + ops.log1p(ops.exp(-ops.abs(logits)))


def smooth(kinds: Any) -> Any:
    """Return what is learnt for kinds (..., classes), 0 or 1: nine tenths of it, and of the last tenth an equal share
    for all. Where there is one kind alone it stays 1."""
    return kinds * (1 - SMOOTHED) + SMOOTHED / kinds.shape[-1]


def _choose(targets: Any, boxes: int | None) -> tuple[Any, Any]:
    """Return which places of each image have the largest of targets (n, places), as many as `boxes` may have: their
    numbers and their targets, (n, k)."""
    ops = keras.ops
    places = targets.shape[1]
    values, chosen = ops.top_k(targets, places if boxes is None else min(places, PLACES_EACH * boxes))
    return chosen, values


def _pick(rows: Any, chosen: Any) -> Any:
    """Return rows (n, places, width) of the chosen places (n, k): (n, k, width)."""
    ops = keras.ops
    _, places, width = rows.shape
    starts = ops.arange(ops.shape(rows)[0], dtype="int32")[:, None] * places
    picked = ops.take(ops.reshape(rows, (-1, width)), ops.reshape(ops.cast(chosen, "int32") + starts, (-1,)), axis=0)
    return ops.reshape(picked, (-1, chosen.shape[1], width))
