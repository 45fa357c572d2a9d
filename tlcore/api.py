"""The ten-line API: read photos, split them, train a head, fine-tune, look at the mistakes, export.

Nothing here needs a workspace. What a step computes and might need again lies in a folder that is gone when Python
ends, or in the one that is named.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tlcore.errors import GuardError, SettingsError
from tlcore.evaluation.metrics import Interval, measure_accuracy
from tlcore.evaluation.predictions import VALIDATION, Mistake, Predictions, find_mistakes
from tlcore.exporting.export import export_file
from tlcore.exporting.formats import find_format
from tlcore.exporting.model_files import ModelFile
from tlcore.features.inputs import Materials
from tlcore.files import Arrays, folder_until_exit, scratch_folder
from tlcore.images.pixels import WIDEST, Reader, load_pixels, read_picture
from tlcore.models.backbones import find_backbone, read_backbone, without_pretrained
from tlcore.models.backend import keras
from tlcore.models.classifier import Classifier, assemble
from tlcore.models.layers import describe_layers
from tlcore.models.loading import load_backbone
from tlcore.photo_folder import Photos, read_folder
from tlcore.photos import P
from tlcore.progress import Progress, ignore_progress
from tlcore.settings import Decision, FineTuneSettings, HeadSettings, scratch_settings
from tlcore.splits import splits
from tlcore.splits.groups import GroupRules
from tlcore.splits.splits import Split, recommend_image_size
from tlcore.training import from_scratch, phases, recommendations
from tlcore.training.history import Epoch
from tlcore.training.results import HeadResult, Listener, PhaseResult


@dataclass(frozen=True)
class Trained:
    """A trained model and what it says of the photos that judge it.

    `predictions` are by name of the set: "validation", and "later" and "holdout" where the split has them. `epochs`
    are those of the head and, after fine-tuning, of both phases; `kept` is the one whose `weights` the model has.
    `folder` has the features that were computed.

    Example:
        >>> head.model.input_shape, head.model.output_shape, head.labels
        ((None, 96, 96, 3), (None, 2), ['daisy', 'rose'])
        >>> head.interval.low <= head.accuracy <= head.interval.high
        True
        >>> wrong = head.mistakes()[0]
        >>> wrong.true != wrong.predicted, wrong.confidence > wrong.true_confidence
        (True, True)
    """

    classifier: Classifier
    split: Split[Any]
    predictions: dict[str, Predictions[Any]]
    epochs: list[Epoch]
    kept: Epoch
    settings: HeadSettings
    rules: GroupRules
    weights: Arrays
    folder: Path

    @property
    def model(self) -> keras.Model:
        """Return the whole model: uint8 (n, image_size, image_size, 3), RGB, to float32 probabilities (n, classes);
        (n, 1) with a sigmoid."""
        return self.classifier.model

    @property
    def labels(self) -> list[str]:
        """Return the class names in the order of the model's outputs."""
        return self.classifier.labels

    @property
    def image_size(self) -> int:
        """Return the side in pixels of the square that the model sees."""
        return self.classifier.image_size

    @property
    def accuracy(self) -> float:
        """Return the share of validation photos that the model gets right, in 0..1."""
        return self.predictions[VALIDATION].accuracy

    @cached_property
    def interval(self) -> Interval:
        """Return the accuracy between its 95% bounds, by a bootstrap over groups of near-duplicates."""
        return measure_accuracy(self.predictions[VALIDATION])

    def mistakes(self, side: str = VALIDATION) -> list[Mistake]:
        """List the misclassified photos of a set, the surest mistakes first."""
        return find_mistakes(self.predictions[side])

    def predict(self, pictures: str | Path | Sequence[str | Path]) -> np.ndarray:
        """Return float32 (n, classes) for files of pictures, read as the photos were that the model learnt from.

        Raises ImageRejected for a file that is no picture.
        """
        files = [pictures] if isinstance(pictures, str | Path) else pictures
        pixels = read_pixels(files, self.image_size, self.classifier.grey_range, self.split.read)
        return self.classifier.predict(pixels)


def read_photos(
    folder: str | Path,
    copies: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    read: Reader = read_picture,
) -> Photos:
    """Read a folder that has one sub-folder for each class; files that are no photos are listed in `set_aside`.

    Each photo is decoded once, turned upright, and kept as a copy of at most 640 pixels in `copies`, by `read`: unless
    another is given, it reads what Pillow does, and HEIC. `progress` is called with how many files are done, and of
    how many. Raises DatasetError where there is no photo.

    Example:
        >>> photos = read_photos("flowers")
        >>> len(photos), photos.classes, photos.set_aside
        (80, {'daisy': 40, 'rose': 40}, ())
        >>> photos[0].label, photos[0].name
        ('daisy', 'daisy/0.png')
    """
    target = Path(copies) if copies else folder_until_exit()
    return read_folder(Path(folder), target, progress or (lambda done, total: None), read)


def read_pixels(
    pictures: Sequence[str | Path], image_size: int, grey_range: int = WIDEST, read: Reader = read_picture
) -> np.ndarray:
    """Read pictures as a model sees them: uint8 (n, image_size, image_size, 3), RGB.

    `read` is what photos are read by, like that of `read_photos`; greys of more than 8 bits are brought to 0..255 from
    0..`grey_range`. Raises ImageRejected for a file that is none.

    Example:
        >>> read_pixels(["flowers/rose/0.png"], 96).shape
        (1, 96, 96, 3)
    """
    with scratch_folder("read") as folder:
        # Through the copy that would be kept of a photo: a model is to see the same pixels as when it learnt.
        copies = (read(Path(each), folder / "copy", grey_range).file for each in pictures)
        return np.stack([load_pixels(copy, image_size) for copy in copies])


def split(
    photos: Sequence[P], validation: float = 0.2, seed: int = 0, later: float = 0.0, rules: GroupRules | None = None
) -> Split[P]:
    """Hold out about `validation` (0.05..0.5) of each class; copies and near-duplicates stay on one side.

    `later` (0..0.5) of each class's dated photos, the newest, are kept for evaluation alone; `rules` group photos of
    one subject or burst. The same photos and seed give the same split, and photos that are added later move nearly
    none of the others. Raises DatasetError where the photos cannot be divided.

    Example:
        >>> parts = split(photos, validation=0.25)
        >>> len(parts.training), len(parts.validation), parts.labels
        (60, 20, ['daisy', 'rose'])
    """
    parts = splits.split(photos, validation, seed, rules, later)
    return replace(parts, grey_range=photos.grey_range, read=photos.read) if isinstance(photos, Photos) else parts


def train_head(
    split: Split[P],
    backbone: str = "efficientnet-lite0",
    *,
    rules: GroupRules | None = None,
    folder: str | Path | None = None,
    progress: Progress = ignore_progress,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> Trained:
    """Phase 1: train a head on the features that a frozen backbone with ImageNet weights makes of the photos.

    `settings` are fields of `tlcore.settings.HeadSettings`: `epochs`, `learning_rate`, `augmentation` and so on. Where
    no `image_size` is given it is what suits the photos. Features are kept in `folder`. `rules` are those of the split.
    Raises SettingsError, BackboneError or WeightsError, with the remedy.

    Example:
        >>> head = train_head(parts, "efficientnet-lite0", epochs=20)
        >>> head.predictions["validation"].probabilities.shape
        (20, 2)
    """
    row = read_backbone(backbone)
    if row.fresh:
        raise SettingsError(
            f"Expected a backbone with pretrained weights. Received: {row.name!r}. Train it by `train_from_scratch`."
        )
    chosen = HeadSettings(backbone=row.name, **settings)
    return _learn(phases.train_head, split, chosen, rules, folder, progress, callbacks)


def train_from_scratch(
    split: Split[P],
    network: str = "resnet20",
    *,
    rules: GroupRules | None = None,
    folder: str | Path | None = None,
    progress: Progress = ignore_progress,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> Trained:
    """Train all of a network that has no pretrained weights, for images that no network of photos knows.

    `network` is "resnet20" (He et al. 2015, section 4.2), made for small images, or any backbone, without its weights.
    `settings` are fields of `tlcore.settings.HeadSettings` in the place of what `tlcore.settings.scratch_settings`
    advises. There is one phase: what it leaves cannot be fine-tuned. Raises what `train_head` does.

    Example:
        >>> small = train_from_scratch(parts, image_size=32, epochs=2, augmentation="light")
        >>> small.settings.backbone, small.epochs[-1].epoch, small.model.input_shape
        ('resnet20-from-scratch', 2, (None, 32, 32, 3))
    """
    chosen = scratch_settings(without_pretrained(network).name, **settings)
    return _learn(from_scratch.train_from_scratch, split, chosen, rules, folder, progress, callbacks)


def fine_tune(
    head: Trained,
    layers: int | None = None,
    learning_rate: float | None = None,
    *,
    progress: Progress = ignore_progress,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> Trained:
    """Phase 2: train the top `layers` Keras layers of the backbone and the head together, at a far smaller rate.

    BatchNormalization stays frozen. None stands for what suits the photos. `settings` are further fields of
    `tlcore.settings.FineTuneSettings`. Where the result is not better on validation, it is `head` itself. Raises
    GuardError where the settings would wash out what the backbone knows, unless `insist=True`.

    Example:
        >>> tuned = fine_tune(head, layers=4, learning_rate=1e-5, epochs=1)
        >>> tuned.accuracy >= head.accuracy
        True
        >>> tuned.predict("flowers/rose/0.png").shape
        (1, 2)
    """
    row, size = head.classifier.row, head.image_size
    if row.fresh:
        raise SettingsError(
            f"Expected a head on a backbone with pretrained weights. Received: one of {row.title!r}, of which nothing "
            "is frozen. Train it for more epochs, or train a head on a backbone."
        )
    materials = _gather(head.split, head.settings, size, head.rules, head.folder, progress)
    if layers is None:
        layers = recommendations.recommend_depth(describe_layers(row, materials.backbone), size, row.input_size)
    if learning_rate is None:
        learning_rate = recommendations.recommend_learning_rate(head.settings.learning_rate, size, row.input_size)
    chosen = FineTuneSettings(layers=layers, learning_rate=learning_rate, **settings)
    reason = None if chosen.insist else recommendations.refuse_fine_tune(head.epochs, head.settings, chosen)
    if reason:
        raise GuardError(reason)
    listener = Listener(progress)
    result = phases.fine_tune(
        materials, chosen, head.weights, head.epochs, head.kept, folder_until_exit(), listener, callbacks
    )
    better = recommendations.better_phase(head.kept, result.kept) == 2
    return _trained(materials, result, [*head.epochs, *result.epochs], head.folder) if better else head


def export(
    trained: Trained, path: str | Path, format: str | None = None, decision: Decision | None = None
) -> ModelFile:
    """Write a trained model to one file, once a process that knows nothing of it gives the same answers with it.

    The ending says the format: `.onnx`, `.tflite`, `.keras`, or none for a folder with a SavedModel; `format` names
    another one of `tlcore.exporting.formats.FORMATS`, like "litert-int8". `decision` is the temperature and threshold
    that the model is to have inside. Raises RunError where the file answers otherwise; then an earlier one stays.

    Example:
        >>> export(head, "flowers.keras").verdict
        'passed'
    """
    row = find_format(Path(path), format)
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    judged, training = trained.predictions, trained.split.training
    return export_file(trained.classifier, decision or Decision(1), row, judged, training, on_gpu, Path(path))


def _learn(
    train: Callable[..., HeadResult],
    split: Split[P],
    settings: HeadSettings,
    rules: GroupRules | None,
    folder: str | Path | None,
    progress: Progress,
    callbacks: Sequence[keras.callbacks.Callback],
) -> Trained:
    row = find_backbone(settings.backbone)
    size = settings.image_size or recommend_image_size([*split.training, *split.validation], row)
    place = Path(folder) if folder else folder_until_exit()
    materials = _gather(split, settings, size, rules, place, progress)
    result = train(materials, folder_until_exit(), Listener(progress), callbacks)
    return _trained(materials, result, result.epochs, place)


def _gather(
    split: Split[P], settings: HeadSettings, size: int, rules: GroupRules | None, folder: Path, progress: Progress
) -> Materials:
    caches = folder / "features"
    caches.mkdir(parents=True, exist_ok=True)
    loaded = load_backbone(find_backbone(settings.backbone), size, progress)
    return Materials(**vars(loaded), settings=settings, split=split, rules=rules or GroupRules(), caches=caches)


def _trained(materials: Materials, result: PhaseResult, epochs: list[Epoch], folder: Path) -> Trained:
    parts, row, size, settings = materials.split, materials.row, materials.image_size, materials.settings
    model = assemble(row, materials.backbone, result.head, size)
    parts_of = {VALIDATION: parts.validation, **parts.extra}
    judged = {side: Predictions(parts_of[side], parts.labels, shares) for side, shares in result.probabilities.items()}
    classifier = Classifier(
        model, row, materials.backbone, result.head, parts.labels, size, settings.output, parts.grey_range
    )
    return Trained(
        classifier, parts, judged, epochs, result.kept, settings, materials.rules, dict(result.weights), folder
    )
