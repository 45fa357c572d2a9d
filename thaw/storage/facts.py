"""What a run or a check has measured, as typed records that are validated once, where their rows are read."""

import functools
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tlcore.errors import RunError
from tlcore.images.looks import Looks
from tlcore.settings import Decision
from tlcore.training.history import HeadChecks, LayerDrift, MemoryIncident, PhaseSeconds, Retry

# Where msgspec says in its words that a value is, as in "- at `$.head.retries[0].rate`", and what an object lacks.
_PLACE = re.compile(r"`\$\.?([^`]*)`$")
_LACKING = re.compile(r"missing required field `(\w+)`")


@dataclass(frozen=True, slots=True)
class CachedFeatures:
    """The folder below the workspace's features that phase 1 cached its features in, and their number an image."""

    folder: str
    channels: int


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Whether a tracking server was told of the run, and how that went in words."""

    server: str
    sent: bool
    words: str


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """What one phase has measured; None or nothing stands for what it has not, or not yet.

    `best_epoch` is the epoch whose weights were kept; `accuracies` (0..1) are by evaluation set; `features_per_second`
    and `images_per_second` are None where nothing was computed. `drift` is None before it was measured.
    """

    best_epoch: int | None = None
    seconds: PhaseSeconds | None = None
    features_computed: int = 0
    features_per_second: float | None = None
    images_per_second: float | None = None
    accuracies: dict[str, float] = field(default_factory=dict)
    frozen_layers: int | None = None
    unfrozen_from_layer: str | None = None
    precision: str | None = None
    checks: HeadChecks | None = None
    drift: tuple[LayerDrift, ...] | None = None
    retries: tuple[Retry, ...] = ()
    out_of_memory: tuple[MemoryIncident, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run depends on and has measured; None or nothing stands for what it has not, or not yet.

    `class_counts` has images by side of the split and class, `extra_images` by evaluation set beside validation.
    `engine` ran the frozen part; `engine_note` says why not a faster one. `retrained_from`, `branched_from`,
    `warm_start` and `sides_of` are ids of runs: whose data set was learnt from anew, whose phase 1 was copied, whose
    head's weights were begun with and whose split was taken over.
    """

    device: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    image_size: int | None = None
    grey_range: int | None = None
    weights_file: str | None = None
    weights_sha256: str | None = None
    dataset_version: int | None = None
    dataset_sha256: str | None = None
    training_images: int | None = None
    validation_images: int | None = None
    extra_images: dict[str, int] = field(default_factory=dict)
    class_counts: dict[str, dict[str, int]] = field(default_factory=dict)
    class_weights: dict[str, float] | None = None
    kept_parts: bool = False
    seconds_per_image: float | None = None
    features_at_once: int | None = None
    feature_cache: CachedFeatures | None = None
    engine: str | None = None
    engine_note: str | None = None
    head: PhaseFacts = field(default_factory=PhaseFacts)
    fine_tune: PhaseFacts = field(default_factory=PhaseFacts)
    retrained_from: str | None = None
    asked_at_version: int | None = None
    branched_from: str | None = None
    sides_of: str | None = None
    warm_start: str | None = None
    warm_learning_rate: float | None = None
    warm_batch_size: int | None = None
    decision: Decision | None = None
    intended_use: str = ""
    mlflow: Mirrored | None = None

    def phase(self, number: int) -> PhaseFacts:
        """Return what phase 1 or 2 has measured."""
        return self.head if number == 1 else self.fine_tune


@dataclass(frozen=True, slots=True)
class Accuracy:
    """An accuracy (0..1) by cross-validation in so many `folds`, with the bounds of its 95% interval."""

    mean: float
    low: float
    high: float
    folds: int = 0
    accuracies: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """A likely label error as a check keeps it: the image's id, the names of both classes, and the margin."""

    image: str
    given: str
    suggested: str
    margin: float


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """What a check has measured: of folds made at random (`naive`) and of folds that keep groups of near-duplicates
    together. `label_errors` is None where they were not looked for, `looks` where pictures were not looked at."""

    naive: Accuracy
    grouped: Accuracy
    images: int
    groups: int
    grouped_images: int = 0
    image_size: int | None = None
    seed: int | None = None
    weights_sha256: str | None = None
    label_errors: tuple[Doubt, ...] | None = None
    looks: Looks | None = None


@functools.cache
def _decoder(kind: type) -> msgspec.json.Decoder[Any]:
    # Not pydantic's: to load it and build its checks takes 0.13 s of every process that reads a run, a quarter of a
    # retraining; msgspec takes 0.01 s.
    return msgspec.json.Decoder(kind)


def parse_facts(text: str) -> RunFacts:
    """Return the facts in a JSON text; those that are not named here are left out, since a later Thaw may know more.

    Raises ValueError for other kinds of facts than Thaw writes (`name_fault` says which), SettingsError for a decision
    that cannot be.
    """
    facts: RunFacts = _decoder(RunFacts).decode(text)
    return facts


@functools.lru_cache(maxsize=64)
def parse_measures(text: str) -> CheckFacts:
    """Return the facts of a check in a JSON text; raise ValueError for others than Thaw writes (see `name_fault`)."""
    facts: CheckFacts = _decoder(CheckFacts).decode(text)
    return facts


@functools.lru_cache(maxsize=512)
def read_facts(text: str) -> RunFacts:
    """Return the facts in the row of a run; raise RunError for those of other kinds than Thaw writes."""
    try:
        return parse_facts(text)
    except ValueError as problem:
        raise RunError(
            f"Expected facts of a run as Thaw writes them. Received: {name_fault(problem)} of another kind. "
            "Was the database changed by another program? Delete the run on the Disk page, or put a backup back."
        ) from problem


def name_fault(problem: ValueError) -> str:
    """Return where msgspec found the first value of another kind, as names with dots between them."""
    place, lacking = _PLACE.search(str(problem)), _LACKING.search(str(problem))
    parts = re.findall(r"[^.\[\]]+", place[1]) if place else []
    return ".".join(part[:60] for part in [*parts, *(lacking.groups() if lacking else ())]) or "something"
