"""What an export holds: the layout of its folder, the record of what was proven, and what may be handed on."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from thaw.storage.workspace import Workspace
from tlcore.errors import RunError
from tlcore.files import remove, remove_abandoned, sync_folder, write_atomically
from tlcore.images.deep_pictures import WIDEST

SCHEMA = 1
# Beside the model files, whose names are in `tlcore.exporting.formats`, and the class names in
# `thaw.storage.workspace.LABELS_FILE`.
EXPORT_FOLDER, RECORD_FILE, README_FILE, SUMS_FILE = "export", "export.json", "README.txt", "SHA256SUMS"
READER_FILE = "read_photo.py"
CARD_FILES = ("model_card.md", "model_card.html")
# The earlier export while a newer one takes its place; what an export needs on the way lies in staging.
OLD_FOLDER, WORK_PREFIX = ".export.old", "export-"
UNKNOWN = -1
"""The number in `answer` where the model is not sure enough to name a class."""

Verdict = Literal["passed", "warned", "refused"]


@dataclass(frozen=True)
class Tensor:
    """An input or output: its key, its shape with -1 for the number of images, its dtype as NumPy calls it ("string"
    for text), and what the SavedModel calls it inside ("" where no SavedModel was written)."""

    name: str
    shape: list[int]
    dtype: str
    inside: str = ""


@dataclass(frozen=True)
class Signature:
    """What goes in and comes out; `class_names` is an output of the SavedModel alone, the others of every format."""

    inputs: list[Tensor]
    outputs: list[Tensor]


@dataclass(frozen=True)
class Judged:
    """How a file answers on one set of images, beside what the run says of them.

    `disagreements` of `images` have another class first; `largest_difference` is in probability; `accuracy` is the
    file's own, in 0..1, and `accuracy_change` that less the run's.
    """

    side: str
    images: int
    disagreements: int
    largest_difference: float
    accuracy: float
    accuracy_change: float

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

    Of a folder, `sha256` is that of its lines in `SUMS_FILE` and `bytes` the sum over its files. A refused file is
    not kept, so that it has neither; `reason` says why it was refused or is offered with a warning.
    """

    name: str
    file: str
    verdict: Verdict
    reason: str = ""
    sha256: str | None = None
    bytes: int | None = None
    proof: Proof | None = None

    @property
    def offered(self) -> bool:
        """Say whether the file may be handed on."""
        return self.verdict != "refused"


@dataclass(frozen=True)
class Export:
    """The record of an export.

    `phase`, `result` (a mark of the weights), `temperature` and `threshold` are those of the model that was exported;
    `reference` says what it was compared with; `versions` of packages, by name. Greys of more than 8 bits are read as
    0..`grey_range`.
    """

    run: str
    phase: int
    result: str
    created_at: float
    image_size: int
    labels: list[str]
    temperature: float
    threshold: float
    signature: Signature
    formats: list[ModelFile]
    reference: str
    device: str
    seconds: float
    versions: dict[str, str] = field(default_factory=dict)
    grey_range: int = WIDEST
    schema: int = SCHEMA

    @property
    def offered(self) -> list[ModelFile]:
        """Return the formats that may be handed on."""
        return [each for each in self.formats if each.offered]


def export_folder(workspace: Workspace, run_id: str) -> Path:
    """Return where the export of a run lies, once there is one."""
    return workspace.run(run_id) / EXPORT_FOLDER


def work_folder(workspace: Workspace, job_id: str) -> Path:
    """Return where an export keeps what it needs on the way."""
    return workspace.staging(f"{WORK_PREFIX}{job_id}")


def place_export(folder: Path, target: Path) -> None:
    """Put a finished export in place of an earlier one; after a kill in between, `clear_export` puts that one back."""
    old = target.with_name(OLD_FOLDER)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    folder.rename(target)
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def clear_export(workspace: Workspace, run_id: str, job_id: str) -> None:
    """Remove what an export that was killed left behind; the whole export that there is stays, or is put back."""
    put_back(export_folder(workspace, run_id))
    remove_abandoned(workspace.run(run_id))
    remove(work_folder(workspace, job_id))


def put_back(target: Path) -> None:
    """Put an export back that a kill caught while a newer one took its place, or remove it where that one is there."""
    old = target.with_name(OLD_FOLDER)
    if old.is_dir() and not target.exists():
        old.rename(target)
    else:
        remove(old)


def read_export(folder: Path) -> Export | None:
    """Read the record of an export, or return None where the folder holds none.

    Raises RunError for one that a later release wrote.
    """
    path = folder / RECORD_FILE
    if not path.exists():
        return None
    recorded = json.loads(path.read_text(encoding="utf-8"))
    if recorded["schema"] != SCHEMA:
        raise RunError(
            f"Expected an export of schema {SCHEMA}. Received: {recorded['schema']} in {path}. Export the run again."
        )
    signature = Signature(*([Tensor(**each) for each in recorded["signature"][side]] for side in ("inputs", "outputs")))
    formats = [_model_file(each) for each in recorded["formats"]]
    return Export(**recorded | {"signature": signature, "formats": formats})


def write_export(folder: Path, export: Export) -> None:
    """Write the record of an export into its folder."""
    write_atomically(folder / RECORD_FILE, json.dumps(asdict(export), indent=1).encode())


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


def find_changed(folder: Path, export: Export) -> list[str]:
    """Return which offered files are no longer what was proven, or are gone."""
    return [each.file for each in export.offered if measure_entry(folder, each.file)[0] != each.sha256]


def handed_on(folder: Path, export: Export) -> Iterator[str]:
    """Yield every file of an export that a download holds: what was offered, and what lies beside it."""
    models = {each.file for each in export.formats}
    offered = [each.file for each in export.offered]
    beside = [path.name for path in sorted(folder.iterdir()) if path.is_file() and path.name not in models]
    for name in (*offered, *beside):
        yield from list_files(folder, name)


def _model_file(recorded: dict[str, Any]) -> ModelFile:
    proof = recorded["proof"]
    if proof:
        proof = Proof(**proof | {"judged": [Judged(**each) for each in proof["judged"]]})
    return ModelFile(**recorded | {"proof": proof})


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
