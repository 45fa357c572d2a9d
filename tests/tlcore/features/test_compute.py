"""Computing cached tensors: once for each view, resumable, and whatever the order asked for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from tests.support.pictures.corpus import photo
from tlcore.errors import RunError, Stopped
from tlcore.features.cache import FeatureCache
from tlcore.features.compute import BATCH, compute_features, halve, list_views
from tlcore.images.augmentation import draw_view
from tlcore.images.pixels import load_pixels
from tlcore.images.recipes import LIGHT
from tlcore.photos import Photo

SIDE = 16


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("pictures"), []
    for number in range(2 * BATCH + 5):
        file = folder / f"{number}.png"
        photo(number, SIDE, SIDE).save(file)
        made.append(Photo(f"{number}", "rose", file.name, f"{number:064x}", SIDE, SIDE, file=str(file)))
    return made


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path, {"of": "the test"}, [(SIDE, SIDE, 3), (3,)], ["float32", "float32"])


class Network:
    """Stands for a frozen network, and counts what it was asked to do."""

    def __init__(self):
        self.batches = []

    def __call__(self, pixels):
        assert pixels.dtype == np.uint8
        self.batches.append(len(pixels))
        return [pixels.astype(np.float32), pixels.mean(axis=(1, 2), dtype=np.float32)]


def views_of(photos, count=1, augmentation="none", seed=0):
    return list_views(photos, count, augmentation, seed)


def compute(cache, views, network, augmentation="none", check_stop=lambda: None, told=None):
    def progress(stage, done, total):
        if told is not None:
            told.append((done, total))

    return compute_features(cache, views, network, SIDE, augmentation, 0, progress, check_stop)


def test_each_view_is_computed_once_and_is_what_the_network_said(photos, cache):
    network, views, told = Network(), views_of(photos), []
    compute(cache, views, network, told=told)
    assert network.batches == [BATCH, BATCH, 5]
    assert told == [(0, 69), (32, 69), (64, 69), (69, 69)]
    rows = cache.rows([view.key for view in views])
    for view, pixels, means in zip(views, *(tensor[rows] for tensor in cache.tensors()), strict=True):
        expected = np.asarray(Picture.open(view.photo.file))
        np.testing.assert_array_equal(pixels, expected)
        np.testing.assert_allclose(means, expected.mean(axis=(0, 1)), rtol=1e-5)
    compute(cache, views, network)
    assert network.batches == [BATCH, BATCH, 5]


def test_only_what_is_missing_is_computed(photos, cache):
    network = Network()
    compute(cache, views_of(photos[:10]), network)
    compute(cache, views_of(photos[5:30]), network)
    assert network.batches == [10, 20]


def test_a_stop_keeps_the_batches_that_were_finished(photos, cache):
    network, asked = Network(), []

    def stop_at_the_third():
        asked.append(True)
        if len(asked) == 3:
            raise Stopped

    views = views_of(photos)
    with pytest.raises(Stopped):
        compute(cache, views, network, check_stop=stop_at_the_third)
    keys = [view.key for view in views]
    assert cache.missing(keys) == keys[2 * BATCH :]
    compute(cache, views, network)
    assert network.batches == [BATCH, BATCH, 5]
    assert cache.missing(keys) == []


def test_a_network_that_fails_leaves_the_finished_batches(photos, cache):
    network = Network()

    def fails_later(pixels):
        if len(network.batches) == 1:
            raise MemoryError
        return network(pixels)

    views = views_of(photos)
    with pytest.raises(RunError, match="memory for one image at a time"):
        compute(cache, views, fails_later)
    assert len(cache.missing([view.key for view in views])) == len(views) - BATCH


def test_memory_that_runs_out_halves_what_is_computed_at_once(photos, cache, tmp_path):
    network, views = Network(), views_of(photos)

    def small(pixels):
        if len(pixels) > 10:
            raise MemoryError
        return network(pixels)

    assert compute(cache, views, small) == 8
    assert network.batches == [8] * 8 + [5]
    other = FeatureCache(tmp_path / "other", {}, [(SIDE, SIDE, 3), (3,)], ["float32", "float32"])
    assert compute(other, views, Network()) == BATCH
    rows = [each.rows([view.key for view in views]) for each in (cache, other)]
    for ours, theirs in zip(cache.tensors(), other.tensors(), strict=True):
        np.testing.assert_array_equal(ours[rows[0]], theirs[rows[1]])


def test_the_order_of_the_views_does_not_matter(photos, tmp_path):
    views = views_of(photos)
    found = []
    for name, order in (("one", views), ("other", views[::-1])):
        cache = FeatureCache(tmp_path / name, {}, [(SIDE, SIDE, 3), (3,)], ["float32", "float32"])
        compute(cache, order, Network())
        rows = cache.rows([view.key for view in views])
        found.append([tensor[rows] for tensor in cache.tensors()])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_augmented_views_are_those_of_the_augmentation_and_share_the_plain_one(photos, cache):
    network = Network()
    compute(cache, views_of(photos[:4]), network)
    views = views_of(photos[:4], count=3, augmentation="light")
    compute(cache, views, network, augmentation="light")
    assert network.batches == [4, 8]
    assert len({view.key for view in views}) == 12
    pixels = cache.tensors()[0][cache.rows([view.key for view in views])]
    for view, found in zip(views, pixels, strict=True):
        plain = load_pixels(Path(view.photo.file), SIDE)
        np.testing.assert_array_equal(found, draw_view(plain, view.photo.content, view.number, LIGHT, 0))


def test_views_of_different_recipes_never_mix_and_those_of_one_are_shared(photos):
    def keys(augmentation, count=3):
        return {view.key for view in views_of(photos[:1], count, augmentation)[1:]}

    assert not keys("light") & keys("strong")
    assert not keys("light") & keys("mirror,crop=0.15")
    assert keys("light") == keys(LIGHT.spell())
    assert keys("light") < keys("light", 5)


def test_another_seed_has_its_own_views_and_the_same_plain_one(photos):
    one, other = (views_of(photos[:1], 3, "light", seed) for seed in (1, 2))
    assert one[0].key == other[0].key == photos[0].content
    assert not {view.key for view in one[1:]} & {view.key for view in other[1:]}


def test_the_time_an_image_takes_is_noted_for_few_and_measured_better_with_more(photos, cache):
    assert cache.noted() == {}
    compute(cache, views_of(photos[:3]), Network())
    rough = cache.noted()["seconds_per_image"]
    assert 0 < rough < 1
    compute(cache, views_of(photos[:5]), Network())
    assert cache.noted()["seconds_per_image"] == rough, "two more are no better a measure than the three before"
    compute(cache, views_of(photos[: BATCH + 5]), Network())
    better = cache.noted()["seconds_per_image"]
    assert 0 < better < 1
    assert better != rough
    compute(cache, views_of(photos), Network())
    assert cache.noted()["seconds_per_image"] != rough


def test_a_batch_is_halved_down_to_one_image():
    assert [halve(32), halve(5), halve(2)] == [16, 2, 1]
    with pytest.raises(RunError, match=r"memory for one image at a time.*fewer unfrozen layers"):
        halve(1)
