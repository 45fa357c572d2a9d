"""What a run was asked to do, and when its model is to give an answer: frozen settings, checked when made."""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, Self

from tlcore.errors import SettingsError
from tlcore.images.recipes import PLAIN, Recipe, find_recipe

Output = Literal["softmax", "sigmoid"]
Method = Literal["gradient", "svm"]
ClassWeights = Literal["auto", "on", "off"]
Parts = Literal["theirs", "own"]
Task = Literal["classify", "detect"]
OUTPUTS: tuple[Output, ...] = ("softmax", "sigmoid")
METHODS: tuple[Method, ...] = ("gradient", "svm")
CLASS_WEIGHTS: tuple[ClassWeights, ...] = ("auto", "on", "off")
PARTS: tuple[Parts, ...] = ("theirs", "own")
TASKS: tuple[Task, ...] = ("classify", "detect")
DETECTOR_SIZES_PX = (320, 416, 512)
"""The sizes that are offered to a person, small to large: of objects to be found, and of seconds."""
# The coarsest of a detector's features are so far apart.
DETECTOR_STEP_PX = 32
# Of 20 photos 16 are learnt from, in 2 steps a round: after 30 rounds the loss was still falling by 4% in each.
LEAST_STEPS, MOST_ROUNDS = 400, 150
# The epochs of a detector's phase 2.
ADAPTING_ROUNDS = 20


# Measured on the sample digits: see docs/training.md.
SCRATCH = {
    "epochs": 30,
    "batch_size": 64,
    "learning_rate": 0.1,
    "patience": 15,
    "augmentation": "light-unmirrored",
    "exact": True,
}


class Settings:
    """JSON in and out, and range checks that name the setting, the value and the remedy.

    They are plain: pydantic would add a twentieth of a second to the start of every process, and save twenty lines.
    """

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def _require(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise SettingsError(
                f"Expected {name.replace('_', ' ')} between {low:g} and {high:g}. Received: {name}={value!r}."
            )

    def _require_one_of(self, name: str, allowed: tuple[Any, ...]) -> None:
        value = getattr(self, name)
        if value not in allowed:
            choices = ", ".join(str(choice) for choice in allowed)
            raise SettingsError(f"Expected {name} to be one of: {choices}. Received: {name}={value!r}.")


@dataclass(frozen=True)
class HeadSettings(Settings):
    """Phase 1: the head trains on a frozen backbone.

    `image_size` is in pixels (the side of the square that the backbone sees); None lets Thaw choose it for the data
    set. Adam at 1e-3 and global average pooling follow Keras's guide "Transfer learning & fine-tuning". `method` "svm"
    fits a linear support vector machine in place of gradient steps; `class_weights` "auto" weighs the classes where the
    largest is more than `tlcore.splits.class_weights.UNBALANCED` times the smallest; `later_share` (0 to 0.5) of each
    class's dated photos, the newest, are kept for evaluation alone. `parts` "theirs" leaves the photos of a ready-made
    split on the side where they came in; where none came so, it means nothing.

    `augmentation` is a preset's name or a recipe as text (`tlcore.images.recipes.find_recipe`). `views` (1 to 16) of
    each image are computed once and cached, the first of them the image as it is; with `exact` every epoch draws new
    views instead and computes their features anew. `task` "detect" trains a detector: see `detector`.
    """

    backbone: str = "efficientnet-lite0"
    image_size: int | None = None
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 1e-3
    dropout: float = 0.2
    hidden_units: int = 0
    output: Output = "softmax"
    seed: int = 0
    validation_split: float = 0.2
    augmentation: str = PLAIN
    patience: int = 5
    method: Method = "gradient"
    class_weights: ClassWeights = "auto"
    later_share: float = 0.0
    views: int = 4
    exact: bool = False
    parts: Parts = "theirs"
    task: Task = "classify"

    @property
    def detector(self) -> "DetectorSettings":
        """Return those of the settings that a detector has, which mean there what `DetectorSettings` says."""
        names = [field.name for field in dataclasses.fields(DetectorSettings)]
        return DetectorSettings(**{name: getattr(self, name) for name in names})

    @property
    def recipe(self) -> Recipe:
        """Return what `augmentation` stands for; a support vector machine learns from plain pictures alone."""
        return Recipe() if self.method == "svm" else find_recipe(self.augmentation)

    @property
    def cached_views(self) -> int:
        """Return how many views of each training image are cached."""
        return 1 if self.exact or self.recipe.plain else self.views

    @property
    def draws_anew(self) -> bool:
        """Say whether every epoch draws new views."""
        return self.exact and not self.recipe.plain

    def __post_init__(self) -> None:
        if self.image_size is not None:
            self._require("image_size", 32, 1024)
        self._require("epochs", 1, 1000)
        self._require("batch_size", 1, 1024)
        self._require("learning_rate", 1e-6, 1.0)
        self._require("dropout", 0.0, 0.9)
        self._require("hidden_units", 0, 4096)
        self._require_one_of("output", OUTPUTS)
        self._require("seed", 0, 2**31 - 1)
        self._require("validation_split", 0.05, 0.5)
        find_recipe(self.augmentation)
        self._require("views", 1, 16)
        self._require_one_of("exact", (False, True))
        self._require("patience", 1, 1000)
        self._require_one_of("method", METHODS)
        self._require_one_of("class_weights", CLASS_WEIGHTS)
        self._require_one_of("parts", PARTS)
        self._require("later_share", 0.0, 0.5)
        self._require_one_of("task", TASKS)
        if self.task == "detect":
            # Its ranges are narrower.
            _ = self.detector
        if self.method == "svm" and (self.hidden_units or self.output == "sigmoid"):
            raise SettingsError(
                "Expected a support vector machine without a hidden layer and with the softmax output. Received: "
                f"hidden_units={self.hidden_units}, output={self.output!r}."
            )


def scratch_settings(backbone: str, **chosen: Any) -> HeadSettings:
    """Return the settings with which a network without pretrained weights is trained, `chosen` in the place of what
    suits: more epochs, more patience, a higher rate, and views that are drawn anew in every epoch.

    The views are never mirrored, for a mirrored 3 is no 3; "light" or "strong" mirrors where left and right mean
    nothing. The rate is the highest of the schedule in `tlcore.training.from_scratch`. Raises SettingsError as
    `HeadSettings` does.
    """
    return HeadSettings(**{"backbone": backbone, **SCRATCH, **chosen})


@dataclass(frozen=True)
class DetectorSettings(Settings):
    """Phase 1 of a detector: neck and head learn to find objects in what a frozen backbone makes of photos.

    `image_size` is the side in pixels of the square that photos are fitted into, a multiple of 32: objects of fewer
    than 8 of its pixels are hardly seen. `views` (1 to 16) of each photo are computed once and cached: the photo, its
    mirror image, and crops. Adam, at a rate that grows over the first tenth of the epochs and then falls to nearly
    nothing.
    """

    backbone: str = "efficientnet-lite0"
    image_size: int = 320
    epochs: int = 30
    batch_size: int = 8
    learning_rate: float = 4e-3
    views: int = 4
    seed: int = 0
    validation_split: float = 0.2
    patience: int = 10

    def __post_init__(self) -> None:
        self._require("image_size", 64, 1024)
        if self.image_size % DETECTOR_STEP_PX:
            raise SettingsError(
                f"Expected an image size that is a multiple of {DETECTOR_STEP_PX} pixels. Received: "
                f"image_size={self.image_size}. Choose one of: {', '.join(map(str, DETECTOR_SIZES_PX))}."
            )
        self._require("epochs", 1, 1000)
        self._require("batch_size", 1, 256)
        self._require("learning_rate", 1e-6, 1.0)
        self._require("views", 1, 16)
        self._require("seed", 0, 2**31 - 1)
        self._require("validation_split", 0.05, 0.5)
        self._require("patience", 1, 1000)


def detection_settings(backbone: str, photos: int | None = None, **chosen: Any) -> HeadSettings:
    """Return the settings of a run that trains a detector, `chosen` in the place of what suits.

    Where it is said how many `photos` have boxes, few of them are gone through more often: what a detector learns, and
    the averages of its BatchNormalization, take some hundred steps.
    Raises SettingsError as `DetectorSettings` does, and for a setting that a detector has not.
    """
    start = DetectorSettings(backbone=backbone)
    suits = dataclasses.asdict(start)
    if photos is not None:
        steps = math.ceil(photos * (1 - start.validation_split) / chosen.get("batch_size", start.batch_size))
        suits["epochs"] = min(MOST_ROUNDS, max(start.epochs, math.ceil(LEAST_STEPS / max(1, steps))))
    unknown = sorted(set(chosen) - set(suits))
    if unknown:
        raise SettingsError(
            f"Expected settings that a detector has: {', '.join(sorted(suits))}. "
            f"Received: {', '.join(unknown)}. Leave those out."
        )
    return HeadSettings(**{**suits, **chosen, "task": "detect"})


@dataclass(frozen=True)
class FineTuneSettings(Settings):
    """Phase 2: the top `layers` Keras layers of the backbone train too, at a far smaller rate.

    `layers` and `learning_rate` None let Thaw choose what suits the data set
    (`tlcore.training.recommendations.recommend_depth` and `recommend_learning_rate`: for photos about the last quarter
    of the layers, at 1e-5). `insist` overrides the guards that refuse what would smash the pretrained weights
    (`tlcore.training.recommendations`). `largest_drop` (0 to 1) is the share of phase 1's validation accuracy that the
    first epoch may lose before Thaw goes back and tries once more at a tenth of the rate
    (`tlcore.training.recovery.smashed`); 1 allows everything.
    """

    layers: int | None = None
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float | None = None
    patience: int = 4
    insist: bool = False
    largest_drop: float = 0.1

    def __post_init__(self) -> None:
        if self.layers is not None:
            self._require("layers", 0, 10_000)
        self._require("epochs", 1, 1000)
        self._require("batch_size", 1, 1024)
        if self.learning_rate is not None:
            self._require("learning_rate", 1e-8, 1.0)
        self._require("patience", 1, 1000)
        self._require("largest_drop", 0.0, 1.0)


def detector_fine_tune(batch_size: int, **chosen: Any) -> FineTuneSettings:
    """Return the settings of phase 2 of a detector whose phase 1 had this `batch_size`, `chosen` in the place of what
    suits: its rate falls to nearly nothing, so that it has a fixed number of epochs and the patience of phase 1."""
    suits = {"epochs": ADAPTING_ROUNDS, "batch_size": batch_size, "patience": DetectorSettings.patience}
    return FineTuneSettings(**{**suits, **chosen})


@dataclass(frozen=True)
class Decision:
    """The logits are divided by `temperature`; below `threshold` (0..1) the confidence left is too small to answer.

    `phase` is the model that both were chosen for: those of one phase say nothing of the other's.
    """

    phase: int
    temperature: float = 1.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise SettingsError(f"Expected a temperature above 0. Received: {self.temperature!r}.")
        if not 0 <= self.threshold <= 1:
            raise SettingsError(f"Expected a threshold from 0 to 1. Received: {self.threshold!r}.")
