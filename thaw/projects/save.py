"""Saves a project, a data set with its runs, as one zip for another machine: images, JSON and arrays alone."""

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thaw.archives.zips import MAX_ENTRIES, Progress
from thaw.storage.disk_space import require_space
from thaw.storage.store import Store
from thaw.storage.workspace import BOXES_FILE, LABELS_FILE, LAYERS_FILE, SPLIT_FILE
from tlcore import __version__
from tlcore.errors import DatasetError, RunError
from tlcore.files import replacing
from tlcore.progress import Stage

FORMAT = "thaw-project"
# Goes up with every change of what a project holds; a reader refuses what is newer than itself.
SCHEMA = 1
MARK_FILE, MANIFEST_FILE, DATASET_FILE, RUN_FILE = "thaw-project.json", "manifest.json", "dataset.json", "run.json"
RUN_FILES = re.compile(
    r"(?:labels|split|boxes|layers|probe|rates-[12])\.json|(?:head|tuned)\.npz|"
    r"(?:predictions|found)-[12](?:-(?:later|holdout))?\.npz"
)
ALWAYS = (LABELS_FILE, SPLIT_FILE, LAYERS_FILE, "head.npz")
REPORT_EVERY = 50
# The first entry's name follows its fixed header.
_NAME_STARTS = 30


@dataclass(frozen=True)
class Project:
    """What a project holds: the data set, and which of its runs."""

    dataset_id: str
    run_ids: tuple[str, ...]


def list_needed(task: str, phase: int) -> list[str]:
    """List the files without which a run of that task ("classify" or "detect") and result phase is none."""
    said = "found" if task == "detect" else "predictions"
    needed = [*ALWAYS, f"{said}-1.npz", *([BOXES_FILE] if task == "detect" else [])]
    return [*needed, "tuned.npz", f"{said}-2.npz"] if phase == 2 else needed


def choose_contents(store: Store, subject: str) -> Project:
    """Return what a project of `subject` holds: of a run, it and its data set; of a data set, all its finished runs.

    Raises RunError for a run that trains or has no model yet, DatasetError for an id that is neither's.
    """
    if subject.startswith("run-"):
        run = store.run(subject)
        if run.result_phase is None or _busy(store, run.id):
            raise RunError(
                f"Expected a run at rest that has a model. Received: {subject!r}. Wait for the end of its training, or "
                "save its data set alone."
            )
        return Project(run.dataset_id, (run.id,))
    dataset = store.dataset(subject)
    runs = [run for run in store.runs() if run.dataset_id == dataset.id and run.result_phase]
    return Project(dataset.id, tuple(run.id for run in runs if not _busy(store, run.id)))


def measure_project(store: Store, contents: Project) -> int:
    """Return about how many bytes the zip of a project has: that of its files, which do not pack."""
    return sum(path.stat().st_size for _, path in _files(store, contents) if path.exists())


def save_project(
    store: Store,
    subject: str,
    target: Path,
    progress: Progress = lambda stage, done, total: None,
    check_stop: Callable[[], None] = lambda: None,
) -> Project:
    """Write the project of a run or data set to the zip `target`, whole or not at all; return what it holds.

    Nothing of where the photos lay on this machine goes along. Raises DatasetError or RunError where there is nothing
    to save, something of it is missing, or the place cannot be written.
    """
    contents = choose_contents(store, subject)
    if target.suffix.lower() != ".zip" or (target.exists() and not is_project(target)):
        raise RunError(
            f"Expected the name of a new .zip, or of a project to replace. Received: {str(target)!r}. Choose another."
        )
    files = list(_files(store, contents))
    if len(files) > MAX_ENTRIES - 2 * len(contents.run_ids) - 4:
        raise DatasetError(
            f"Expected at most {MAX_ENTRIES:,} files in a project, two for each image. Received: {len(files):,}. "
            "Copy the workspace instead."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        require_space(target.parent, measure_project(store, contents))
        with replacing(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            _write(store, contents, files, _Packer(archive), progress, check_stop)
    except FileNotFoundError as problem:
        raise DatasetError(
            f"Expected every file of the project to be in the workspace. Received: {problem.filename!r} is missing."
        ) from problem
    except PermissionError as problem:
        raise RunError(f"Expected a folder that can be written. Received: {str(target)!r} ({problem}).") from problem
    return contents


def is_project(path: Path) -> bool:
    """Say whether a file is a saved project, by its first entry; what is in it is not believed yet."""
    name = MARK_FILE.encode()
    try:
        with path.open("rb") as file:
            head = file.read(_NAME_STARTS + len(name))
    except OSError:
        return False
    return head.startswith(b"PK\x03\x04") and head.endswith(name)


class _Packer:
    """Puts files into a zip and remembers their hashes. Images and arrays do not pack; the rest is text that does."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.hashes: dict[str, str] = {}

    def add(self, name: str, content: bytes) -> None:
        self.hashes[name] = hashlib.sha256(content).hexdigest()
        kind = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
        self._archive.writestr(name, content, kind)

    def add_json(self, name: str, content: Any) -> None:
        self.add(name, json.dumps(content, allow_nan=False).encode())


def _write(
    store: Store,
    contents: Project,
    files: list[tuple[str, Path]],
    packer: _Packer,
    progress: Progress,
    check_stop: Callable[[], None],
) -> None:
    packer.add_json(MARK_FILE, {"format": FORMAT, "schema": SCHEMA, "thaw": __version__})
    packer.add_json(DATASET_FILE, store.dump_dataset(contents.dataset_id))
    for run_id in contents.run_ids:
        packer.add_json(f"runs/{run_id}/{RUN_FILE}", store.dump_run(run_id))
    for number, (name, path) in enumerate(files, 1):
        packer.add(name, path.read_bytes())
        if number % REPORT_EVERY == 0 or number == len(files):
            progress(Stage.SAVING_PROJECT, number, len(files))
            check_stop()
    packer.add_json(MANIFEST_FILE, {"files": dict(packer.hashes)})


def _files(store: Store, contents: Project) -> Iterator[tuple[str, Path]]:
    """Yield the files of a project that lie in the workspace, by their names in the zip."""
    workspace = store.workspace
    for image in store.every_image(contents.dataset_id):
        yield image_name(image.id, image.suffix), workspace.image(image.folder, image.id, image.suffix)
        yield thumbnail_name(image.id), workspace.thumbnail(image.folder, image.id)
    for run_id in contents.run_ids:
        folder, run = workspace.run(run_id), store.run(run_id)
        kept = {path.name for path in folder.iterdir() if RUN_FILES.fullmatch(path.name)}
        for name in sorted(kept.union(list_needed(run.head.task, run.result_phase or 1))):
            yield f"runs/{run_id}/{name}", folder / name


def image_name(image_id: str, suffix: str) -> str:
    """Name the copy of an image in a project."""
    return f"images/{image_id}{suffix}"


def thumbnail_name(image_id: str) -> str:
    """Name the thumbnail of an image in a project."""
    return f"thumbnails/{image_id}.jpg"


def _busy(store: Store, run_id: str) -> bool:
    job = store.latest_job(run_id)
    return job is not None and job.active
