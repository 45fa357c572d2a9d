"""Places images on a plane by their features, like beside like: principal components, then t-SNE; NumPy alone.

scikit-learn's t-SNE took 2.4 times as long as this for 1,797 digits on one core (processor time, one measurement); it
tells nothing until it has ended, and cannot be stopped. umap-learn would bring numba and LLVM, a compiler of 100 MB,
for a map that is no truer.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from tlcore.reporter import Progress

COMPONENTS = 50
# Equal weights on the 15 nearest give much the same map as a perplexity of 30, for a fraction of the pairs (Böhm,
# Berens and Kobak 2022).
NEAREST = 15
# Beyond it the search of the nearest, which grows with the square, takes minutes: principal components alone.
MOST_ARRANGED = 40_000
FEWEST_ARRANGED = 8
# Up to here pair by pair is quicker than the grid, and where points are few and far apart the grid is not exact enough.
FEW = 300
GATHERING, SPREADING = 250, 500
EXAGGERATION = 12.0
STEPS_AT_A_TIME = 10
START_WIDTH = 1e-4
ROWS_AT_A_TIME = 512
# Half a unit of the map: on the digits the arrangement is as true as with forces computed pair by pair.
COARSEST, LEAST_CELLS, CELLS_STEP = 0.5, 60, 32
STENCIL = np.arange(-1, 3)

REDUCING = "reducing the features"
SEARCHING = "finding what is alike"
ARRANGING = "arranging the map (percent)"

TSNE, PCA = "t-SNE", "PCA"


def embed(features: np.ndarray, progress: Progress, check_stop: Callable[[], None]) -> tuple[np.ndarray, str]:
    """Return places float32 (n, 2) within -1..1 for features (n, channels), and how they were found: TSNE or PCA.

    Deterministic. Features count by their direction alone, as everywhere in Thaw. More than MOST_ARRANGED images, or
    fewer than FEWEST_ARRANGED, are placed by their first two principal components. `check_stop` may raise, between
    steps of less than a second.
    """
    progress(REDUCING, 0, 0)
    reduced = reduce_dimensions(features)
    check_stop()
    if not FEWEST_ARRANGED <= len(features) <= MOST_ARRANGED or not reduced[:, 0].std():
        return _fit(reduced[:, :2]), PCA
    nearest = find_nearest(reduced, min(NEAREST, (len(reduced) - 1) // 3), progress, check_stop)
    return _fit(arrange(reduced[:, :2], nearest, progress, check_stop)), TSNE


def reduce_dimensions(features: np.ndarray, most: int = COMPONENTS) -> np.ndarray:
    """Return the first principal components of features (n, channels) scaled to length 1: float32 (n, at least 2).

    The largest entry of each axis is positive, which makes signs no matter of chance.
    """
    vectors = np.array(features, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    vectors /= np.where(lengths > 0, lengths, 1)[:, None]
    vectors -= vectors.mean(axis=0)
    _, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    axes = axes[:, ::-1][:, :most]
    largest = np.abs(axes).argmax(axis=0)
    axes *= np.sign(axes[largest, np.arange(axes.shape[1])])
    reduced = vectors @ axes.astype(np.float32)
    return np.pad(reduced, ((0, 0), (0, max(0, 2 - reduced.shape[1]))))


def find_nearest(vectors: np.ndarray, number: int, progress: Progress, check_stop: Callable[[], None]) -> np.ndarray:
    """Return the rows of the `number` nearest other vectors of each, in no order: int64 (n, number)."""
    squares = np.einsum("ij,ij->i", vectors, vectors)
    found = np.empty((len(vectors), number), dtype=np.int64)
    for start in range(0, len(vectors), ROWS_AT_A_TIME):
        check_stop()
        progress(SEARCHING, start, len(vectors))
        chunk = vectors[start : start + ROWS_AT_A_TIME]
        distances = squares - 2 * (chunk @ vectors.T)
        distances[np.arange(len(chunk)), np.arange(start, start + len(chunk))] = np.inf
        found[start : start + len(chunk)] = np.argpartition(distances, number - 1, axis=1)[:, :number]
    return found


def arrange(start: np.ndarray, nearest: np.ndarray, progress: Progress, check_stop: Callable[[], None]) -> np.ndarray:
    """Return the places (n, 2) to which t-SNE brings `start` (n, 2), where rows of `nearest` attract each other.

    van der Maaten and Hinton 2008; begun from principal components with a learning rate of n / 12, as Kobak and Berens
    2019 advise, over 750 steps; momentum and gains as in Jacobs 1988.
    """
    pairs = _Pairs(nearest)
    # x and y as one complex number, which halves the work of every step.
    places = (start[:, 0] + 1j * start[:, 1]).astype(np.complex64)
    places *= START_WIDTH / start[:, 0].std()
    repel = repel_by_pairs if len(places) <= FEW else repel_by_grid
    moves = np.zeros((len(places), 2), dtype=np.float32)
    gains = np.ones_like(moves)
    rate, total = len(places) / EXAGGERATION, GATHERING + SPREADING
    for step in range(total):
        if step % STEPS_AT_A_TIME == 0:
            check_stop()
        progress(ARRANGING, step, total)
        exaggeration, momentum = (EXAGGERATION, 0.5) if step < GATHERING else (1.0, 0.8)
        force = (exaggeration * pairs.attract(places) - repel(places)).astype(np.complex64)
        gradient = force.view(np.float32).reshape(-1, 2)
        gains = np.where((gradient > 0) != (moves > 0), gains + np.float32(0.2), gains * np.float32(0.8))
        np.maximum(gains, 0.01, out=gains)
        moves = np.float32(momentum) * moves - np.float32(rate) * gains * gradient
        places = places + moves.view(np.complex64)[:, 0]
        places -= places.mean()
    return places.view(np.float32).reshape(-1, 2)


def repel_by_pairs(places: np.ndarray) -> np.ndarray:
    """Return the force that drives complex places (n,) apart: the sum of q² (a - b) over all pairs, over that of q,
    where q = 1 / (1 + |a - b|²)."""
    apart = places[:, None] - places
    q = 1 / (1 + apart.real**2 + apart.imag**2)
    # Each place lies at no distance from itself, where q is 1.
    return (q * q * apart).sum(axis=1) / (q.sum() - len(places))


def repel_by_grid(places: np.ndarray) -> np.ndarray:
    """Return nearly what `repel_by_pairs` does, for very many: by a grid and the Fourier transform (Linderman et al.
    2019). Each place is shared out among the 16 knots around it with the weights of cubic interpolation."""
    corner = complex(places.real.min(), places.imag.min())
    span = max(np.ptp(places.real), np.ptp(places.imag), 1e-12)
    # In powers of two, so that the kernels of one grid serve many steps.
    width = min(COARSEST, 2.0 ** np.floor(np.log2(span / LEAST_CELLS)))
    cells = int(np.ceil((span / width + 4) / CELLS_STEP)) * CELLS_STEP
    placed = (places - corner).astype(np.complex64).view(np.float32).reshape(-1, 2) / np.float32(width) + 1
    knots = placed.astype(np.int64)
    weights = _interpolate(placed - knots)
    rows, columns = (knots[:, axis, None] + STENCIL for axis in (0, 1))
    at = (rows[:, :, None] * cells + columns[:, None, :]).reshape(-1, 16)
    shares = (weights[:, 0, :, None] * weights[:, 1, None, :]).reshape(-1, 16)
    mass = np.bincount(at.ravel(), shares.ravel(), cells * cells).astype(np.float32).reshape(cells, cells)
    size = 2 * cells
    fields = np.fft.irfft2(np.fft.rfft2(mass, s=(size, size)) * _kernels(cells, width), s=(size, size))
    near, across, along = (
        np.einsum("ij,ij->i", field[:cells, :cells].ravel()[at], shares) for field in fields.astype(np.float32)
    )
    return (across + 1j * along) / (float(near.sum()) - len(places))


class _Pairs:
    """The pairs that attract each other, each weighted so that all weights sum to one."""

    def __init__(self, nearest: np.ndarray) -> None:
        number, each = nearest.shape
        one_way = np.repeat(np.arange(number), each) * number + nearest.ravel()
        other_way = nearest.ravel() * number + np.repeat(np.arange(number), each)
        pairs, times = np.unique(np.concatenate([one_way, other_way]), return_counts=True)
        rows, self._others = np.divmod(pairs, number)
        self._weights = (times / times.sum()).astype(np.float32)
        self._counts = np.bincount(rows, minlength=number)
        # Every row has a pair, for each image has neighbours.
        self._starts = np.cumsum(self._counts) - self._counts

    def attract(self, places: np.ndarray) -> np.ndarray:
        """Return the force that draws complex places (n,) to their partners: the sum of p q (a - b)."""
        apart = np.repeat(places, self._counts) - places[self._others]
        apart *= self._weights / (1 + apart.real**2 + apart.imag**2)
        return np.add.reduceat(apart, self._starts)


@lru_cache(maxsize=1)
def _kernels(cells: int, width: float) -> np.ndarray:
    """Return the transforms of q, q² x and q² y over a grid of that many cells of that width, wrapped around."""
    steps = np.arange(2 * cells)
    steps = (np.where(steps < cells, steps, steps - 2 * cells) * width).astype(np.float32)
    q = 1 / (1 + steps[:, None] ** 2 + steps**2)
    return np.fft.rfft2(np.stack([q, q * q * steps[:, None], q * q * steps]))


def _interpolate(past: np.ndarray) -> np.ndarray:
    """Return the weights (n, 2, 4) of the knots at -1, 0, 1 and 2 for places `past` (n, 2) in 0..1 (Lagrange)."""
    below, above, beyond = past + 1, past - 1, past - 2
    return np.stack(
        [-past * above * beyond / 6, below * above * beyond / 2, -below * past * beyond / 2, below * past * above / 6],
        axis=2,
    )


def _fit(places: np.ndarray) -> np.ndarray:
    """Scale places about their middle, so that the farthest lies at 1."""
    centred = places - (places.max(axis=0) + places.min(axis=0)) / 2
    return (centred / max(np.abs(centred).max(), 1e-12)).astype(np.float32)
