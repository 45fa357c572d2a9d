"""Images of one scene or object are told by their features, and sets in which all resemble all are not chained."""

import numpy as np

from thaw.datasets.scenes import find_similar, find_similar_objects
from tlcore.splits.near_duplicates import group


def scenes(count, copies, noise, channels=200, seed=0):
    chance = np.random.default_rng(seed)
    base = np.abs(chance.normal(size=(count, 1, channels)))
    made = base + noise * chance.normal(size=(count, copies, channels))
    return made.reshape(count * copies, channels).astype(np.float32)


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
    assert sorted(find_similar_objects(whole, places, objects)) == [(5, 36), (12, 28)]


def test_images_without_objects_are_not_compared_again():
    whole = scenes(40, 2, 0.05)
    assert find_similar_objects(whole, np.zeros(0, np.int64), whole[:0]) == []
    assert find_similar_objects(whole[:0], np.zeros(0, np.int64), whole[:0]) == []


def test_objects_that_all_resemble_one_another_are_not_chained():
    alike = 20 + scenes(300, 1, 0)
    assert find_similar_objects(scenes(300, 1, 0, seed=1), np.arange(300), alike) == []
