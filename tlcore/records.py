"""The rows that the store hands out, as frozen dataclasses."""

from dataclasses import dataclass, field
from typing import Any, Literal

JobKind = Literal["import", "head", "fine_tune"]
JobStatus = Literal["starting", "running", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Image:
    """An accepted image. `name` is where it came from (shown, never opened); `content` is the sha256 of the
    normalised copy; `width` and `height` are the original's, in pixels after EXIF rotation; `suffix` is the
    copy's, ".png" or ".jpg"; `notes` says what was normalised ("turned upright", "first frame of 12")."""

    id: str
    label: str
    name: str
    content: str
    suffix: str
    width: int
    height: int
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SetAside:
    """A file that was found and not accepted, with the reason in plain words."""

    name: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """A finished import: accepted (the sum of `classes`) + set_aside + ignored = files found."""

    id: str
    name: str
    source: str
    created_at: float
    classes: dict[str, int]
    set_aside: int
    ignored: int
    notes: list[str]

    @property
    def accepted(self) -> int:
        return sum(self.classes.values())


@dataclass(frozen=True)
class Run:
    """A training run. `head` and `fine_tune` are settings as JSON; `result_phase` is 1 or 2 once there is a
    model; `facts` are measured: seconds a stage, images per second, versions, device, hashes."""

    id: str
    dataset_id: str
    backbone: str
    head: str
    fine_tune: str | None
    created_at: float
    result_phase: int | None
    facts: dict[str, Any]


@dataclass(frozen=True)
class Epoch:
    """One finished epoch, numbered from 1 through both phases; accuracies in 0..1, time in seconds."""

    epoch: int
    phase: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


@dataclass(frozen=True)
class Job:
    """A piece of work in a process of its own. `done` of `total` items of `stage`, at `rate` items a second
    (0 while unknown); times are seconds since 1970; `updated_at` is its heartbeat."""

    id: str
    kind: JobKind
    dataset_id: str | None
    run_id: str | None
    request: dict[str, Any]
    status: JobStatus
    stage: str
    done: int
    total: int
    rate: float
    created_at: float
    updated_at: float
    pid: int | None
    stop_requested: bool
    error: str | None

    @property
    def active(self) -> bool:
        return self.status in ("starting", "running")

    @property
    def seconds_left(self) -> float | None:
        """Seconds until this stage is done at the present rate, or None while that is unknown."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None
