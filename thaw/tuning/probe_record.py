"""What a depth probe is to try, what it measured so far, and the depth that follows from it; read by pages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from thaw.tuning.epoch_seconds import expected_epoch_seconds
from tlcore.files import write_atomically
from tlcore.settings import Settings

PROBE_FILE = "probe.json"


@dataclass(frozen=True)
class ProbeSettings(Settings):
    """A depth probe: short phase-2 runs at `depths` depths, each cross-validated in `folds` folds.

    At most `images` training images take part, so that the cost has a bound on any data set. `learning_rate` None is
    the one at which phase 2 would start (`tlcore.training.recommendations.recommend_learning_rate`).
    """

    depths: int = 6
    folds: int = 3
    epochs: int = 2
    images: int = 600
    batch_size: int = 16
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        self._require("depths", 2, 50)
        self._require("folds", 2, 20)
        self._require("epochs", 1, 100)
        self._require("images", 10, 1_000_000)
        self._require("batch_size", 1, 1024)
        if self.learning_rate is not None:
            self._require("learning_rate", 1e-8, 1.0)


@dataclass(frozen=True)
class Depth:
    """What the short runs at one depth reached.

    `top` layers were unfrozen; `right` of `images` were classified right while held out; `accuracies` (0..1) has one
    entry a fold; the images form `groups` of near-duplicates, an image alone being one.
    """

    top: int
    accuracies: list[float]
    right: int
    images: int
    groups: int
    seconds: float

    @property
    def accuracy(self) -> float:
        """Return the share of the images that was classified right while held out, in 0..1."""
        return self.right / self.images

    @property
    def standard_error(self) -> float:
        """Return the standard error of the accuracy: sqrt(p (1 - p) / n), as Breiman et al. have it (1984, 3.4.3).

        All held-out predictions count together, since the spread of three folds is itself hardly known. Images of a
        group are right or wrong together, so that n is the number of groups.
        """
        return (self.accuracy * (1 - self.accuracy) / self.groups) ** 0.5


@dataclass(frozen=True)
class Plan:
    """All that the figures of a probe depend on beside the run itself; figures of another plan are not comparable.

    `division` stands for the folds: rules of grouping that change divide the same images in another way.
    """

    tops: list[int]
    images: int
    folds: int
    epochs: int
    batch_size: int
    learning_rate: float
    head_epochs: int
    seed: int
    division: str


@dataclass(frozen=True)
class Probe:
    """A probe as it stands: the plan, and those of its depths that are finished, shallowest first."""

    plan: Plan
    depths: list[Depth] = field(default_factory=list)

    @property
    def missing(self) -> list[int]:
        """Return the depths that are still to be tried."""
        tried = {depth.top for depth in self.depths}
        return [top for top in self.plan.tops if top not in tried]


def list_depths(layers: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """Choose at most `count` depths at which a block begins, spread over the network: 0 first, all layers last.

    `layers` is what `tlcore.models.layers.describe_layers` says; a depth is a number of top layers.
    """
    blocks = [layer["block"] for layer in layers]
    starts = [index for index in range(len(blocks)) if index == 0 or blocks[index] != blocks[index - 1]]
    tops = sorted({0, *(len(layers) - start for start in starts)})
    wanted = [len(layers) * step / (count - 1) for step in range(count)]
    return sorted({min(tops, key=lambda top: abs(top - goal)) for goal in wanted})


def recommend(depths: Sequence[Depth]) -> Depth | None:
    """Return the shallowest depth whose accuracy is within one standard error of the best; None of fewer than two.

    The rule is Breiman et al.'s ("Classification and Regression Trees", 1984, section 3.4.3): of models that the data
    cannot tell apart, the simplest. Here the simplest changes least of what the backbone knows, and trains fastest.
    """
    if len(depths) < 2:
        return None
    best = max(depths, key=lambda depth: (depth.accuracy, -depth.top))
    least = best.accuracy - best.standard_error
    # Accuracies are fractions of whole images: a rounding error must not decide.
    return min((depth for depth in depths if depth.accuracy >= least - 1e-9), key=lambda depth: depth.top)


def depth_costs(
    forward_s: float | None, layers: Sequence[dict[str, Any]], plan: Plan, tops: Sequence[int]
) -> list[float] | None:
    """Estimate the seconds of each depth of a probe, or None while the run has measured no speed."""
    trained = plan.images * (plan.folds - 1)
    costs = [expected_epoch_seconds(forward_s, layers, top, trained, plan.batch_size) for top in tops]
    known = [plan.epochs * cost for cost in costs if cost is not None]
    return known if len(known) == len(costs) else None


def read_probe(folder: Path) -> Probe | None:
    """Return the probe that a run's folder holds, or None before the first."""
    path = folder / PROBE_FILE
    if not path.exists():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    return Probe(Plan(**kept["plan"]), [Depth(**depth) for depth in kept["depths"]])


def write_probe(folder: Path, probe: Probe) -> None:
    """Keep a probe in a run's folder, in one durable step."""
    write_atomically(folder / PROBE_FILE, json.dumps(asdict(probe)).encode())
