"""What a detector's phases learn from: photos with boxes, divided, and the tensors at a cut of each view of them with
the boxes that are to be seen in it, as batches."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tlcore.boxes import Box, corners
from tlcore.detection.found import Drawn
from tlcore.detection.taps import tap
from tlcore.detection.views import Window, choose_window, clip_boxes, draw_window
from tlcore.features.batches import CachedBatches
from tlcore.features.compute import BATCH, View
from tlcore.features.frozen import FrozenPart, Source
from tlcore.features.inputs import Feed
from tlcore.models.backend import keras
from tlcore.models.classifier import Cut, lower_model
from tlcore.models.loading import LoadedBackbone
from tlcore.models.plan import Network
from tlcore.photos import Photo
from tlcore.progress import CheckStop, Progress
from tlcore.settings import DetectorSettings
from tlcore.splits.splits import Split

USED_FOR = "detection"


@dataclass(frozen=True)
class DetectorMaterials(LoadedBackbone):
    """What both phases start from: the backbone, the settings, the photos, divided, and the boxes by a photo's id.

    The split's `labels` are the kinds of objects. Tensors are cached below `caches`.
    """

    settings: DetectorSettings
    split: Split
    boxes: Mapping[str, Sequence[Box]]
    caches: Path

    @cached_property
    def tapped(self) -> keras.Model:
        """The part of the backbone up to its deepest tap; raises BackboneError where it has none."""
        return tap(self.row, self.backbone)

    def drawn(self, photos: Sequence[Photo]) -> list[Drawn]:
        """Return the boxes on photos, with the numbers of their kinds."""
        return [self._draw(photo) for photo in photos]

    def _draw(self, photo: Photo) -> Drawn:
        boxes = self.boxes.get(photo.id, ())
        kinds = [self.split.labels.index(box.label) for box in boxes]
        return Drawn(corners(boxes), np.array(kinds, np.int64))

    def window(self, photo: Photo, view: int) -> Window:
        """Return what of a photo a view shows."""
        settings = self.settings
        return choose_window(photo.width, photo.height, self.image_size, photo.content, view, settings.seed)


class BoxBatches(CachedBatches):
    """Batches of (tensors, boxes) for one `fit`: boxes float32 (n, m, 5), edges in pixels of the square and the number
    of a kind, -1 where there is none.

    `boxes` (images, views, m, 5) are those of each image's views, in the order of `rows`; else as `CachedBatches`.
    """

    def __init__(
        self,
        tensors: Sequence[np.ndarray],
        rows: np.ndarray,
        boxes: np.ndarray,
        batch_size: int,
        seed: int,
        epoch: int,
        shuffle: bool,
    ) -> None:
        self._boxes = boxes
        super().__init__(tensors, rows, np.arange(len(rows)), batch_size, seed, epoch, shuffle)

    def first(self, count: int) -> Iterator[list[np.ndarray]]:
        """Yield the tensors of the plain views of the first `count` images, a batch at a time, in their own order."""
        for start in range(0, count, self._batch_size):
            rows = self._rows[start : min(count, start + self._batch_size), 0]
            yield [np.asarray(tensor[rows]) for tensor in self._tensors]

    def _pick(self, images: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        tensors, _ = super()._pick(images)
        views = (self._rows[images] == self._chosen[images][:, None]).argmax(axis=1)
        return tensors, self._boxes[images, views]


def prepare_box_feed(
    materials: DetectorMaterials,
    cut: Cut,
    batch_size: int,
    first_epoch: int,
    progress: Progress,
    check_stop: CheckStop,
) -> Feed:
    """Compute what the cache lacks of the tensors at `cut` of all views, and feed them as batches of `batch_size`."""
    started = time.perf_counter()
    settings, parts = materials.settings, materials.split
    frozen = freeze_tapped(materials, cut)
    training, validation = list_windows(parts.training, settings), list_windows(parts.validation, settings, 1)
    extra = {name: list_windows(photos, settings, 1) for name, photos in parts.extra.items()}

    def draw(view: View) -> np.ndarray:
        photo = view.photo
        window = materials.window(photo, view.number)
        return draw_window(photo.file, window, photo.content, view.number, settings.seed)

    every_view = [*training, *validation, *(view for views in extra.values() for view in views)]
    missing, at_once = frozen.fill(every_view, "none", settings.seed, progress, check_stop, draw=draw)
    cache = frozen.cache
    tensors = cache.tensors()

    def batches(views: list[View], photos: Sequence[Photo], shuffle: bool) -> BoxBatches:
        rows = cache.rows([view.key for view in views]).reshape(len(photos), -1)
        boxes = _boxes_of(materials, views).reshape(*rows.shape, -1, 5)
        return BoxBatches(tensors, rows, boxes, batch_size, settings.seed, first_epoch, shuffle)

    return Feed(
        training=batches(training, parts.training, shuffle=True),
        validation=batches(validation, parts.validation, shuffle=False),
        extra={name: batches(views, parts.extra[name], shuffle=False) for name, views in extra.items()},
        computed=missing,
        seconds=time.perf_counter() - started,
        seconds_per_image=cache.noted().get("seconds_per_image"),
        cache=cache.folder.name,
        at_once=at_once if at_once < BATCH else None,
        frozen=frozen,
    )


def list_windows(photos: Sequence[Photo], settings: DetectorSettings, count: int | None = None) -> list[View]:
    """List the views of each photo, photo by photo: as many as the settings have, or the first `count`."""
    return [
        View(photo, number, f"{photo.content}:window:{number}" + (f":{settings.seed}" if number > 1 else ""))
        for photo in photos
        for number in range(count or settings.views)
    ]


def freeze_tapped(materials: DetectorMaterials, cut: Cut) -> FrozenPart:
    """Return the part of a tapped backbone below `cut`, with its cache."""

    def plan() -> Network:
        from tlcore.engines.from_keras import plan_cut

        return plan_cut(materials.row, materials.tapped, cut, materials.image_size)

    def lower() -> keras.Model:
        return lower_model(materials.row, materials.tapped, cut, materials.image_size)

    sha256, size, plain = materials.weights_sha256, materials.image_size, materials.row.plain
    return FrozenPart(materials.caches, Source(materials.row, sha256, size, cut, plan, lower, plain, used_for=USED_FOR))


def _boxes_of(materials: DetectorMaterials, views: Sequence[View]) -> np.ndarray:
    """Return the boxes of each view, float32 (views, m, 5)."""
    seen = []
    for view in views:
        (drawn,) = materials.drawn([view.photo])
        edges, kept = clip_boxes(materials.window(view.photo, view.number), drawn.edges)
        seen.append(np.column_stack([edges, drawn.kinds[kept]]))
    most = max(1, *map(len, seen)) if seen else 1
    boxes = np.zeros((len(views), most, 5), np.float32)
    boxes[..., 4] = -1
    for place, each in enumerate(seen):
        boxes[place, : len(each)] = each
    return boxes
