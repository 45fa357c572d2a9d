"""Deletes what Thaw keeps so that it can be brought back: first out of sight and into the trash, and gone later.

The database decides. A deletion is recorded first, then its folders are renamed into `trash/ID/`; a return renames them
first and is recorded then. A kill between leaves a state on the way, which `settle` ends.
"""

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from thaw.disk.holdings import FEATURES, Holding, find_holding
from thaw.jobs import lifecycle
from thaw.storage.store import Store
from thaw.storage.trash import Trashed
from thaw.storage.workspace import Workspace
from tlcore.errors import RunError, ThawError
from tlcore.files import sync_folder

WAIT_S = 30.0
# What was deleted within the hour before a start of the server stays: another tab or server may still undo it.
GRACE_S = 3600.0
# What replaces itself: where one was made anew, there is nothing to bring back.
CACHES = ("features", "downloads")
ON_DEVICE = ("features", "speed")
WITH_ROWS = ("dataset", "run")
ORDER = ("export", "project", "run", "dataset", "features", "downloads", "speed")


def delete(store: Store, thing_id: str, size_bytes: int | None = None) -> Trashed:
    """Put something into the trash (the ids are those of `thaw.disk.holdings`) with all that goes with it; return it.

    `size_bytes` is what it holds on the disk, for the words that tell it. Original photos are never touched. Raises
    RunError or DatasetError where there is no such thing, while a job works on it, or where it cannot be moved.
    """
    with _alone(store):
        _settle(store)
        lifecycle.reconcile(store)
        holding = find_holding(store, thing_id)
        lifecycle.end_unasked(store)
        with _device_at_rest(store, holding):
            detail = {"title": holding.title, "bytes": size_bytes, "dataset": holding.dataset_id}
            entry = store.hide(holding.kind, holding.id, detail | dict(holding.goes_with), holding.paths)
            try:
                _carry(store.workspace, entry)
            except OSError as problem:
                _bring_back(store.workspace, entry)
                store.show_again(entry.id)
                raise RunError(
                    f"Expected the files of {thing_id!r} to be free to move. Received: {problem}. Nothing was deleted. "
                    "Close what has them open and try again."
                ) from problem
            store.set_trash_state(entry.id, "kept")
    return entry


def delete_together(store: Store, sizes: Mapping[str, int | None]) -> list[Trashed]:
    """Delete several things, by their ids and sizes, or none of them where one cannot be deleted; return the entries.

    What belongs to another of them goes before it.
    """
    found = sorted((find_holding(store, each) for each in sizes), key=lambda each: ORDER.index(each.kind))
    done: list[Trashed] = []
    try:
        for each in found:
            done.append(delete(store, each.id, sizes[each.id]))
    except ThawError:
        undelete_together(store, [entry.id for entry in done])
        raise
    return done


def undelete_together(store: Store, trash_ids: Sequence[str]) -> list[Trashed]:
    """Bring back several entries that were deleted one after another, the last first."""
    return [undelete(store, each) for each in reversed(trash_ids)]


def undelete(store: Store, wanted: str) -> Trashed:
    """Bring back what was deleted last under an id, or one entry of the trash by its own; return it.

    Everything is as it was, except that a cache which was made anew meanwhile stays. Raises RunError where there is no
    such thing in the trash, what it belongs to is in the trash as well, or something new is in its place.
    """
    with _alone(store):
        _settle(store)
        entry = next((each for each in store.trash() if wanted in (each.id, each.subject)), None)
        if entry is None or entry.state != "kept":
            raise RunError(
                f"Expected something that is in the trash. Received: {wanted!r}. `python -m thaw disk` lists it; "
                "once the trash is emptied, nothing can be brought back."
            )
        _require_place(store, entry)
        store.set_trash_state(entry.id, "restoring")
        _finish_return(store, entry)
    return entry


def empty(store: Store, grace_s: float = 0.0) -> list[Trashed]:
    """Delete for good what has been in the trash for longer than `grace_s` seconds; return it. Without grace all goes.

    The oldest first, so that a run goes before the data set that it belongs to.
    """
    with _alone(store):
        _settle(store)
        gone = []
        for entry in reversed(store.trash()):
            if entry.state == "emptying" or not grace_s or time.time() - entry.deleted_at > grace_s:
                store.set_trash_state(entry.id, "emptying")
                _remove(store, entry)
                gone.append(entry)
        if not grace_s:
            # Of a database that was lost: no row names it, and the person asked for an empty trash.
            shutil.rmtree(store.workspace.trash(""), ignore_errors=True)
    return gone


def settle(store: Store) -> None:
    """End what a killed process left on the way into the trash or out of it; another that is at work does it itself."""
    if all(entry.state == "kept" for entry in store.trash()):
        return
    try:
        with FileLock(_lock(store.workspace), timeout=0):
            _settle(store)
    except Timeout:
        return


def start_emptying(store: Store) -> threading.Thread:
    """Settle the trash, then empty it of all but the newest in a thread: as the server starts."""
    settle(store)
    worker = threading.Thread(target=empty, args=(store, GRACE_S), name="empty the trash", daemon=True)
    worker.start()
    return worker


def _settle(store: Store) -> None:
    for entry in store.trash():
        # What cannot be moved today stays on its way, out of every list, and is tried again.
        with contextlib.suppress(OSError):
            _go_on(store, entry)


def _go_on(store: Store, entry: Trashed) -> None:
    if entry.state == "restoring":
        _finish_return(store, entry)
    elif entry.state == "deleting" and (entry.kind in WITH_ROWS or _begun(store.workspace, entry)):
        _carry(store.workspace, entry)
        store.set_trash_state(entry.id, "kept")
    elif entry.state == "deleting":
        # Nothing of it was moved yet, so that it is still in its place, and a job may use it by now.
        store.show_again(entry.id)


def _begun(workspace: Workspace, entry: Trashed) -> bool:
    return any((workspace.trash(entry.id) / path).exists() for path in entry.moves)


def _carry(workspace: Workspace, entry: Trashed) -> None:
    """Rename the folders of an entry into the trash, those that are not there yet."""
    for path in entry.moves:
        source, target = workspace.root / path, workspace.trash(entry.id) / path
        if source.exists() and not target.exists():
            _rename(source, target)
    (workspace.root / FEATURES).mkdir(exist_ok=True)


def _finish_return(store: Store, entry: Trashed) -> None:
    _bring_back(store.workspace, entry)
    shutil.rmtree(store.workspace.trash(entry.id), ignore_errors=True)
    store.show_again(entry.id)


def _bring_back(workspace: Workspace, entry: Trashed) -> None:
    for path in entry.moves:
        source, target = workspace.trash(entry.id) / path, workspace.root / path
        if entry.kind in CACHES and source.is_dir():
            for each in sorted(source.iterdir()):
                if not (target / each.name).exists():
                    _rename(each, target / each.name)
        elif source.exists() and not target.exists():
            _rename(source, target)


def _require_place(store: Store, entry: Trashed) -> None:
    dataset_id = entry.detail.get("dataset")
    if entry.kind in ("run", "export") and dataset_id is not None:
        store.dataset(dataset_id)
    for path in entry.moves:
        target = store.workspace.root / path
        if entry.kind == "export" and not target.parent.is_dir():
            raise RunError(f"Expected the run of this export to be there. Received: none. Bring back {path!r}'s first.")
        if entry.kind not in CACHES and target.exists():
            raise RunError(
                f"Expected nothing in the place of {entry.subject!r}. Received: one that was made since. Delete that "
                "first, or leave this one in the trash."
            )


def _remove(store: Store, entry: Trashed) -> None:
    """Remove the files of an entry, then its rows, then what only its rows spoke of."""
    workspace = store.workspace
    if entry.kind == "dataset":
        apart = [Path(path).name for path in entry.moves if path.startswith("datasets/")]
        for folder, image_id, suffix in store.copies_left(entry.subject, apart):
            workspace.image(folder, image_id, suffix).unlink(missing_ok=True)
            workspace.thumbnail(folder, image_id).unlink(missing_ok=True)
        # Where the folder stays for another data set: a rebuilt database would take this one for lost.
        workspace.journal(entry.subject).unlink(missing_ok=True)
    trashed = workspace.trash(entry.id)
    shutil.rmtree(trashed, ignore_errors=True)
    if trashed.exists():
        raise RunError(
            f"Expected to remove everything in '{trashed}'. Received: something that cannot be removed. Close what has "
            "it open, then empty the trash again."
        )
    left = store.forget(entry.id)
    for job_id in left.jobs:
        workspace.job_log(job_id).unlink(missing_ok=True)
        workspace.job_lock(job_id).unlink(missing_ok=True)
    for dataset_id in left.folders:
        if not store.has_copies(dataset_id):
            shutil.rmtree(workspace.dataset(dataset_id), ignore_errors=True)


def _rename(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    try:
        with FileLock(_lock(store.workspace), timeout=WAIT_S):
            yield
    except Timeout:
        raise RunError(
            "Expected the trash to be at rest. Received: another deletion that goes on. Try again in a minute."
        ) from None


@contextmanager
def _device_at_rest(store: Store, holding: Holding) -> Iterator[None]:
    """Hold the device while what is computed there is moved, so that no job writes into it meanwhile."""
    with contextlib.ExitStack() as stack:
        if holding.kind in ON_DEVICE:
            try:
                stack.enter_context(FileLock(store.workspace.device_lock, timeout=0))
            except Timeout:
                raise RunError(
                    f"Expected nothing to be at work on {holding.id!r}. Received: a job that is. Wait for its end, or "
                    "stop it first."
                ) from None
        yield


def _lock(workspace: Workspace) -> Path:
    return workspace.root / "locks" / "trash.lock"
