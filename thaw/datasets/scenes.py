"""Images that show one scene or object, told by the features that a backbone makes of them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tlcore.photos import P, Photo
from tlcore.splits.near_duplicates import Progress, group, link, spreads

MIN_COSINE = 0.92
SPREAD_SHARE = 0.12
OBJECT_COSINE = 0.88
OBJECT_SPREAD_SHARE = 0.4
# Of two objects that lie alike as well, pixel by pixel.
ALIKE_COSINE = 0.7
ALIKE_PIXELS = 0.9
# Of 0..255, the root of the mean square.
TONE_STEP = 3.0
# Rows that are compared at a time, which feed the processor well.
_ROWS = 256


@dataclass(frozen=True)
class SecondLook:
    """What a second look at photos before plain backgrounds finds.

    Objects, cut out, in the photos at `places`, int64 (m,): their features, float32 (m, channels), and how they look at
    a small size, float32 (m, values), less the grey before which they lie. Nothing at all in the photos at `empty`,
    int64 (k,), which are of the tones of these small pictures, float32 (k, values), 0..255.
    """

    places: np.ndarray
    features: np.ndarray
    small: np.ndarray
    empty: np.ndarray
    tones: np.ndarray


def find_similar(
    features: np.ndarray,
    earlier: int = 0,
    progress: Progress | None = None,
    min_cosine: float = MIN_COSINE,
    spread_share: float = SPREAD_SHARE,
    look: SecondLook | None = None,
) -> list[tuple[int, int]]:
    """Return the pairs (i, j), i < j, that link images whose features, float32 (n, channels), show one scene.

    Pairs are looked for and returned as by `find_near_duplicates`. Two images show one scene if the cosine of their
    features is at least `min_cosine`, and if one less it is at most `spread_share` of what it is between either image
    and the nearest tenth of the set: where all resemble all, only the odd pair is left.

    Measured on pooled features of EfficientNet-Lite0 (the photographs of `find_near_duplicates`) at 96 and 224 px:
    two different photographs never exceed 0.81, and 98 and 97% of the alterations come to their original, crops of
    8% mostly included. Of the 1,797 digits 5 are linked, where 0.92 alone would link 848 at 96 px and 1,785 at 224.

    To a backbone all empty pictures are nearly one: pieces of sky of different photographs reach 0.98, more than many
    of their own alterations. With `look`, those where nothing stands out are linked only with one another, and only if
    their tones are also within TONE_STEP.
    """
    count, cosines = len(features), _compare(features)
    limits = spread_share * spreads(count, lambda rows, others: 1 - cosines(rows, others))
    apart = _tell_empty_apart(count, look) if look is not None and len(look.empty) else None

    def near(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        among = cosines(rows, slice(rows.stop))
        if apart:
            np.copyto(among, -1, where=apart(rows))
        return _choose(among, min_cosine, limits[rows], limits)

    return list(link(count, earlier, _ROWS, near, progress))


def find_similar_objects(
    features: np.ndarray,
    look: SecondLook,
    min_cosine: float = OBJECT_COSINE,
    spread_share: float = OBJECT_SPREAD_SHARE,
    min_pixels: float = ALIKE_PIXELS,
) -> list[tuple[int, int]]:
    """Return the pairs that link images of one object before plain backgrounds, whatever these are.

    `features`, float32 (n, channels), are those of whole images. The objects of `look` are compared by their features
    as by `find_similar`, with one another and with the images that have none. Two objects are one, too, where two weak
    signs agree: the cosine of their features is at least ALIKE_COSINE, and that of how they look at a small size at
    least `min_pixels` and, one less it, at most `spread_share` of what it is to the nearest tenth of the objects.

    The limits were chosen on other pictures than those of `benchmarks/leaks.py`, whose figures `docs/data.md` reports:
    of 290 originals there, 14 are not in one group each and 10 are joined with others, where a cosine of 0.84 alone
    left 18 apart and joined 44 with others.
    """
    if len(look.places) == 0:
        return []
    others = np.setdiff1d(np.arange(len(features)), look.places)
    order, first = np.concatenate([others, look.places]), len(others)
    cosines, pixels = _compare(np.concatenate([features[others], look.features])), _compare(look.small)
    limits = spread_share * spreads(len(order), lambda rows, others: 1 - cosines(rows, others))
    pixel_limits = spread_share * spreads(len(look.small), lambda rows, others: 1 - pixels(rows, others))

    def near(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        among, objects = cosines(rows, slice(rows.stop)), slice(rows.start - first, rows.stop - first)
        alike = pixels(objects, slice(objects.stop))
        np.copyto(alike, -1, where=among[:, first:] < ALIKE_COSINE)
        own, other = _choose(among, min_cosine, limits[rows], limits)
        more, with_these = _choose(alike, min_pixels, pixel_limits[objects], pixel_limits)
        return np.concatenate([own, more]), np.concatenate([other, with_these + first])

    pairs = link(len(order), first, _ROWS, near, None)
    return [(int(order[early]), int(order[late])) for early, late in pairs]


def mark_similar(photos: Sequence[P], features: np.ndarray, look: SecondLook | None = None) -> list[P]:
    """Return photos with `similar` set by their pooled features, float32 (n, channels), in the photos' own order.

    With `look`, the objects in them are compared too (`find_similar_objects`), and those that show nothing by their
    tones. Groups that were there stay together. A photo like no other is a group of its own, which tells it from one
    that was never compared.
    """
    pairs = find_similar(features, look=look)
    if look is not None:
        pairs += find_similar_objects(features, look)
    groups = group(len(photos), [*pairs, *_known_pairs(photos)])
    return [replace(photo, similar=photos[key].id) for photo, key in zip(photos, groups, strict=True)]


def _known_pairs(photos: Sequence[Photo]) -> Iterable[tuple[int, int]]:
    """Pair the members of each group that was there; the one that named it may be gone."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for place, photo in enumerate(photos):
        if photo.similar:
            members[photo.similar].append(place)
    return (pair for places in members.values() for pair in pairwise(places))


def _compare(features: np.ndarray) -> Callable[[slice, np.ndarray | slice], np.ndarray]:
    """Return a function of rows and others that returns the cosines between their features."""
    lengths = np.sqrt(np.einsum("ij,ij->i", features, features))
    inverse = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)

    def cosines(rows: slice, others: np.ndarray | slice) -> np.ndarray:
        products: np.ndarray = features[rows] @ features[others].T
        products *= inverse[rows, None]
        products *= inverse[others]
        return products

    return cosines


def _choose(
    among: np.ndarray, least: float, own_limits: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places in `among` of cosines of at least `least` that are within the limits of row and column."""
    own, other = np.nonzero(among >= least)
    kept = 1 - among[own, other] <= np.minimum(own_limits[own], limits[other])
    return own[kept], other[kept]


def _tell_empty_apart(count: int, look: SecondLook) -> Callable[[slice], np.ndarray]:
    """Return a function of rows that says of which images before their end each differs in what it shows, bool.

    One that is empty differs from all that are not, and from the empty ones of other tones.
    """
    tones = np.full(count, -1)
    tones[look.empty] = np.arange(len(look.empty))
    squares = np.einsum("ij,ij->i", look.tones, look.tones)
    most = TONE_STEP**2 * look.tones.shape[1]

    def apart(rows: slice) -> np.ndarray:
        mine, theirs = tones[rows], tones[: rows.stop]
        differ = (mine >= 0)[:, None] != (theirs >= 0)
        own, other = np.flatnonzero(mine >= 0), np.flatnonzero(theirs >= 0)
        of, to = mine[own], theirs[other]
        distances = squares[of, None] + squares[to] - 2 * look.tones[of] @ look.tones[to].T
        differ[np.ix_(own, other)] = distances > most
        return differ

    return apart
