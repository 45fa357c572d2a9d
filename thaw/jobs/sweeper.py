"""Removes what killed processes left behind. Every temporary name that Thaw writes is known here and nowhere else.

Nothing goes that a living process holds, and nothing that might be somebody's photos or results: the folder of an
import must bear the mark of one that has not ended, and while the folders know more than the database, none is touched.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from thaw.jobs import lifecycle
from thaw.storage.export_record import EXPORT_FOLDER, WORK_PREFIX, put_back
from thaw.storage.identity import holds_files
from thaw.storage.store import Store
from thaw.storage.workspace import DATASET_PREFIX, OPENING, UNFINISHED_FILE, Workspace
from tlcore.errors import DatasetError
from tlcore.files import SCRATCH, remove, remove_abandoned

UPLOAD_ID = re.compile(r"upload-[0-9a-f]{12}")
UPLOAD_STALE_S = 24 * 3600
SAMPLE_PREFIX = "sample-"


def sweep(store: Store) -> None:
    """Remove what is left of processes that are dead. Raises WorkspaceError where the database cannot be read."""
    lifecycle.reconcile(store)
    workspace = store.workspace
    for folder in part_folders(workspace):
        remove_abandoned(folder)
    for folder in (workspace.root / "staging", Path(tempfile.gettempdir())):
        remove_abandoned(folder, SCRATCH)
    _sweep_staging(store)
    _sweep_exports(store)
    _make_up(store)
    if not store.survey().unknown:
        _sweep_imports(store)


def _make_up(store: Store) -> None:
    """End what a kill caught between a journal or record and the database: it was written down, and is made true."""
    found = store.survey()
    store.bring_up(found.behind)
    for dataset_id in found.datasets:
        if (store.workspace.dataset(dataset_id) / UNFINISHED_FILE).exists():
            try:
                with FileLock(store.workspace.job_lock(dataset_id), timeout=0):
                    store.restore_dataset(dataset_id)
            except (Timeout, DatasetError):
                continue


def part_folders(workspace: Workspace) -> list[Path]:
    """Return the folders in which `tlcore.files.replacing` may have left a part; none of those that hold the photos."""
    keras = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    runs = _folders(workspace.root / "runs")
    caches, datasets = _folders(workspace.features), _folders(workspace.root / "datasets")
    own = [workspace.root / name for name in ("downloads", "projects", "features", "runtimes")]
    return [workspace.root, *own, *runs, *caches, *datasets, keras]


def _sweep_staging(store: Store) -> None:
    """Remove from the staging area what no living job reads; imports hold theirs by a lock (`_sweep_imports`)."""
    for folder in _folders(store.workspace.root / "staging"):
        held = next((rule for prefix, rule in STAGED.items() if folder.name.startswith(prefix)), None)
        if held and not held(store, folder):
            remove(folder)


def _job_lives(store: Store, folder: Path) -> bool:
    """Say whether a folder that is called after a job belongs to one that is alive."""
    return folder.name.partition("-")[2] in {job.id for job in store.unfinished_jobs()}


def _upload_lives(store: Store, folder: Path) -> bool:
    """Say whether an upload is being read, or may still go on: someone has touched it within a day."""
    in_use = {Path(job.request["path"]).name for job in store.unfinished_jobs() if job.request.get("path")}
    try:
        fresh = time.time() - folder.stat().st_mtime <= UPLOAD_STALE_S
    except FileNotFoundError:
        # Its import or another sweep has removed it meanwhile.
        return True
    return fresh or folder.name in in_use or not UPLOAD_ID.fullmatch(folder.name)


# How each folder of the staging area is held, by what its name begins with; scratch folders tell their process.
STAGED: Mapping[str, Callable[[Store, Path], bool]] = {
    SAMPLE_PREFIX: _job_lives,
    WORK_PREFIX: _job_lives,
    "upload-": _upload_lives,
    # By a lock, and together with the folder that its photos go to.
    f"{DATASET_PREFIX}-": lambda store, folder: True,
    "thaw-": lambda store, folder: True,
}


def _sweep_exports(store: Store) -> None:
    """Put an export back that a kill caught while a newer one took its place, or remove it where that one is there."""
    if any(job.kind == "export" for job in store.unfinished_jobs()):
        return
    for run in _folders(store.workspace.root / "runs"):
        put_back(run / EXPORT_FOLDER)


def _sweep_imports(store: Store) -> None:
    """Remove what killed imports and openings of projects left. One that is alive holds its lock and is left alone."""
    workspace = store.workspace
    begun = [path.name for path in _folders(workspace.root / "datasets")]
    begun += [path.name for path in _folders(workspace.root / "staging") if path.name.startswith(f"{DATASET_PREFIX}-")]
    for folder_id in dict.fromkeys(begun):
        try:
            with FileLock(workspace.job_lock(folder_id), timeout=0):
                # Asked under the lock: a moment ago the import may have been alive, and have ended well.
                _sweep_import(store, folder_id)
        except Timeout:
            continue


def _sweep_import(store: Store, folder_id: str) -> None:
    folder, staged = store.workspace.dataset(folder_id), store.workspace.staging(folder_id)
    unfinished = (folder / UNFINISHED_FILE).exists()
    if store.has_copies(folder_id):
        (folder / UNFINISHED_FILE).unlink(missing_ok=True)
    elif unfinished or not holds_files(folder):
        remove(folder)
    discard_runs(store, folder_id)
    remove(staged)


def discard_runs(store: Store, folder_id: str) -> None:
    """Remove the folders of runs that the opening of a project put in place and has not recorded."""
    begun = {path.name for path in (store.workspace.staging(folder_id) / OPENING).glob("run-*")}
    for run_id in begun - {run.id for run in store.runs()}:
        remove(store.workspace.run(run_id))


def _folders(place: Path) -> list[Path]:
    try:
        return [Path(each.path) for each in os.scandir(place) if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []
