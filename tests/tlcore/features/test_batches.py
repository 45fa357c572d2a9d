"""Batches from cached tensors: every image once an epoch, and the same again for the same seed and epoch."""

import numpy as np

from tlcore.features.batches import CachedBatches

IMAGES, VIEWS = 10, 3


def batches(seed=7, epoch=1, shuffle=True, batch_size=4):
    """Feed tensors in which every row holds its own number; image i has the rows 3 i, 3 i + 1 and 3 i + 2."""
    tensors = [np.arange(IMAGES * VIEWS, dtype=np.float32)[:, None], np.zeros((IMAGES * VIEWS, 2, 2), np.float32)]
    rows = np.arange(IMAGES * VIEWS).reshape(IMAGES, VIEWS)
    return CachedBatches(tensors, rows, np.arange(IMAGES, dtype=np.int32), batch_size, seed, epoch, shuffle)


def drawn(feed):
    """Return the rows and labels of one epoch in the order fed."""
    epoch = [feed[index] for index in range(len(feed))]
    rows = np.concatenate([inputs[0][:, 0] for inputs, _ in epoch]).astype(int)
    return rows.tolist(), np.concatenate([labels for _, labels in epoch]).tolist()


def test_every_image_comes_once_an_epoch_with_its_label():
    feed = batches()
    for _ in range(5):
        rows, labels = drawn(feed)
        assert sorted(labels) == list(range(IMAGES))
        assert [row // VIEWS for row in rows] == labels
        feed.on_epoch_end()
    assert feed.images == IMAGES


def test_the_last_batch_holds_what_is_left():
    feed = batches()
    assert [len(feed[index][1]) for index in range(len(feed))] == [4, 4, 2]
    assert [tensor.shape for tensor in feed[2][0]] == [(2, 1), (2, 2, 2)]


def test_the_same_seed_gives_the_same_batches_and_another_gives_others():
    assert drawn(batches(seed=7)) == drawn(batches(seed=7))
    assert drawn(batches(seed=7)) != drawn(batches(seed=8))


def test_order_and_views_vary_from_epoch_to_epoch():
    feed = batches()
    epochs = []
    for _ in range(12):
        epochs.append(drawn(feed))
        feed.on_epoch_end()
    assert len({tuple(labels) for _, labels in epochs}) == 12
    views_of_image_0 = {rows[labels.index(0)] for rows, labels in epochs}
    assert views_of_image_0 == {0, 1, 2}


def test_a_resumed_feed_sees_what_an_undisturbed_one_would():
    undisturbed, resumed = batches(epoch=1), batches(epoch=1)
    for _ in range(4):
        undisturbed.on_epoch_end()
    resumed.start_at(5)
    for _ in range(3):
        assert drawn(resumed) == drawn(undisturbed)
        resumed.on_epoch_end()
        undisturbed.on_epoch_end()


def test_validation_is_fed_in_order_and_plain():
    feed = batches(shuffle=False)
    for _ in range(2):
        assert drawn(feed) == ([VIEWS * image for image in range(IMAGES)], list(range(IMAGES)))
        feed.on_epoch_end()


def test_a_smaller_batch_feeds_the_same_images_in_the_same_order():
    whole, halved = batches(batch_size=8), batches(batch_size=8)
    halved.resize(3)
    assert halved.batch_size == 3
    assert [len(halved[index][1]) for index in range(len(halved))] == [3, 3, 3, 1]
    assert drawn(halved) == drawn(whole)
