"""The rows that the store hands out, as frozen dataclasses."""

from dataclasses import dataclass, field
from typing import Any, Literal

from thaw.storage.facts import CheckFacts, Doubt, RunFacts
from thaw.storage.questions import Question
from tlcore.errors import RunError
from tlcore.photos import Photo
from tlcore.progress import Stage
from tlcore.settings import FineTuneSettings, HeadSettings

JobKind = Literal[
    "import",
    "open",
    "check",
    "sort",
    "head",
    "fine_tune",
    "probe",
    "rate_search",
    "search",
    "map",
    "save",
    "export",
    "look_ahead",
    "summarise",
]
WITHOUT_DEVICE: tuple[JobKind, ...] = ("import", "open", "map", "save", "look_ahead", "summarise")
ASKED_BY = "asked_by"
"""Under what the request of a job that waits for the device says who asked for it."""
NOTE = "note"
"""Under what it says the line that the job has left beside its progress."""
JobStatus = Literal["starting", "running", "finished", "stopped", "failed"]
Role = Literal["main", "holdout", "pile"]
EditKind = Literal[
    "add",
    "rename",
    "merge",
    "delete",
    "move",
    "refile",
    "exclude",
    "restore",
    "ignore",
    "group",
    "name",
    "arrange",
    "boxes",
]
LABEL_ERRORS = "label_errors"
"""What a check's facts call the likely label errors."""


@dataclass(frozen=True)
class Image(Photo):
    """An accepted image: a photo and what only the application knows of it.

    `content` is the sha256 of the normalised copy, `suffix` the copy's, ".png" or ".jpg", and `folder` holds it: it is
    named after the import that brought the image. `notes` says what was normalised ("turned upright", "first frame of
    12"). "holdout" images are never trained on; those of the "pile" have no class (their label is "") and wait for
    one; excluded ones take part in nothing. `original` is the sha256 of the original file. `brightness` and `contrast`
    are the mean and standard deviation of its grey (0..255), `sharpness` the variance of its Laplacian, `fingerprint` a
    difference hash of 256 bits in hex ("" where it is nearly uniform).
    """

    suffix: str = ""
    notes: list[str] = field(default_factory=list)
    folder: str = ""
    role: Role = "main"
    excluded: bool = False
    imported_label: str = ""
    original: str = ""
    brightness: float | None = None
    contrast: float | None = None
    sharpness: float | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class Dataset:
    """A data set as it stands: accepted + set aside + ignored + known = files found, over all its imports.

    `classes` counts the images that can be trained on or validated with; `excluded` were taken out by the person,
    `holdout` are kept for evaluation alone, those of the `pile` have no class; `known` files were added again and were
    there already. `version` goes up with every change. `grey_range` is what pictures of more than 8 bits are scaled
    by, None where none has come yet. `edit` is the number of the newest edit and `undone` the time of the latest
    undo, 0 where there was none: they tell what has been changed since this was read. `recorded` is how many bytes its
    journal has: it grows with whatever is written of the data set, what a check measured too.
    """

    id: str
    name: str
    source: str
    created_at: float
    classes: dict[str, int]
    set_aside: int
    ignored: int
    notes: list[str]
    excluded: int = 0
    holdout: int = 0
    known: int = 0
    version: int = 1
    pile: int = 0
    grey_range: int | None = None
    edit: int = 0
    undone: float = 0
    recorded: int = 0

    @property
    def included(self) -> int:
        return sum(self.classes.values())

    @property
    def accepted(self) -> int:
        return self.included + self.excluded + self.holdout + self.pile

    @property
    def found(self) -> int:
        return self.accepted + self.set_aside + self.ignored + self.known


@dataclass(frozen=True)
class Edit:
    """A change that a person made to a data set, or an addition; `detail` says of what, for the words that tell it."""

    number: int
    kind: EditKind
    detail: dict[str, Any]
    created_at: float
    undone_at: float | None


@dataclass(frozen=True)
class Check:
    """What cross-validation on a backbone's features measured of one version of a data set."""

    backbone: str
    version: int
    created_at: float
    facts: CheckFacts


def read_doubts(check: Check | None) -> list[Doubt]:
    """Return the likely label errors that a check kept, the surest first."""
    return list(check.facts.label_errors or ()) if check else []


@dataclass(frozen=True)
class Run:
    """A training run: the settings of both phases, what was measured, and `result_phase`, which is 1 or 2 once there is
    a model. `number` goes up from run to run of a workspace: a clock may have been set back between two of them."""

    id: str
    dataset_id: str
    backbone: str
    head: HeadSettings
    fine_tune: FineTuneSettings | None
    created_at: float
    result_phase: int | None
    facts: RunFacts
    number: int = 0

    def require_classifier(self) -> None:
        """Raise RunError for a run whose model finds objects, where one is wanted that tells classes apart."""
        if self.head.task != "classify":
            raise RunError(
                f"Expected a run that tells classes apart. Received: {self.id!r}, a detector. `evaluate` says how good "
                "it is and `predict` what it finds; the page Find and count does both."
            )

    @property
    def image_size(self) -> int:
        """Return the side in pixels of the square that the backbone sees; raise RunError before phase 1 has begun."""
        if self.facts.image_size is None:
            raise RunError(f"Expected a run whose training has begun. Received: {self.id!r}. Train its head first.")
        return self.facts.image_size


@dataclass(frozen=True)
class Job:
    """A piece of work in a process of its own. `done` of `total` items of `stage`, at `rate` items a second
    (0 while unknown); times are seconds since 1970; `updated_at` is its heartbeat; jobs of a higher `priority` have
    their turn on the device first. While it has a `question` it waits for the person's `answer`. `born` and `heard` are
    when it was made and last heard of by `tlcore.processes.ticking`, `pid_started` is what `start_of` says of its
    process."""

    id: str
    kind: JobKind
    dataset_id: str | None
    run_id: str | None
    request: dict[str, Any]
    status: JobStatus
    stage: Stage
    done: int
    total: int
    rate: float
    created_at: float
    updated_at: float
    pid: int | None
    stop_requested: bool
    error: str | None
    priority: int = 0
    question: Question | None = None
    answer: str | None = None
    pid_started: int | None = None
    born: float = 0.0
    heard: float = 0.0

    @property
    def active(self) -> bool:
        return self.status in ("starting", "running")

    @property
    def asked_by(self) -> str:
        """Return who asked for the job, "" where that is not known: someone at the command line, or the job itself."""
        return str(self.request.get(ASKED_BY, ""))

    @property
    def note(self) -> str:
        """Return the line that the job has left beside its progress, or ""."""
        return str(self.request.get(NOTE, ""))

    @property
    def seconds_left(self) -> float | None:
        """Seconds until this stage is done at the present rate, or None while that is unknown."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None
