"""Object detection in a few lines: train a detector on photos with boxes, fine-tune it, find objects on pictures.

Nothing here needs a workspace; what a step computes lies in a folder that is gone when Python ends, or in the one that
is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tlcore.boxes import BoxedPhotos
from tlcore.detection import phases
from tlcore.detection.detector import Detector, assemble_detector
from tlcore.detection.evaluation import Judged, Precisions, judge, measure_precisions
from tlcore.detection.finding import Detection
from tlcore.detection.found import Drawn, Found
from tlcore.detection.inputs import DetectorMaterials
from tlcore.evaluation.predictions import VALIDATION
from tlcore.files import Arrays, folder_until_exit, scratch_folder
from tlcore.models.backbones import find_pretrained, read_backbone
from tlcore.models.backend import keras
from tlcore.models.layers import describe_layers
from tlcore.models.loading import load_backbone
from tlcore.photos import Photo
from tlcore.progress import Progress, ignore_progress
from tlcore.settings import DetectorSettings, detector_fine_tune
from tlcore.splits.boxed_splits import split_boxed
from tlcore.splits.groups import GroupRules
from tlcore.splits.splits import Split
from tlcore.training.history import Epoch
from tlcore.training.recommendations import better_phase, recommend_detector
from tlcore.training.results import Listener

CONFIDENCE = 0.4


@dataclass(frozen=True)
class TrainedDetector:
    """A trained detector and what it finds on the photos that judge it.

    `found` and `drawn` are by name of the set, "validation" among them, in the order of the split. `epochs` are those
    of both phases; `kept` is the one whose `weights` the detector has.

    Example:
        >>> finder.labels, 0 <= finder.precision <= 1
        (['disc', 'square'], True)
        >>> files = [photo.file for photo in boxed.photos[:2]]
        >>> [all(each.label in finder.labels for each in found) for found in finder.predict(files, confidence=0.01)]
        [True, True]
    """

    detector: Detector
    split: Split[Photo]
    boxed: BoxedPhotos
    found: dict[str, list[Found]]
    drawn: dict[str, list[Drawn]]
    epochs: list[Epoch]
    kept: Epoch
    settings: DetectorSettings
    weights: Arrays
    folder: Path

    @property
    def model(self) -> keras.Model:
        """Return the whole model: uint8 (n, image_size, image_size, 3), RGB, to edges in pixels of that square, float32
        (n, places, 4), and scores, float32 (n, places, kinds)."""
        return self.detector.model

    @property
    def labels(self) -> list[str]:
        """Return the kinds of objects in the order of the model's scores."""
        return self.detector.labels

    @property
    def precision(self) -> float:
        """Return AP50 on the validation photos, 0 to 1."""
        return self.kept.val_accuracy

    def measure(self, side: str = VALIDATION) -> Precisions | None:
        """Return AP50 and AP50-95 of pycocotools with their intervals on a set; None where nothing is drawn on it."""
        return measure_precisions(self.found[side], self.drawn[side], self.labels)

    def judge(self, confidence: float = CONFIDENCE, side: str = VALIDATION) -> Judged:
        """Say of every object of a set what became of it: found, missed, taken for another kind; and the false alarms.

        Boxes below `confidence` (0 to 1) are not shown. The `photo` of each outcome is its place in the split.
        """
        return judge(self.found[side], self.drawn[side], self.labels, confidence)

    def predict(
        self, pictures: str | Path | Sequence[str | Path], confidence: float = CONFIDENCE
    ) -> list[list[Detection]]:
        """Return for each file of a picture the objects found on it of at least this confidence, surest first.

        Raises ImageRejected for a file that is no picture.
        """
        files = [pictures] if isinstance(pictures, str | Path) else pictures
        read, found = self.split.read, []
        with scratch_folder("read") as folder:
            for each in files:
                # Through the copy that would be kept of a photo: it is to be seen as when the detector learnt.
                with Image.open(read(Path(each), folder / "copy", self.split.grey_range).file) as picture:
                    found += self.detector.find([picture])
        return [self.detector.name(each.above(confidence)) for each in found]


def train_detector(
    photos: BoxedPhotos,
    backbone: str = "efficientnet-lite0",
    *,
    split: Split[Photo] | None = None,
    rules: GroupRules | None = None,
    folder: str | Path | None = None,
    progress: Progress = ignore_progress,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> TrainedDetector:
    """Phase 1: train a detector's neck and head on the features that a frozen backbone makes of photos with boxes.

    `settings` are fields of `tlcore.settings.DetectorSettings`: `epochs`, `image_size`, `views` and so on. About a
    fifth of the photos judge it, near-duplicates on one side (`rules` make further groups), or those that `split` has.
    Features are kept in `folder`. Raises DatasetError, SettingsError, BackboneError or WeightsError, with the remedy.

    Example:
        >>> finder = train_detector(boxed, image_size=96, epochs=2, views=1)
        >>> finder.model.input_shape, len(finder.found["validation"]) == len(finder.split.validation)
        ((None, 96, 96, 3), True)
    """
    chosen = DetectorSettings(backbone=find_pretrained(read_backbone(backbone).name).name, **settings)
    parts = split or split_boxed(photos, chosen.validation_split, chosen.seed, rules).split
    place = Path(folder) if folder else folder_until_exit()
    materials = _gather(photos, parts, chosen, place, progress)
    result = phases.train_detector(materials, folder_until_exit(), Listener(progress), callbacks)
    return _trained(photos, materials, result, result.epochs, place)


def fine_tune_detector(
    trained: TrainedDetector,
    layers: int | None = None,
    learning_rate: float | None = None,
    *,
    progress: Progress = ignore_progress,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> TrainedDetector:
    """Phase 2: train the top `layers` layers of the backbone with neck and head, at a far smaller rate.

    BatchNormalization stays frozen. None stands for what suits. `settings` are further fields of
    `tlcore.settings.FineTuneSettings`. Where the result is not better on validation, it is `trained` itself.

    Example:
        >>> fine_tune_detector(finder, layers=4, epochs=1).precision >= finder.precision
        True
    """
    chosen = trained.settings
    materials = _gather(trained.boxed, trained.split, chosen, trained.folder, progress)
    depth, rate = recommend_detector(describe_layers(materials.row, materials.tapped), chosen.learning_rate)
    layers, learning_rate = depth if layers is None else layers, learning_rate or rate
    asked = detector_fine_tune(chosen.batch_size, **settings, layers=layers, learning_rate=learning_rate)
    result = phases.fine_tune_detector(
        materials,
        asked,
        trained.weights,
        trained.epochs,
        trained.kept,
        folder_until_exit(),
        Listener(progress),
        callbacks,
    )
    epochs = [*trained.epochs, *result.epochs]
    better = better_phase(trained.kept, result.kept) == 2
    return _trained(trained.boxed, materials, result, epochs, trained.folder) if better else trained


def _gather(
    photos: BoxedPhotos, parts: Split[Photo], settings: DetectorSettings, folder: Path, progress: Progress
) -> DetectorMaterials:
    caches = folder / "features"
    caches.mkdir(parents=True, exist_ok=True)
    loaded = load_backbone(read_backbone(settings.backbone), settings.image_size, progress)
    return DetectorMaterials(**vars(loaded), settings=settings, split=parts, boxes=photos.boxes, caches=caches)


def _trained(
    photos: BoxedPhotos,
    materials: DetectorMaterials,
    result: phases.DetectorResult,
    epochs: list[Epoch],
    folder: Path,
) -> TrainedDetector:
    parts, row, size = materials.split, materials.row, materials.image_size
    model = assemble_detector(row, materials.tapped, result.head, size)
    drawn = {VALIDATION: materials.drawn(parts.validation)}
    drawn |= {name: materials.drawn(each) for name, each in parts.extra.items()}
    detector = Detector(model, row, materials.tapped, result.head, parts.labels, size)
    weights = {name: np.array(array) for name, array in result.weights.items()}
    return TrainedDetector(
        detector, parts, photos, result.found, drawn, epochs, result.kept, materials.settings, weights, folder
    )
