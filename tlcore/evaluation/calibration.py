"""Whether a model's confidence can be taken at its word, and how to put it right: bins, error, temperature."""

from dataclasses import dataclass

import numpy as np

BINS = 10
# Above the least that float32 holds: an exported model divides its logits, and no floor of its own may tell in that.
LEAST_PROBABILITY = 1e-37
COLDEST, HOTTEST = 0.05, 20.0
# Halves what is between the coldest and the hottest to a ten-billionth.
_STEPS = 36
FOLDS = 5
MOST_SHARES = 4_000_000
# So many tell the temperature to about a hundredth of itself.
MOST_FITTED = 20_000


@dataclass(frozen=True)
class Bin:
    """The images whose confidence lies in (`low`, `high`]: their mean `confidence`, their `accuracy`, how many."""

    low: float
    high: float
    confidence: float
    accuracy: float
    images: int


def list_bins(probabilities: np.ndarray, true: np.ndarray) -> list[Bin]:
    """Sort the images by confidence into ten equal bins, leaving out the empty ones.

    `probabilities` is float (n, classes), `true` int (n,). Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of
    Modern Neural Networks", ICML 2017.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    places = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    for place in range(BINS):
        inside = places == place
        if inside.any():
            means = float(confidence[inside].mean()), float(right[inside].mean())
            bins.append(Bin(place / BINS, (place + 1) / BINS, *means, int(inside.sum())))
    return bins


def calibration_error(bins: list[Bin]) -> float:
    """Return the expected calibration error in 0..1: the mean gap of confidence and accuracy, by images (same source).

    0 is a model whose 80% sure answers are right 80% of the time.
    """
    images = sum(each.images for each in bins)
    return sum(each.images * abs(each.confidence - each.accuracy) for each in bins) / images if images else 0.0


def fit_temperature(probabilities: np.ndarray, true: np.ndarray) -> float:
    """Return the temperature that makes `temper`ed probabilities the likeliest: above 1 for a model that is too sure.

    One number fitted on validation, as Guo et al. advise; it changes no answer, only how sure it is. The likelihood has
    one maximum in 1 / T, where its derivative crosses zero; the result lies in 0.05..20. Of very many images some at
    even distances are taken, `MOST_FITTED` and `MOST_SHARES` at most: all steps over 10,000 classes would take
    minutes. SciPy's `brentq` needs a quarter of the time or less, but 0.3 s to import, where a run of 360 images takes
    2 ms.
    """
    step = max(1, -(-probabilities.size // MOST_SHARES), -(-len(probabilities) // MOST_FITTED))
    probabilities, true = probabilities[::step], true[::step]
    logs = np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY))
    at_true = logs[np.arange(len(true)), true]
    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        expected = (_soften(logs, float(np.exp(middle))) * logs).sum(axis=1)
        if float((at_true - expected).mean()) > 0:
            low = middle
        else:
            high = middle
    return float(np.exp(-(low + high) / 2))


def choose_temperature(probabilities: np.ndarray, true: np.ndarray) -> float:
    """Return `fit_temperature`, or 1.0 where it does not lower the calibration error of held-out images.

    Each of five folds is corrected by what was fitted on the other four. The likelihood, which is fitted, may rise
    while confidence and accuracy move apart.
    """
    if len(true) < FOLDS:
        return 1.0
    mended, folds = np.empty(probabilities.shape), np.arange(len(true)) % FOLDS
    for fold in range(FOLDS):
        held = folds == fold
        mended[held] = temper(probabilities[held], fit_temperature(probabilities[~held], true[~held]))
    temperature = fit_temperature(probabilities, true)
    # On all of them too: that is what is shown.
    both = mended, temper(probabilities, temperature)
    before = calibration_error(list_bins(probabilities, true))
    return temperature if all(calibration_error(list_bins(each, true)) < before for each in both) else 1.0


def temper(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities with their logits divided by `temperature`: float64 (n, classes), rows that sum to 1.

    Of more than `MOST_SHARES` they are float32, and made some rows at a time, so that memory does not run out.
    """
    if probabilities.size <= MOST_SHARES:
        return _temper(probabilities, temperature)
    tempered = np.empty(probabilities.shape, dtype=np.float32)
    rows = max(1, MOST_SHARES // probabilities.shape[1])
    for start in range(0, len(probabilities), rows):
        tempered[start : start + rows] = _temper(probabilities[start : start + rows], temperature)
    return tempered


def _temper(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    logs = np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY))
    return _soften(logs, 1 / temperature)


def _soften(logs: np.ndarray, inverse: float) -> np.ndarray:
    scaled = logs * inverse
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
