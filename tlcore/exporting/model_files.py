"""The files of an export: what was measured of each, the verdict, and the checksums that vouch for it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Judgement = Literal["passed", "warned", "refused"]


@dataclass(frozen=True)
class Judged:
    """How a file answers on one set of images, beside what the run says of them.

    `disagreements` of `images` have another class first, or other objects; `largest_difference` is in probability;
    `accuracy` is the file's own, in 0..1, of a detector AP50, and `accuracy_change` that less the run's. How far an
    edge of a box is off at most, in pixels of the square that the model sees, is None for a classifier.
    """

    side: str
    images: int
    disagreements: int
    largest_difference: float
    accuracy: float
    accuracy_change: float
    largest_shift_px: float | None = None

    @property
    def agreement(self) -> float:
        """Return the share of the images with the same class first, in 0..1."""
        return 1 - self.disagreements / self.images


@dataclass(frozen=True)
class Proof:
    """What a fresh process measured of a file with that file's own runtime ("onnxruntime 1.31.1").

    `latency_ms` is the median of one image, `batch_ms` of `batch` images at once, from pixels to answer.
    """

    runtime: str
    judged: list[Judged]
    latency_ms: float
    batch_ms: float
    batch: int


@dataclass(frozen=True)
class ModelFile:
    """One format: its file's name in the folder, and whether it may be used.

    Of a folder, `sha256` is that of its lines (`sum_lines`) and `bytes` the sum over its files. A refused file is
    not kept, so that it has neither; `reason` says why it was refused or is offered with a warning.
    """

    name: str
    file: str
    verdict: Judgement
    reason: str = ""
    sha256: str | None = None
    bytes: int | None = None
    proof: Proof | None = None

    @property
    def offered(self) -> bool:
        """Say whether the file may be handed on."""
        return self.verdict != "refused"


def list_files(folder: Path, name: str = "") -> list[str]:
    """Return the files below `folder`, or below its entry `name`, as sorted paths with "/" relative to `folder`."""
    start = folder / name
    found = [start] if start.is_file() else [path for path in start.rglob("*") if path.is_file()]
    return sorted(path.relative_to(folder).as_posix() for path in found)


def sum_lines(folder: Path, names: list[str]) -> str:
    """Return one line for each file, its SHA-256 and its name, as `sha256sum` prints and checks them."""
    return "".join(f"{_digest(folder / name)}  {name}\n" for name in names)


def measure_entry(folder: Path, name: str) -> tuple[str, int]:
    """Return the SHA-256 and the bytes of a file or of a folder of files (see `ModelFile`)."""
    names = list_files(folder, name)
    size = sum((folder / each).stat().st_size for each in names)
    if names == [name]:
        return _digest(folder / name), size
    return hashlib.sha256(sum_lines(folder, names).encode()).hexdigest(), size


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
