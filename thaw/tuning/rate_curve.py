"""The curve of a learning-rate search and the rate that it suggests; NumPy only, for pages to read."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tlcore.files import write_atomically

# Smoothing by a mean over this many batches on either side, which unlike a running mean shifts nothing.
REACH = 5
LEAST_BATCHES = 4 * REACH
# A fall of the loss counts from this share of where it began, and from this many standard errors of its noise.
LEAST_FALL = 0.03
NOISE_LIMIT = 6.0


@dataclass(frozen=True)
class RateCurve:
    """A range test: the loss of each batch at each rate, and what follows from it.

    `layers` is how many top layers trained, None in phase 1; `cap` is the largest rate that may be suggested, None
    where there is no limit; `suggestion` is None where the loss fell nowhere clearly.
    """

    phase: int
    layers: int | None
    batch_size: int
    rates: list[float]
    losses: list[float]
    cap: float | None
    suggestion: float | None
    created_at: float


def suggest(rates: Sequence[float], losses: Sequence[float], cap: float | None = None) -> float | None:
    """Return the learning rate at which the loss falls most steeply, at most `cap`, or None where it falls nowhere.

    `rates` grow exponentially, one a batch; `losses` are those batches' own. The range test is Smith's ("Cyclical
    Learning Rates for Training Neural Networks", 2017); the steepest descent of the smoothed loss against the
    logarithm of the rate is how fastai's `lr_find` reads it ("steep"). Only the part before the least loss counts. It
    must fall by more than the noise of single batches makes believe.
    """
    if len(rates) < LEAST_BATCHES:
        return None
    raw = np.asarray(losses, dtype=np.float64)
    smoothed = smooth(losses)
    # The first and last are means of fewer batches, on one side, and so lag behind or run ahead.
    inner = slice(REACH, len(raw) - REACH)
    best = int(np.argmin(smoothed[inner])) + REACH
    start = float(smoothed[REACH])
    # Beyond the least loss the training runs away, which is no noise.
    calm = slice(0, max(best, LEAST_BATCHES))
    noise = float(np.std(raw[calm] - smoothed[calm])) / math.sqrt(2 * REACH + 1)
    if start - smoothed[best] < max(LEAST_FALL * abs(start), NOISE_LIMIT * noise):
        return None
    slope = np.gradient(smoothed, np.log(np.asarray(rates, dtype=np.float64)))
    steepest = REACH + int(np.argmin(slope[REACH : best + 1]))
    rounded = float(f"{rates[steepest]:.2g}")
    return rounded if cap is None else min(rounded, cap)


def smooth(losses: Sequence[float]) -> np.ndarray:
    """Return each loss's mean with its neighbours, float64 (n,); near an end there are fewer of them."""
    raw = np.asarray(losses, dtype=np.float64)
    kernel = np.ones(2 * REACH + 1)
    return np.convolve(raw, kernel, "same")[: len(raw)] / np.convolve(np.ones(len(raw)), kernel, "same")[: len(raw)]


def read_curve(folder: Path, phase: int) -> RateCurve | None:
    """Return the curve of a phase that a run's folder holds, or None before the first search."""
    path = folder / curve_file(phase)
    return RateCurve(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def write_curve(folder: Path, curve: RateCurve) -> None:
    """Keep a curve in a run's folder, in one durable step; it takes the place of an earlier one of its phase."""
    write_atomically(folder / curve_file(curve.phase), json.dumps(asdict(curve)).encode())


def curve_file(phase: int) -> str:
    """Name the file of a run's folder that holds the curve of a phase."""
    return f"rates-{phase}.json"
