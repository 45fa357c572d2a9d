"""Feeds training batch by batch, the same for the same seed: from cached tensors, one view an image and epoch, or from
views that are drawn anew every epoch and run through the frozen part."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tlcore.features.compute import DECODING_THREADS, View
from tlcore.features.read_ahead import read_ahead_of
from tlcore.images.augmentation import draw_view
from tlcore.images.pixels import load_pixels
from tlcore.images.recipes import Recipe
from tlcore.models.backend import keras
from tlcore.models.plan import Forward

# In how many pieces what is read ahead is asked for.
PIECES = 4


class Batches(keras.utils.PyDataset):
    """Batches of (tensors, labels) for one `fit`, which may become smaller between epochs."""

    def __init__(self, labels: np.ndarray, batch_size: int, seed: int) -> None:
        super().__init__(workers=0)
        self._labels, self._batch_size, self._seed = labels, batch_size, seed

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

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)


class CachedBatches(Batches):
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
        super().__init__(labels, batch_size, seed)
        self._tensors, self._rows, self._epoch, self._shuffle = tensors, rows, epoch, shuffle
        self._ahead = read_ahead_of(tensors, len(rows))
        self._begin()

    def start_at(self, epoch: int) -> None:
        """Draw the order and views of epoch number `epoch`, from which a resumed phase goes on."""
        self._epoch = epoch
        self._begin()

    def plain(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the tensors (images, *shape) of each image's plain view and the labels, in the images' own order."""
        return [np.asarray(tensor[self._rows[:, 0]]) for tensor in self._tensors], self._labels

    def __getitem__(self, index: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return self._next(index * self._batch_size, self._batch_size)

    def _next(self, start: int, count: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        if start == 0:
            # Another pass over what is not shuffled, which nothing else tells of.
            self._restart()
        self._read_ahead(start + count)
        # Waited for, where the disk is behind: read here, each row would bring a multiple of itself.
        while self._coming and self._coming[0][0] < start + count:
            for touched in self._coming.popleft()[1]:
                touched.result()
        return self._pick(self._order[start : start + count])

    def _pick(self, images: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        rows = self._chosen[images]
        return tuple(np.asarray(tensor[rows]) for tensor in self._tensors), self._labels[images]

    def runs(self, count: int) -> Iterator[tuple[tuple[np.ndarray, ...], np.ndarray]]:
        """Yield the epoch's batches, `count` of them end to end at a time."""
        images = count * self._batch_size
        for start in range(0, len(self._order), images):
            yield self._next(start, images)

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order and views."""
        self._epoch += 1
        self._begin()

    def _begin(self) -> None:
        self._order, self._chosen = self._draw()
        self._restart()

    def _restart(self) -> None:
        self._asked = 0
        self._coming: deque[tuple[int, list[Future[None]]]] = deque()
        self._read_ahead(0)

    def _read_ahead(self, place: int) -> None:
        """Have what the epoch wants from a place in its order on read, so far ahead that the disk is never idle."""
        if self._ahead is None:
            return
        first, last = max(place, self._asked), min(place + self._ahead.window, len(self._order))
        # A few rows at a time are not worth a call.
        if last - first >= self._ahead.window // PIECES or (last == len(self._order) and first < last):
            self._coming.append((first, self._ahead.ask(self._chosen[self._order[first:last]])))
            self._asked = last

    def _draw(self) -> tuple[np.ndarray, np.ndarray]:
        images, views = self._rows.shape
        if not self._shuffle:
            return np.arange(images), self._rows[:, 0]
        chance = np.random.default_rng((self._seed, self._epoch))
        return chance.permutation(images), self._rows[np.arange(images), chance.integers(0, views, images)]


class FreshBatches(Batches):
    """Batches of (tensors, labels) for one `fit`, with nothing cached: exact, and as slow as computing features is.

    `views` is the plain view of each image, `labels` float32 or int (images,); `forward` maps uint8
    (n, image_size, image_size, 3) to the tensors at the cut. Epoch e draws its order from (seed, e) alone and its
    views from (seed, e, image content) alone, so that a resumed run sees what an undisturbed one would have seen.
    """

    def __init__(
        self,
        views: Sequence[View],
        labels: np.ndarray,
        forward: Forward,
        image_size: int,
        recipe: Recipe,
        batch_size: int,
        seed: int,
        epoch: int,
    ) -> None:
        super().__init__(labels, batch_size, seed)
        self._views, self._forward, self._image_size, self._recipe = views, forward, image_size, recipe
        self._pool = ThreadPoolExecutor(DECODING_THREADS)
        self.start_at(epoch)

    def start_at(self, epoch: int) -> None:
        """Draw the order of epoch number `epoch`, from which a resumed phase goes on."""
        self._epoch = epoch
        self._order = np.random.default_rng((self._seed, epoch)).permutation(self.images)

    def plain(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the tensors (images, *shape) of each image's plain view and the labels, in the images' own order."""
        starts = range(0, self.images, self._batch_size)
        pieces = [self._compute(range(start, min(start + self._batch_size, self.images)), 0) for start in starts]
        return [np.concatenate(tensors) for tensors in zip(*pieces, strict=True)], self._labels

    def __getitem__(self, index: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        picked = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return tuple(self._compute(picked, self._epoch)), self._labels[picked]

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order and views."""
        self.start_at(self._epoch + 1)

    def _compute(self, picked: Sequence[int] | np.ndarray, epoch: int) -> list[np.ndarray]:
        def pixels(number: int) -> np.ndarray:
            view = self._views[number]
            plain = load_pixels(Path(view.photo.file), self._image_size)
            return draw_view(plain, view.photo.content, epoch, self._recipe, self._seed)

        return self._forward(np.stack(list(self._pool.map(pixels, picked))))
