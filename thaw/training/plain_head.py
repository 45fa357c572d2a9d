"""What a head says of features, in plain NumPy; `weights` are its kernels and biases, float32, of one layer or two, in
Keras's order."""

from collections.abc import Sequence

import numpy as np


def say_shares(weights: Sequence[np.ndarray], features: np.ndarray) -> np.ndarray:
    """Return the shares of the classes, float32 (n, classes), of features float32 (n, channels)."""
    return expand(answer(weights, hide(weights, features)))


def hide(weights: Sequence[np.ndarray], features: np.ndarray) -> np.ndarray:
    """Return what the hidden layer makes of features, float32 (n, units); the features where there is none."""
    if len(weights) == 2:
        return features
    return np.maximum(features @ weights[0] + weights[1], 0)


def answer(weights: Sequence[np.ndarray], hidden: np.ndarray) -> np.ndarray:
    """Return the softmax, float32 (n, classes), or for a single unit the sigmoid, float32 (n, 1)."""
    raw: np.ndarray = hidden @ weights[-2] + weights[-1]
    if raw.shape[1] == 1:
        return 1 / (1 + np.exp(-raw))
    raw -= raw.max(axis=1, keepdims=True)
    np.exp(raw, out=raw)
    raw /= raw.sum(axis=1, keepdims=True)
    return raw


def expand(answered: np.ndarray) -> np.ndarray:
    """Return a head's output as (n, classes); a sigmoid's p (n, 1) becomes (1 - p, p)."""
    return np.hstack([1 - answered, answered]) if answered.shape[1] == 1 else answered
