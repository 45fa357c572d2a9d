"""Groups of a pile: which photos look alike to the frozen backbone, and how a group falls into two."""

import numpy as np

DIMENSIONS = 64
MOST_GROUPS = 40
# A person looks at groups, not at pairs: so many photos there must be for one more group, on average.
PHOTOS_A_GROUP = 6
# Up to here every pair is compared, which takes 100 MB and seconds; beyond it centres are moved about instead.
COMPARED = 4_000
JUDGED = 2_000
ROUNDS = 20


def reduce(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return features, float32 (n, channels), as directions on their main axes: float32 (n, at most DIMENSIONS).

    Each row has length 1, or 0 where a photo is like the mean of all. Needs scikit-learn, 100 MB, which is imported
    here: for a worker, not for the server.
    """
    from sklearn.decomposition import PCA

    axes = min(DIMENSIONS, *features.shape)
    if len(features) < 2:
        return np.ones((len(features), 1), np.float32)
    reduced = PCA(axes, svd_solver="randomized" if axes < min(features.shape) else "full", random_state=seed)
    return _unit(reduced.fit_transform(_unit(features)))


def find_groups(directions: np.ndarray, alike: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the group of each photo, int (n,), numbered from 0 by size, the largest first.

    `directions` are what `reduce` returned; photos with the same number in `alike`, int (n,), stay together, as
    near-duplicates must. How many groups there are is chosen by the silhouette (Rousseeuw 1987): MOST_GROUPS at most.
    Needs scikit-learn, as `reduce` does.
    """
    units, members = np.unique(alike, return_inverse=True)
    if len(units) < 2 * PHOTOS_A_GROUP:
        return np.zeros(len(directions), dtype=np.int64)
    sums = np.zeros((len(units), directions.shape[1]), np.float32)
    np.add.at(sums, members, directions)
    centres = _unit(sums)
    candidates = _candidates(len(units))
    divided = [_divide(centres, number, seed) for number in candidates]
    best = max(divided, key=lambda found: _silhouette(centres, found, seed))
    return _by_size(best[members])


def halve(directions: np.ndarray) -> np.ndarray:
    """Return which photos of a group are of its second half, bool (n,), where it falls apart by itself; NumPy only.

    Both halves have a photo at least. Raises ValueError for fewer than two photos.
    """
    if len(directions) < 2:
        raise ValueError(f"Expected two photos or more to part. Received: {len(directions)}.")
    centred = directions - directions.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    second = along > np.median(along)
    for _ in range(ROUNDS):
        if second.all() or not second.any():
            break
        first_mean, second_mean = directions[~second].mean(axis=0), directions[second].mean(axis=0)
        nearer = ((directions - second_mean) ** 2).sum(axis=1) < ((directions - first_mean) ** 2).sum(axis=1)
        if (nearer == second).all():
            break
        second = nearer
    if second.all() or not second.any():
        # All alike: any half is as good as another.
        second = np.arange(len(directions)) >= len(directions) // 2
    # The one that the person has seen first stays what it is called.
    return ~second if second[0] else second


def _candidates(units: int) -> list[int]:
    most = min(MOST_GROUPS, units // PHOTOS_A_GROUP)
    return sorted({max(2, round(most * share)) for share in (0.2, 0.35, 0.5, 0.75, 1.0)})


def _divide(centres: np.ndarray, number: int, seed: int) -> np.ndarray:
    from sklearn.cluster import AgglomerativeClustering, KMeans

    if len(centres) > COMPARED:
        return np.asarray(KMeans(number, n_init=1, random_state=seed).fit_predict(centres))
    return np.asarray(AgglomerativeClustering(number, linkage="ward").fit_predict(centres))


def _silhouette(centres: np.ndarray, found: np.ndarray, seed: int) -> float:
    from sklearn.metrics import silhouette_score

    sample = JUDGED if len(centres) > JUDGED else None
    return float(silhouette_score(centres, found, sample_size=sample, random_state=seed))


def _by_size(found: np.ndarray) -> np.ndarray:
    order = np.argsort(-np.bincount(found), kind="stable")
    return np.argsort(order)[found]


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors, dtype=np.float32), where=lengths > 0)
    return np.asarray(unit, dtype=np.float32)
