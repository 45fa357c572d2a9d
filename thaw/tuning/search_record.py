"""What a search over backbones, learning rates and augmentations is to try and what its trials reached, kept with the
data set; and the advice that follows."""

import hashlib
import itertools
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tlcore.errors import RunError, SettingsError
from tlcore.files import write_atomically
from tlcore.settings import HeadSettings, Settings
from tlcore.splits.splits import Split

SEARCH_FILE = "search.json"
# Of the file: what another version of Thaw has written otherwise is not read as if it were this.
VERSION = 1
HEAD = HeadSettings()
CAUTION = (
    "The validation photos chose the best trial and judge it too, so that its figure flatters it a little, the more "
    "so the more trials there were. Photos that took no part, a holdout, tell the truth: see the Evaluation page."
)


@dataclass(frozen=True)
class Combination:
    """A backbone, a learning rate and an augmentation that are tried together."""

    backbone: str
    learning_rate: float
    augmentation: str


@dataclass(frozen=True)
class SearchSettings(Settings):
    """A search over every backbone with every augmentation at every rate: a head for each, of at most `epochs` epochs.

    All else is as `HeadSettings` has it. Raises SettingsError as that does.
    """

    backbones: Sequence[str]
    rates: Sequence[float] = (3e-4, HEAD.learning_rate, 3e-3)
    augmentations: Sequence[str] = ("none", "light")
    epochs: int = HEAD.epochs
    seed: int = HEAD.seed

    def __post_init__(self) -> None:
        for name in ("backbones", "rates", "augmentations"):
            if not getattr(self, name):
                raise SettingsError(f"Expected at least one of the {name} to try. Received: none.")
        for each in self.combinations:
            self.head(each)

    @property
    def combinations(self) -> list[Combination]:
        """Return what is to be tried, each once."""
        tried = itertools.product(self.backbones, self.augmentations, self.rates)
        return list(dict.fromkeys(Combination(backbone, rate, recipe) for backbone, recipe, rate in tried))

    def head(self, tried: Combination) -> HeadSettings:
        """Return the settings of a head that learns with a combination."""
        return HeadSettings(**asdict(tried), epochs=self.epochs, seed=self.seed)


@dataclass(frozen=True)
class SearchTrial(Combination):
    """What a head reached on the validation photos: share that is right (0..1) and loss of the best of its `epochs`
    epochs, by least loss; `stopped_early` says that others had got further by then. `seconds` are of the clock, with
    the reading of features."""

    accuracy: float
    loss: float
    best_epoch: int
    epochs: int
    stopped_early: bool
    seconds: float

    @property
    def combination(self) -> Combination:
        return Combination(self.backbone, self.learning_rate, self.augmentation)


@dataclass(frozen=True)
class SearchPlan:
    """All that the figures of trials depend on beside their combinations: those of another plan are not comparable.

    `photos` stands for the photos' content and kinds, and for the side that each is on.
    """

    photos: str
    epochs: int
    seed: int
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Search:
    """A search as it stands: the plan, what was asked for last, and every trial that is finished."""

    plan: SearchPlan
    asked: Sequence[Combination]
    trials: Sequence[SearchTrial] = field(default_factory=list)

    @property
    def missing(self) -> list[Combination]:
        """Return what was asked for and is still to be tried."""
        tried = {trial.combination for trial in self.trials}
        return [each for each in self.asked if each not in tried]


def name_photos(parts: Split) -> str:
    """Name what a split holds: the photos' content and kinds, and on which side each is."""
    sides = {"training": parts.training, "validation": parts.validation}
    held = {side: sorted((photo.content, photo.label) for photo in photos) for side, photos in sides.items()}
    return hashlib.sha256(json.dumps([held, parts.labels]).encode()).hexdigest()[:24]


def rank(trials: Iterable[SearchTrial]) -> list[SearchTrial]:
    """Return trials, best first: by the share that is right and, where that is the same, by the loss."""
    return sorted(trials, key=lambda trial: (-trial.accuracy, trial.loss))


def advise(dataset_id: str, best: SearchTrial, plan: SearchPlan) -> str:
    """Return the command that trains a head with the settings of a trial, for all epochs."""
    words = {
        "backbone": best.backbone,
        "learning-rate": str(best.learning_rate),
        "augmentation": best.augmentation,
        "epochs": str(plan.epochs),
        "seed": str(plan.seed),
    }
    options = " ".join(f"--{name} {shlex.quote(value)}" for name, value in words.items())
    return f"python -m thaw train {shlex.quote(dataset_id)} {options}"


def read_search(folder: Path) -> Search | None:
    """Return the search that the folder of a data set holds, or None before the first.

    Raises RunError for a file that is damaged, or of another version of Thaw.
    """
    path = folder / SEARCH_FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["version"] != VERSION:
            raise ValueError(f"version {kept['version']} of it")
        asked = [Combination(**each) for each in kept["asked"]]
        return Search(SearchPlan(**kept["plan"]), asked, [SearchTrial(**each) for each in kept["trials"]])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as problem:
        raise RunError(
            f"Expected the record of a search in {path}, version {VERSION}. Received: what cannot be read as that "
            f"({problem}). Remove the file to search anew."
        ) from problem


def write_search(folder: Path, search: Search) -> None:
    """Keep a search in the folder of its data set, in one durable step."""
    write_atomically(folder / SEARCH_FILE, json.dumps({"version": VERSION} | asdict(search)).encode())
