"""Feeds training from cached tensors: shuffled, one view an image and epoch, the same for the same seed."""

from collections.abc import Sequence

import numpy as np

from tlcore.models.backend import keras


class CachedBatches(keras.utils.PyDataset):
    """Batches of (tensors, labels) for one `fit`.

    `tensors` are memory-mapped arrays (rows, *shape); `rows` int64 (images, views) says where each image's views lie;
    `labels` float32 or int (images,). With `shuffle`, epoch e draws its order and its views from (seed, e) alone, so
    that a resumed run sees what an undisturbed one would have seen.
    """

    def __init__(
        self,
        tensors: Sequence[np.ndarray],
        rows: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        seed: int,
        epoch: int,
        shuffle: bool,
    ) -> None:
        super().__init__(workers=0)
        self._tensors, self._rows, self._labels = tensors, rows, labels
        self._batch_size, self._seed, self._epoch, self._shuffle = batch_size, seed, epoch, shuffle
        self._order, self._chosen = self._draw()

    @property
    def images(self) -> int:
        """Return how many images an epoch holds."""
        return len(self._labels)

    @property
    def batch_size(self) -> int:
        """Return how many images a batch holds; the last one of an epoch may hold fewer."""
        return self._batch_size

    def resize(self, batch_size: int) -> None:
        """Feed batches of `batch_size` images from the next epoch on; their order and views stay the same."""
        self._batch_size = batch_size

    def start_at(self, epoch: int) -> None:
        """Draw the order and views of epoch number `epoch`, from which a resumed phase goes on."""
        self._epoch = epoch
        self._order, self._chosen = self._draw()

    def plain(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the tensors (images, *shape) of each image's plain view and the labels, in the images' own order."""
        return [np.asarray(tensor[self._rows[:, 0]]) for tensor in self._tensors], self._labels

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        picked = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        rows = self._chosen[picked]
        return tuple(np.asarray(tensor[rows]) for tensor in self._tensors), self._labels[picked]

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order and views."""
        self._epoch += 1
        self._order, self._chosen = self._draw()

    def _draw(self) -> tuple[np.ndarray, np.ndarray]:
        images, views = self._rows.shape
        if not self._shuffle:
            return np.arange(images), self._rows[:, 0]
        chance = np.random.default_rng((self._seed, self._epoch))
        return chance.permutation(images), self._rows[np.arange(images), chance.integers(0, views, images)]
