"""The places at which a detector's head says what it sees, and what its numbers mean; no Keras."""

import numpy as np

STRIDES = (8, 16, 32)
"""How many of the picture's pixels the places of each level are apart."""
BINS = 16
"""Distances of an edge from a place, in strides: 0 to 15."""


def list_places(image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of each place of the head's output in pixels, float32 (places, 2) of x and y, and its stride in
    pixels, float32 (places,)."""
    middles, strides = [], []
    for stride in STRIDES:
        along = (np.arange(image_size // stride, dtype=np.float32) + 0.5) * stride
        middles.append(np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2))
        strides.append(np.full(len(middles[-1]), stride, np.float32))
    return np.concatenate(middles), np.concatenate(strides)


def count_numbers(classes: int) -> int:
    """Return how many numbers the head says of a place: an edge's distances, an object, its kind."""
    return 4 * BINS + 1 + classes


def decode(said: np.ndarray, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return edges in pixels of the square, float32 (n, places, 4), and scores, float32 (n, places, kinds), 0 to 1, for
    what the head says, float32 (n, places, 4 * BINS + 1 + kinds): what `tlcore.detection.network.Decoded` does."""
    middles, strides = list_places(image_size)
    logits = said[..., : 4 * BINS].reshape(*said.shape[:2], 4, BINS)
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    far = shares @ np.arange(BINS, dtype=np.float32) * strides[:, None]
    edges = np.concatenate([middles - far[..., :2], middles + far[..., 2:]], axis=-1)
    object_, kind = _sigmoid(said[..., 4 * BINS : 4 * BINS + 1]), _sigmoid(said[..., 4 * BINS + 1 :])
    return edges, object_ * kind


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    # By the hyperbolic tangent, which overflows nowhere.
    return (0.5 + 0.5 * np.tanh(0.5 * logits)).astype(np.float32)
