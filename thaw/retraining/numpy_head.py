"""The head in plain NumPy: what Keras's head computes and how Adam trains it, without the seconds TensorFlow takes to
start; for features that are small enough to lie in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thaw.training.plain_head import answer, expand, hide, say_shares

# Adam's own constants, Keras's defaults (Kingma and Ba 2015).
FIRST_DECAY, SECOND_DECAY, EPSILON = 0.9, 0.999, 1e-7
# A probability below this counts as this in the loss, as in Keras.
SMALLEST = 1e-7
# A byte decides whether a number is dropped, which is a fifth of the time that a float of its own would take.
CHANCES = 1 << 8
_BYTES_A_DRAW = 8


@dataclass(frozen=True)
class Measure:
    """The mean loss, each image's weighed by its class, and the accuracy in 0..1 over the images of an epoch."""

    loss: float
    accuracy: float


class PlainHead:
    """[Dense with ReLU ->] dropout -> Dense with softmax, or with a sigmoid for a single unit.

    `weights` are kernel and bias, float32, of one layer or two, in Keras's order; the arrays given stay as they are.
    """

    def __init__(self, weights: Sequence[np.ndarray], dropout: float, learning_rate: float) -> None:
        self.weights = [np.array(array, dtype=np.float32) for array in weights]
        self._first = [np.zeros_like(array) for array in self.weights]
        self._second = [np.zeros_like(array) for array in self.weights]
        self._steps = 0
        self._kept = round((1 - dropout) * CHANCES)
        self._scale = np.float32(CHANCES / self._kept)
        self._learning_rate = learning_rate

    @property
    def state(self) -> list[np.ndarray]:
        """Return all that a later step depends on: weights, Adam's two moments of each, and the number of steps."""
        return [*self.weights, *self._first, *self._second, np.array(self._steps)]

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """Put back what `state` returned."""
        count = len(self.weights)
        parts = [np.array(array) for array in state]
        self.weights, self._first, self._second = parts[:count], parts[count : 2 * count], parts[2 * count : -1]
        self._steps = int(parts[-1])

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the shares of the classes, float32 (n, classes), of features float32 (n, channels)."""
        return say_shares(self.weights, features)

    def measure(self, features: np.ndarray, classes: np.ndarray) -> Measure:
        """Judge the head on features float32 (n, channels) of images of `classes`, int (n,); no class weighs more."""
        shares = self.probabilities(features)
        losses = _losses(shares, classes)
        return Measure(float(losses.mean()), float((shares.argmax(axis=1) == classes).mean()))

    def train_batch(
        self, features: np.ndarray, classes: np.ndarray, weights: np.ndarray | None, chance: np.random.Generator
    ) -> tuple[float, int]:
        """Make one step of Adam on a batch; return the sum of its losses and how many images it got right before.

        `features` float32 (n, channels), `classes` int (n,), `weights` float32 (classes,) or None;
        `chance` draws what is dropped.
        """
        hidden = hide(self.weights, features)
        dropped = self._drop(hidden, chance)
        shares = answer(self.weights, dropped)
        both = expand(shares)
        losses, right = _losses(both, classes), int((both.argmax(axis=1) == classes).sum())
        slopes = shares.copy()
        if shares.shape[1] == 1:
            slopes[:, 0] -= classes
        else:
            slopes[np.arange(len(classes)), classes] -= 1
        if weights is not None:
            losses *= weights[classes]
            slopes *= weights[classes][:, None]
        slopes /= len(classes)
        self._step(self._gradients(features, hidden, dropped, slopes))
        return float(losses.sum()), right

    def _drop(self, hidden: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        """Zero a share of the numbers and enlarge the rest, so that the sum stays the same on average."""
        if self._kept == CHANCES:
            return hidden
        drawn = chance.bit_generator.random_raw(-(-hidden.size // _BYTES_A_DRAW)).view(np.uint8)
        dropped = hidden * (drawn[: hidden.size].reshape(hidden.shape) < self._kept)
        dropped *= self._scale
        return dropped

    def _gradients(
        self, features: np.ndarray, hidden: np.ndarray, dropped: np.ndarray, slopes: np.ndarray
    ) -> list[np.ndarray]:
        outer = [dropped.T @ slopes, slopes.sum(axis=0)]
        if len(self.weights) == 2:
            return outer
        # Where a unit is 0 nothing flows back: dropped, or below zero before the ReLU.
        inner = (slopes @ self.weights[-2].T) * (dropped > 0) * self._scale
        return [features.T @ inner, inner.sum(axis=0), *outer]

    def _step(self, gradients: Sequence[np.ndarray]) -> None:
        self._steps += 1
        rate = self._learning_rate * (1 - SECOND_DECAY**self._steps) ** 0.5 / (1 - FIRST_DECAY**self._steps)
        for array, first, second, gradient in zip(self.weights, self._first, self._second, gradients, strict=True):
            first += (gradient - first) * np.float32(1 - FIRST_DECAY)
            second += (gradient * gradient - second) * np.float32(1 - SECOND_DECAY)
            array -= first * np.float32(rate) / (np.sqrt(second) + np.float32(EPSILON))


def _losses(shares: np.ndarray, classes: np.ndarray) -> np.ndarray:
    return -np.log(np.maximum(shares[np.arange(len(classes)), classes], np.float32(SMALLEST)))
