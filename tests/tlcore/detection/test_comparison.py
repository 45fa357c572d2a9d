import math

import numpy as np
import pytest

from tlcore.detection.comparison import list_sightings, measure_spread, precision_of
from tlcore.detection.found import Drawn, Found, average_precision

PHOTOS, KINDS = 30, 3
NOTHING = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


def draw(chance, count):
    corner = chance.uniform(0, 0.7, (count, 2))
    return np.concatenate([corner, corner + 0.2], axis=1).astype(np.float32)


def see(chance, drawn, found_share):
    """Return what a detector finds that sees a share of the objects, a little beside them, and others in vain."""
    seen = chance.random(len(drawn.edges)) < found_share
    edges = np.concatenate([drawn.edges[seen] + 0.02, draw(chance, 1)]).astype(np.float32)
    kinds = np.concatenate([drawn.kinds[seen], chance.integers(0, KINDS, 1)])
    scores = np.sort(chance.random(len(edges)).astype(np.float32))[::-1]
    return Found(edges, scores, kinds)


@pytest.fixture(scope="module")
def drawn():
    chance = np.random.default_rng(0)
    counts = chance.integers(0, 4, PHOTOS)
    return [Drawn(draw(chance, count), chance.integers(0, KINDS, count)) for count in counts]


def sights(drawn, found_share, seed=1):
    chance = np.random.default_rng(seed)
    return [see(chance, each, found_share) for each in drawn]


def test_where_each_photo_counts_once_it_is_the_usual_average_precision(drawn):
    for share in (0.0, 0.5, 1.0):
        found = sights(drawn, share)
        sightings = list_sightings(found, drawn, KINDS)

        assert precision_of(sightings, np.ones(PHOTOS, int)) == average_precision(found, drawn, KINDS)


def test_a_photo_that_counts_twice_is_one_that_is_there_twice(drawn):
    found = sights(drawn, 0.6)
    weights = np.random.default_rng(3).integers(0, 3, PHOTOS)
    places = np.repeat(np.arange(PHOTOS), weights)

    twice = average_precision([found[each] for each in places], [drawn[each] for each in places], KINDS)

    assert precision_of(list_sightings(found, drawn, KINDS), weights) == pytest.approx(twice)


def test_nothing_drawn_has_no_precision(drawn):
    sightings = list_sightings(sights(drawn, 0.5), drawn, KINDS)

    bare = list_sightings([NOTHING], [Drawn(NOTHING.edges, NOTHING.kinds)], 1)

    assert precision_of(sightings, np.zeros(PHOTOS, int)) is None
    assert measure_spread(bare, bare, (1, 1), paired=True) == math.inf


def test_the_same_photos_tell_more_than_others(drawn):
    first, second = (list_sightings(sights(drawn, share), drawn, KINDS) for share in (0.6, 0.65))

    paired, apart = (measure_spread(first, second, (PHOTOS, PHOTOS), paired) for paired in (True, False))

    assert measure_spread(first, first, (PHOTOS, PHOTOS), paired=True) == 0
    assert 0 < paired < apart < 0.2
    assert paired == measure_spread(first, second, (PHOTOS, PHOTOS), paired=True)
