"""What a phase finds out about itself beside its epochs: what it gave up, what did not fit, what it looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PhaseSeconds:
    """Seconds that a phase took for the features, for training and in all."""

    features: float = 0.0
    training: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Retry:
    """A first epoch of fine-tuning that was given up: its learning rate, the next one to try, and the accuracy (0..1)
    on validation before and after it; None stands for a loss that was no number."""

    rate: float
    next_rate: float
    accuracy_before: float
    accuracy_after: float | None


@dataclass(frozen=True, slots=True)
class MemoryIncident:
    """A batch that did not fit into memory, in which epoch, and the size that training went on with."""

    epoch: int
    batch_size: int
    next_batch_size: int


@dataclass(frozen=True, slots=True)
class FirstBatch:
    """The first training images after normalisation, and the range that the backbone expects (None: it has none)."""

    images: int
    low: float
    high: float
    mean: float
    expected: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class HeadChecks:
    """What is looked at where a head has learnt nothing: how many variables of the backbone trained, the first batch,
    and the images of each class by side of the split."""

    backbone_training: int
    batch: FirstBatch
    training: dict[str, int]
    validation: dict[str, int]


@dataclass(frozen=True, slots=True)
class LayerDrift:
    """How far the moving mean and variance of a BatchNormalization layer lie from the pretrained ones, relative to them
    (Euclidean norms; 0 is no difference)."""

    layer: str
    mean: float
    variance: float
