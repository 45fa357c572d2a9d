"""Near-duplicates: pairs of images that show the same picture or scene, and the groups that they form; NumPy only."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from tlcore.photos import P, Photo

MAX_BITS = 24
NARROW_BITS = 4
MIN_COSINE = 0.92
SPREAD_SHARE = 0.12
OBJECT_COSINE = 0.84
OBJECT_SPREAD_SHARE = 0.4

_WORDS = 4
# Rows that are compared at a time: intermediate results stay within a processor's cache, or feed it well.
_BIT_ROWS = 16
_FEATURE_ROWS = 256
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

    limits = np.where(_spreads(len(words), distances) >= 3 * MAX_BITS, MAX_BITS, NARROW_BITS)

    def near(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        # The middle rows of a picture differ the most, so that half of the bits already rule out nearly all pairs.
        part, rest = words[rows], words[: rows.stop]
        bits = np.bitwise_count(part[:, None, 1] ^ rest[:, 1]) + np.bitwise_count(part[:, None, 2] ^ rest[:, 2])
        own, other = np.nonzero(bits <= MAX_BITS)
        whole = np.bitwise_count(part[own] ^ rest[other]).sum(axis=1, dtype=np.uint16)
        kept = whole <= np.minimum(limits[rows][own], limits[other])
        return own[kept], other[kept]

    start = int(np.searchsorted(known, earlier))
    pairs = [(int(known[i]), int(known[j])) for i, j in _link(len(words), start, _BIT_ROWS, near, progress)]
    return copies + pairs


def find_similar(
    features: np.ndarray,
    earlier: int = 0,
    progress: Progress | None = None,
    min_cosine: float = MIN_COSINE,
    spread_share: float = SPREAD_SHARE,
) -> list[tuple[int, int]]:
    """Return the pairs (i, j), i < j, that link images whose features, float32 (n, channels), show one scene.

    Pairs are looked for and returned as by `find_near_duplicates`. Two images show one scene if the cosine of their
    features is at least `min_cosine`, and if one less it is at most `spread_share` of what it is between either image
    and the nearest tenth of the set: where all resemble all, only the odd pair is left.

    Measured on pooled features of EfficientNet-Lite0 (the photographs of `find_near_duplicates`) at 96 and 224 px:
    two different photographs never exceed 0.81, and 98 and 97% of the alterations come to their original, crops of
    8% mostly included. Of the 1,797 digits 5 are linked, where 0.92 alone would link 848 at 96 px and 1,785 at 224.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", features, features))
    inverse = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)

    def cosines(rows: slice, others: np.ndarray | slice) -> np.ndarray:
        products = features[rows] @ features[others].T
        products *= inverse[rows, None]
        products *= inverse[others]
        return products

    limits = spread_share * _spreads(len(features), lambda rows, others: 1 - cosines(rows, others))

    def near(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        among = cosines(rows, slice(rows.stop))
        own, other = np.nonzero(among >= min_cosine)
        kept = 1 - among[own, other] <= np.minimum(limits[rows][own], limits[other])
        return own[kept], other[kept]

    return list(_link(len(features), earlier, _FEATURE_ROWS, near, progress))


def find_similar_objects(
    features: np.ndarray,
    places: np.ndarray,
    objects: np.ndarray,
    min_cosine: float = OBJECT_COSINE,
    spread_share: float = OBJECT_SPREAD_SHARE,
) -> list[tuple[int, int]]:
    """Return the pairs that link images of one object before plain backgrounds, whatever these are.

    `features`, float32 (n, channels), are those of whole images; `objects`, float32 (m, channels), those of the objects
    in the images at `places`, int64 (m,), which are compared as by `find_similar` with one another and with the images
    that have none.

    Measured by `benchmarks/leaks.py` on 255 cut-outs before four backgrounds each and 1,000 unlike pictures: copies of
    134.8 originals come to both sides of a split without, 2.3 with it; it joins two pairs of originals and no unlike
    pictures. At a cosine of 0.80 it would be 0.3, with 13 originals and 6 unlike pictures joined wrongly.
    """
    if len(places) == 0:
        return []
    others = np.setdiff1d(np.arange(len(features)), places)
    order = np.concatenate([others, places])
    mixed = np.concatenate([features[others], objects])
    pairs = find_similar(mixed, len(others), min_cosine=min_cosine, spread_share=spread_share)
    return [(int(order[early]), int(order[late])) for early, late in pairs]


def group(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Return the group of each of `count` images that `pairs` link, directly or in a chain: its smallest index."""
    parents = list(range(count))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for pair in pairs:
        low, high = sorted(map(root, pair))
        parents[high] = low
    return [root(index) for index in range(count)]


def mark_similar(
    photos: Sequence[P], features: np.ndarray, places: np.ndarray | None = None, objects: np.ndarray | None = None
) -> list[P]:
    """Return photos with `similar` set by their pooled features, float32 (n, channels), in the photos' own order.

    With `objects`, the objects in the photos at `places` are compared too (`find_similar_objects`). Groups that were
    there stay together. A photo like no other is a group of its own, which tells it from one that was never compared.
    """
    pairs = find_similar(features)
    if places is not None and objects is not None:
        pairs += find_similar_objects(features, places, objects)
    groups = group(len(photos), [*pairs, *_known_pairs(photos)])
    return [replace(photo, similar=photos[key].id) for photo, key in zip(photos, groups, strict=True)]


def _known_pairs(photos: Sequence[Photo]) -> Iterable[tuple[int, int]]:
    """Pair the members of each group that was there; the one that named it may be gone."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for place, photo in enumerate(photos):
        if photo.similar:
            members[photo.similar].append(place)
    return (pair for places in members.values() for pair in pairwise(places))


def _spreads(count: int, distances: Callable[[slice, np.ndarray], np.ndarray]) -> np.ndarray:
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
            np.partition(distances(slice(start, start + _FEATURE_ROWS), sample), rank, axis=1)[:, rank]
            for start in range(0, count, _FEATURE_ROWS)
        ]
    )


def _link(
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
