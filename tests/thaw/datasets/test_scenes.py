"""Images of one scene or object are told by their features, and sets in which all resemble all are not chained."""

import numpy as np

from thaw.datasets.scenes import TONE_STEP, SecondLook, find_similar, find_similar_objects
from tlcore.splits.near_duplicates import group


def scenes(count, copies, noise, channels=200, seed=0):
    chance = np.random.default_rng(seed)
    base = np.abs(chance.normal(size=(count, 1, channels)))
    made = base + noise * chance.normal(size=(count, copies, channels))
    return made.reshape(count * copies, channels).astype(np.float32)


def second_look(places=(), features=None, small=None, empty=(), tones=None):
    """Return a second look; objects that are given without their small pictures have none in common."""
    features = np.zeros((len(places), 200), np.float32) if features is None else features
    small = np.random.default_rng(5).normal(size=(len(places), 48)) if small is None else small
    tones = np.zeros((len(empty), 48)) if tones is None else tones
    return SecondLook(
        np.array(places, np.int64),
        features,
        small.astype(np.float32),
        np.array(empty, np.int64),
        tones.astype(np.float32),
    )


def at_cosine(one, other, cosine):
    """Return a vector of length 1 in the plane of two, at this cosine to the first."""
    one = one / np.linalg.norm(one)
    across = other - (other @ one) * one
    return cosine * one + np.sqrt(1 - cosine**2) * across / np.linalg.norm(across)


def test_images_of_one_scene_are_similar_whatever_the_length_of_their_features():
    features = scenes(60, 3, 0.1)
    features[::3] *= 40
    assert np.bincount(group(180, find_similar(features)), minlength=180).tolist() == [3, 0, 0] * 60


def test_different_scenes_and_empty_features_are_not_similar():
    features = scenes(90, 1, 0)
    features[:3] = 0
    assert find_similar(features) == []
    assert find_similar(np.zeros((0, 8), np.float32)) == []


def test_a_set_in_which_all_resemble_all_is_not_chained():
    alike = 20 + scenes(300, 1, 0)
    unit = alike / np.linalg.norm(alike, axis=1, keepdims=True)
    assert (unit @ unit.T).min() > 0.99, "the set does not test what it should"
    assert find_similar(alike) == []
    twin = np.concatenate([alike, alike[5:6] * 1.01])
    assert find_similar(twin) == [(5, 300)]


def test_only_new_features_are_compared_with_all():
    features = scenes(60, 2, 0.1)
    order = [*range(0, 120, 2), *range(1, 120, 2)]
    shuffled = features[order]
    assert find_similar(shuffled, earlier=60) == [(index, index + 60) for index in range(60)]
    assert find_similar(shuffled[:60]) == []


def test_objects_are_compared_with_one_another_and_with_whole_images_that_have_none():
    whole, objects = scenes(80, 1, 0), scenes(20, 1, 0, seed=1)
    places = np.arange(0, 80, 4)
    objects[7] = 2 * objects[3]
    objects[9] = whole[5]
    assert find_similar(whole) == []
    assert sorted(find_similar_objects(whole, second_look(places, objects))) == [(5, 36), (12, 28)]


def test_images_without_objects_are_not_compared_again():
    whole = scenes(40, 2, 0.05)
    assert find_similar_objects(whole, second_look()) == []
    assert find_similar_objects(whole[:0], second_look()) == []


def test_objects_that_all_resemble_one_another_are_not_chained():
    alike = 20 + scenes(300, 1, 0)
    assert find_similar_objects(scenes(300, 1, 0, seed=1), second_look(np.arange(300), alike)) == []


def test_objects_less_alike_are_one_where_their_pixels_agree_too():
    chance = np.random.default_rng(0)
    objects = chance.normal(size=(60, 200)).astype(np.float32)
    small = chance.normal(size=(60, 48)).astype(np.float32)
    for late, cosine, pixels in ((10, 0.72, 0.92), (20, 0.72, 0.85), (30, 0.66, 0.99), (40, 0.90, 0.1)):
        objects[late] = at_cosine(objects[late - 1], objects[late], cosine)
        small[late] = at_cosine(small[late - 1], small[late], pixels)
    look = second_look(np.arange(60), objects, small)
    assert sorted(find_similar_objects(scenes(60, 1, 0, seed=1), look)) == [(9, 10), (39, 40)]


def test_pixels_that_agree_in_all_objects_say_nothing():
    chance = np.random.default_rng(0)
    whole, objects = scenes(100, 1, 0, seed=1), 0.8 + chance.normal(size=(100, 200)) / 2
    outline = 5 + chance.normal(size=(100, 48))
    unit = objects / np.linalg.norm(objects, axis=1, keepdims=True)
    among = (unit @ unit.T)[np.triu_indices(100, 1)]
    assert 0.6 < among.mean() < among.max() < 0.88, "the set does not test what it should"
    assert find_similar_objects(whole, second_look(np.arange(100), objects.astype(np.float32), outline)) == []


def test_empty_images_are_one_scene_only_where_their_tones_are_the_same():
    features, empty = scenes(60, 1, 0), [4, 5, 6, 50]
    features[[5, 6, 50, 7]] = features[4] * 1.01
    tones = 120 + np.array([0, 0.9 * TONE_STEP, 1.1 * TONE_STEP, 60])[:, None] * np.ones(48)
    assert find_similar(features) == [(4, 5), (4, 6), (4, 7), (4, 50)]
    look = second_look(empty=empty, tones=tones)
    assert find_similar(features, look=look) == [(4, 5), (5, 6)]
    assert find_similar(features, look=second_look(empty=[4], tones=tones[:1])) == [(5, 6), (5, 7), (5, 50)]


def test_features_still_tell_empty_images_of_one_tone_apart():
    features = scenes(60, 1, 0)
    assert find_similar(features, look=second_look(empty=[4, 5])) == []
