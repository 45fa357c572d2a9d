"""Batches drawn anew every epoch: new views each time, and the same again for the same seed and epoch."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.pictures.corpus import photo
from tlcore.features.batches import FreshBatches
from tlcore.features.compute import list_views
from tlcore.images.augmentation import draw_view
from tlcore.images.pixels import load_pixels
from tlcore.images.recipes import PRESETS
from tlcore.photos import Photo

IMAGES, SIDE = 10, 16
STRONG = PRESETS["strong"]


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    folder, photos = tmp_path_factory.mktemp("pictures"), []
    for number in range(IMAGES):
        file = folder / f"{number}.png"
        photo(number, SIDE, SIDE).save(file)
        photos.append(Photo(f"{number}", "a", "a", f"{number:064x}", SIDE, SIDE, file=str(file)))
    return list_views(photos, 1, "strong", 7)


def batches(views, seed=7, epoch=1, recipe=STRONG):
    """Feed the pixels themselves, labelled by the images' numbers."""
    labels = np.arange(IMAGES, dtype=np.int32)
    return FreshBatches(views, labels, lambda pixels: [pixels], SIDE, recipe, 4, seed, epoch)


def drawn(feed):
    """Return one epoch's pictures, by image, and the order in which they came."""
    epoch = [feed[index] for index in range(len(feed))]
    order = np.concatenate([labels for _, labels in epoch]).tolist()
    pixels = np.concatenate([inputs[0] for inputs, _ in epoch])
    return {number: picture.tobytes() for number, picture in zip(order, pixels, strict=True)}, order


def test_every_image_comes_once_an_epoch_in_a_view_of_that_epoch(views):
    feed = batches(views, epoch=5)
    assert (len(feed), feed.images) == (3, IMAGES)
    pictures, order = drawn(feed)
    assert sorted(order) == list(range(IMAGES))
    for number, view in enumerate(views):
        expected = draw_view(load_pixels(Path(view.photo.file), SIDE), view.photo.content, 5, STRONG, 7)
        assert pictures[number] == expected.tobytes()


def test_order_and_views_are_new_every_epoch(views):
    feed = batches(views)
    epochs = []
    for _ in range(3):
        epochs.append(drawn(feed))
        feed.on_epoch_end()
    assert len({tuple(order) for _, order in epochs}) == 3
    for number in range(IMAGES):
        assert len({pictures[number] for pictures, _ in epochs}) == 3


def test_a_resumed_epoch_is_the_one_of_an_undisturbed_run(views):
    undisturbed, resumed = batches(views), batches(views, epoch=9)
    undisturbed.on_epoch_end()
    resumed.start_at(2)
    assert drawn(undisturbed) == drawn(resumed)
    assert drawn(batches(views, seed=8, epoch=2)) != drawn(resumed)


def test_smaller_batches_hold_the_same_epoch(views):
    feed, smaller = batches(views), batches(views)
    smaller.resize(3)
    assert (smaller.batch_size, len(smaller)) == (3, 4)
    assert drawn(smaller) == drawn(feed)


def test_the_plain_views_come_in_the_images_own_order(views):
    (pixels,), labels = batches(views).plain()
    assert labels.tolist() == list(range(IMAGES))
    for view, found in zip(views, pixels, strict=True):
        np.testing.assert_array_equal(found, load_pixels(Path(view.photo.file), SIDE))


def test_keras_trains_on_them(views):
    inputs = keras.Input((SIDE, SIDE, 3))
    outputs = keras.layers.Dense(IMAGES, activation="softmax")(keras.layers.GlobalAveragePooling2D()(inputs))
    model = keras.Model([inputs], outputs)
    model.compile("adam", "sparse_categorical_crossentropy")
    feed = batches(views)
    history = model.fit(feed, epochs=3, shuffle=False, verbose=0).history
    assert len(history["loss"]) == 3
    assert np.isfinite(history["loss"]).all()
