"""What an export holds: the layout of its folder, the record of what was proven, and what may be handed on."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from thaw.storage.workspace import Workspace
from tlcore.errors import RunError
from tlcore.exporting.formats import Signature, Tensor
from tlcore.exporting.model_files import Judged, ModelFile, Proof, list_files, measure_entry
from tlcore.files import remove, remove_abandoned, sync_folder, write_atomically
from tlcore.images.pixels import WIDEST
from tlcore.settings import Task

SCHEMA = 1
# Beside the model files, whose names are in `tlcore.exporting.formats`, and the class names in
# `thaw.storage.workspace.LABELS_FILE`.
EXPORT_FOLDER, RECORD_FILE, README_FILE, SUMS_FILE = "export", "export.json", "README.txt", "SHA256SUMS"
READER_FILE, FINDER_FILE = "read_photo.py", "find_objects.py"
CARD_FILES = ("model_card.md", "model_card.html")
# The earlier export while a newer one takes its place; what an export needs on the way lies in staging.
OLD_FOLDER, WORK_PREFIX = ".export.old", "export-"


@dataclass(frozen=True)
class Export:
    """The record of an export.

    `phase`, `result` (a mark of the weights), `temperature` and `threshold` are those of the model that was exported;
    `reference` says what it was compared with; `versions` of packages, by name. Greys of more than 8 bits are read as
    0..`grey_range`. Of a detector (`task`), `threshold` is how sure it must be of what programs and the service show.
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
    task: Task = "classify"
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
