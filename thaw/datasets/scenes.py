"""Images that show one scene or object, told by the features that a backbone makes of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from tlcore.photos import P, Photo
from tlcore.splits.near_duplicates import Progress, group, link, spreads

MIN_COSINE = 0.92
SPREAD_SHARE = 0.12
OBJECT_COSINE = 0.84
OBJECT_SPREAD_SHARE = 0.4
# Rows that are compared at a time, which feed the processor well.
_ROWS = 256


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

    limits = spread_share * spreads(len(features), lambda rows, others: 1 - cosines(rows, others))

    def near(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        among = cosines(rows, slice(rows.stop))
        own, other = np.nonzero(among >= min_cosine)
        kept = 1 - among[own, other] <= np.minimum(limits[rows][own], limits[other])
        return own[kept], other[kept]

    return list(link(len(features), earlier, _ROWS, near, progress))


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
