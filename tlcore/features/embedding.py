"""Places images on a plane by their features, like beside like: scikit-learn's principal components, then its t-SNE.

umap-learn would bring numba and LLVM, a compiler of 100 MB, for a map that is no truer.
"""

import contextlib
import io
import re
from collections.abc import Callable

import numpy as np

from thaw.jobs.reporter import Progress

COMPONENTS = 50
PERPLEXITY = 30.0
STEPS = 750
START_WIDTH = 1e-4
# Beyond it an arrangement takes more than some minutes: principal components alone.
MOST_ARRANGED = 40_000
FEWEST_ARRANGED = 8

REDUCING = "reducing the features"
SEARCHING = "finding what is alike"
ARRANGING = "arranging the map (percent)"

TSNE, PCA = "t-SNE", "PCA"


def embed(features: np.ndarray, progress: Progress, check_stop: Callable[[], None]) -> tuple[np.ndarray, str]:
    """Return places float32 (n, 2) within -1..1 for features (n, channels), and how they were found: TSNE or PCA.

    Deterministic. Features count by their direction alone, as everywhere in Thaw. More than MOST_ARRANGED images, or
    fewer than FEWEST_ARRANGED, are placed by their first two principal components. `check_stop` may raise; it is asked
    every 50 steps.
    """
    progress(REDUCING, 0, 0)
    reduced = reduce_dimensions(features)
    check_stop()
    if not FEWEST_ARRANGED <= len(features) <= MOST_ARRANGED or not reduced[:, 0].std():
        return _fit(reduced[:, :2]), PCA
    return _fit(arrange(reduced, progress, check_stop)), TSNE


def reduce_dimensions(features: np.ndarray, most: int = COMPONENTS) -> np.ndarray:
    """Return the first principal components of features (n, channels) scaled to length 1: float32 (n, at least 2)."""
    from sklearn.decomposition import PCA as components  # noqa: N811

    vectors = np.array(features, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    vectors /= np.where(lengths > 0, lengths, 1)[:, None]
    if np.ptp(vectors, axis=0).max() == 0:
        return np.zeros((len(vectors), 2), dtype=np.float32)
    number = min(most, *vectors.shape)
    reduced = components(number, svd_solver="covariance_eigh").fit_transform(vectors)
    return np.pad(reduced, ((0, 0), (0, max(0, 2 - number))))


def arrange(reduced: np.ndarray, progress: Progress, check_stop: Callable[[], None]) -> np.ndarray:
    """Return the places (n, 2) to which t-SNE brings `reduced`, float32 (n, components).

    van der Maaten and Hinton 2008; begun from principal components and with a learning rate that grows with n, as Kobak
    and Berens 2019 advise.
    """
    from sklearn.manifold import TSNE as arrangement  # noqa: N811
    from threadpoolctl import threadpool_limits

    progress(SEARCHING, 0, 0)
    embedding = arrangement(
        perplexity=min(PERPLEXITY, (len(reduced) - 1) / 3),
        init=reduced[:, :2] * (START_WIDTH / reduced[:, 0].std()),
        learning_rate="auto",
        max_iter=STEPS,
        random_state=0,
        verbose=2,
    )
    # The one sign of life that it gives is what it prints every 50 steps.
    # On a busy machine its threads, waiting for one another, took ten times the work of one; and one leaves the others.
    with threadpool_limits(1), contextlib.redirect_stdout(_Listener(progress, check_stop)):
        places: np.ndarray = embedding.fit_transform(reduced)
    return places


class _Listener(io.TextIOBase):
    """Hears what scikit-learn prints and tells how far it is."""

    STEP = re.compile(r"\[t-SNE\] Iteration (\d+):")

    def __init__(self, progress: Progress, check_stop: Callable[[], None]) -> None:
        self._progress = progress
        self._check_stop = check_stop

    def write(self, text: str) -> int:
        if step := self.STEP.match(text):
            self._check_stop()
            self._progress(ARRANGING, round(100 * int(step[1]) / STEPS), 100)
        return len(text)


def _fit(places: np.ndarray) -> np.ndarray:
    """Scale places about their middle, so that the farthest lies at 1."""
    centred = places - (places.max(axis=0) + places.min(axis=0)) / 2
    return (centred / max(np.abs(centred).max(), 1e-12)).astype(np.float32)
