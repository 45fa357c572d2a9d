"""Brings a workspace back whose database is lost, damaged or another's: a new one, with rows made from the folders.

Only where a person asks for it. Nothing is deleted: what was there in place of the database goes to quarantine.
"""

from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from thaw.errors import WorkspaceError
from thaw.storage import faults, identity, run_record
from thaw.storage.database import begin_database, begin_lock
from thaw.storage.journal.journal import Journal
from thaw.storage.journal.rebuild_rows import RestoredDataset
from thaw.storage.journal.survey import Gaps, count
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.errors import DatasetError, RunError


@dataclass
class Rebuilt:
    """What came back: data sets, ids of runs, how many data sets and runs got later changes, and where the damaged
    database is now. `problems` are sentences on what could not be read; it is left where it lies."""

    datasets: list[RestoredDataset] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    brought_up: int = 0
    set_aside: Path | None = None
    problems: list[str] = field(default_factory=list)


def rebuild(workspace: Workspace) -> Rebuilt:
    """Make the rows again that the folders tell of and the database does not have.

    A database that is lost, damaged or another workspace's is set aside first, and a new one begun; one that is whole
    stays, and only what it lacks is added. Raises WorkspaceError for what no rebuilding can mend (a full disk, a lock).
    """
    rebuilt = Rebuilt()
    store = _open(workspace, rebuilt)
    found = store.survey()
    store.bring_up(found.behind)
    rebuilt.brought_up = len(found.behind)
    for dataset_id in sorted(found.datasets, key=lambda each: _dataset_number(workspace, each)):
        try:
            rebuilt.datasets.append(store.restore_dataset(dataset_id))
        except DatasetError as problem:
            rebuilt.problems.append(str(problem))
    for run_id in sorted(found.runs, key=lambda each: _run_number(workspace, each)):
        try:
            store.restore_run(run_id)
        except RunError as problem:
            rebuilt.problems.append(str(problem))
        else:
            rebuilt.runs.append(run_id)
    rebuilt.problems += _leftovers(store.survey(), workspace)
    return rebuilt


def tell(rebuilt: Rebuilt) -> list[str]:
    """Say in sentences what came back and what did not."""
    images = count(sum(each.images for each in rebuilt.datasets), "image")
    datasets, runs = count(len(rebuilt.datasets), "data set"), count(len(rebuilt.runs), "run")
    lines = [f"Brought back: {datasets} with {images}, and {runs}."]
    if rebuilt.brought_up:
        lines.append(f"Made up for: later changes to {rebuilt.brought_up:,} of the data sets and runs.")
    for each in rebuilt.datasets:
        if each.missing:
            lines.append(f"Left out of {each.name!r}: {count(each.missing, 'image')} whose file is gone.")
        if each.unread:
            lines.append(f"Lost of {each.name!r}: {count(each.unread, 'change')} that cannot be read in its journal.")
    if rebuilt.set_aside:
        lines.append(f"The database as it was is kept at '{rebuilt.set_aside}'.")
    return lines + rebuilt.problems


def _open(workspace: Workspace, rebuilt: Rebuilt) -> Store:
    try:
        store = Store(workspace)
        store.require_sound()
        return store
    except WorkspaceError as problem:
        if not problem.lost:
            raise
    with faults.explaining(workspace.root), FileLock(begin_lock(workspace)):
        rebuilt.set_aside = identity.set_aside(workspace)
        _keep_uploads(workspace)
        begin_database(workspace)
    return Store(workspace)


def _keep_uploads(workspace: Workspace) -> None:
    """Move uploads to quarantine whose imports nobody remembers now, or a sweep would take them for given up."""
    for folder in (workspace.root / "staging").glob("upload-*"):
        workspace.quarantine.mkdir(mode=0o700, exist_ok=True)
        folder.rename(identity.free_place(workspace, folder.name))


def _dataset_number(workspace: Workspace, dataset_id: str) -> int:
    """Return the place that a data set had among the others, so that they come back in their order."""
    rows = (entry.get("row") for entry in Journal(workspace.journal(dataset_id)).read() if entry)
    first = next((row for row in rows if isinstance(row, dict)), {})
    number = first.get("number")
    return number if isinstance(number, int) else 0


def _run_number(workspace: Workspace, run_id: str) -> int:
    record = run_record.read_record(workspace.record(run_id))
    number = record["run"].get("number") if record else 0
    return number if isinstance(number, int) else 0


def _leftovers(found: Gaps, workspace: Workspace) -> list[str]:
    return [
        f"'{workspace.dataset(each)}' holds photos that nothing tells the classes of. They are left there; add them "
        "again from where they came."
        for each in found.nameless
    ]
