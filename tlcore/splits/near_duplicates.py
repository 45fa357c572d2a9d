"""Near-duplicates: pairs of images that show the same picture, and the groups that they form; NumPy only."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

MAX_BITS = 24
NARROW_BITS = 4

_WORDS = 4
# Rows that are compared at a time: intermediate results stay within a processor's cache.
_BIT_ROWS = 16
_SAMPLE_ROWS = 256
_SAMPLE = 512

Progress = Callable[[int, int], None]


def find_near_duplicates(
    fingerprints: Sequence[str], earlier: int = 0, progress: Progress | None = None
) -> list[tuple[int, int]]:
    """Return the pairs (i, j), i < j, that link images whose fingerprints differ in at most MAX_BITS of 256 bits.

    A fingerprint is 64 hex digits; "" matches nothing. With `earlier`, that many images were compared before and
    only pairs with one of the others are looked for. Of the pairs that match, those are returned that join what no
    pair before them has joined: enough for `group`, and never more than there are images. `progress(done, total)`
    counts images.

    Measured on 33 photographs, their quarters and 22 alterations of each (3,795 images, 7.1 million pairs): 24 bits
    link no two different pictures (28 bits link 12 pairs, 32 bits 149), and bring 83% of the alterations to their
    original: re-encoding, resizing, brightness, contrast and marks 91 to 100%, crops of 2% most, larger crops few.
    Images whose nearest tenth of the set lies within 3 * MAX_BITS (scikit-learn's digits: 46 bits; photographs: 113)
    resemble too many for that: 24 bits would chain 1,543 of the 1,797 digits. For them NARROW_BITS is the limit,
    which leaves 8 groups, 36 digits in all, 15 in the largest.
    """
    first_of: dict[str, int] = {}
    for index, text in enumerate(fingerprints):
        if text:
            first_of.setdefault(text, index)
    copies = [
        (first_of[text], index) for index, text in enumerate(fingerprints) if text and first_of[text] < index >= earlier
    ]
    known = np.fromiter(first_of.values(), dtype=np.int64)
    words = np.frombuffer(bytes.fromhex("".join(first_of)), dtype=np.uint64).reshape(-1, _WORDS)

    def distances(rows: slice, others: np.ndarray) -> np.ndarray:
        return np.bitwise_count(words[rows, None] ^ words[others]).sum(axis=2, dtype=np.uint16)

    limits = np.where(spreads(len(words), distances) >= 3 * MAX_BITS, MAX_BITS, NARROW_BITS)

    def near(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        # The middle rows of a picture differ the most, so that half of the bits already rule out nearly all pairs.
        part, rest = words[rows], words[: rows.stop]
        bits = np.bitwise_count(part[:, None, 1] ^ rest[:, 1]) + np.bitwise_count(part[:, None, 2] ^ rest[:, 2])
        own, other = np.nonzero(bits <= MAX_BITS)
        whole = np.bitwise_count(part[own] ^ rest[other]).sum(axis=1, dtype=np.uint16)
        kept = whole <= np.minimum(limits[rows][own], limits[other])
        return own[kept], other[kept]

    start = int(np.searchsorted(known, earlier))
    pairs = [(int(known[i]), int(known[j])) for i, j in link(len(words), start, _BIT_ROWS, near, progress)]
    return copies + pairs


def group(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Return the group of each of `count` images that `pairs` link, directly or in a chain: its smallest index."""
    parents = list(range(count))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    linked: set[int] = set()
    for pair in pairs:
        low, high = sorted(map(root, pair))
        parents[high] = low
        linked.update(pair)
    # Most images are linked to none, and are groups of their own already.
    for index in linked:
        parents[index] = root(index)
    return parents


def spreads(count: int, distances: Callable[[slice, np.ndarray], np.ndarray]) -> np.ndarray:
    """Return how far each image is from the nearest tenth of a sample of the set (20 images at least, or half).

    So many, that an image's own near-duplicates are not what is measured. Of each image and not of the set, so that
    drawings among photographs do not hide behind them.
    """
    if count == 0:
        return np.zeros(0)
    sample = np.unique(np.linspace(0, count - 1, _SAMPLE).astype(np.int64))
    rank = max(len(sample) // 10, min(20, len(sample) // 2))
    return np.concatenate(
        [
            np.partition(distances(slice(start, start + _SAMPLE_ROWS), sample), rank, axis=1)[:, rank]
            for start in range(0, count, _SAMPLE_ROWS)
        ]
    )


def link(
    count: int,
    first: int,
    at_a_time: int,
    near: Callable[[slice], tuple[np.ndarray, np.ndarray]],
    progress: Progress | None,
) -> Iterator[tuple[int, int]]:
    """Yield those of the pairs below `near`'s limit, from row `first` on, that join two groups."""
    groups = np.arange(count)
    for start in range(first, count, at_a_time):
        rows = slice(start, min(start + at_a_time, count))
        own, other = near(rows)
        index = own + start
        useful = (other < index) & (groups[index] != groups[other])
        for late, early in zip(index[useful].tolist(), other[useful].tolist(), strict=True):
            if groups[late] != groups[early]:
                groups[groups == groups[late]] = groups[early]
                yield early, late
        if progress:
            progress(rows.stop, count)
