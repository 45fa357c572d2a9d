"""Which workspace a database belongs to: an id that is kept both in it and in a file beside it.

A new database in an old workspace is known for certain, and nothing is begun or swept on the strength of one.
"""

import json
import os
import secrets
import sqlite3
from datetime import datetime
from pathlib import Path

from thaw.storage import faults
from thaw.storage.workspace import UNFINISHED_FILE, Workspace
from tlcore.files import write_atomically

COMPANIONS = ("", "-wal", "-shm")


def has_database(workspace: Workspace) -> bool:
    """Say whether there is a database with anything in it."""
    try:
        return workspace.database.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def holds_work(workspace: Workspace) -> bool:
    """Say whether the folders hold photos or results that a database should know of; no unfinished import counts."""
    finished = [each for each in _folders(workspace.root / "datasets") if not (each / UNFINISHED_FILE).exists()]
    return any(map(holds_files, [*finished, *_folders(workspace.root / "runs")]))


def holds_files(folder: Path) -> bool:
    """Say whether there is any file below a folder."""
    return any(files for _, _, files in os.walk(folder))


def recognise(connection: sqlite3.Connection, workspace: Workspace) -> None:
    """Raise WorkspaceError for the database of another workspace; write the id where either side lacks it."""
    here, there = _read(workspace), _id(connection)
    if here is None or there is None:
        name(connection, workspace)
        _write(workspace, _id(connection) or "")
    elif here != there:
        raise faults.foreign(workspace.root)


def name(connection: sqlite3.Connection, workspace: Workspace) -> None:
    """Give a database that has none the id of its workspace, which gets one where it has none either."""
    if _id(connection) is None:
        chosen = _read(workspace) or f"workspace-{secrets.token_hex(12)}"
        connection.execute("INSERT INTO workspace VALUES (?)", (chosen,))


def set_aside(workspace: Workspace) -> Path | None:
    """Move a database and its log to quarantine, under a name with the date; return where it is, or None for none."""
    files = [Path(f"{workspace.database}{end}") for end in COMPANIONS]
    present = [each for each in files if each.exists() and each.stat().st_size]
    if not present:
        return None
    workspace.quarantine.mkdir(mode=0o700, exist_ok=True)
    place = free_place(workspace, workspace.database.name)
    # The log first: beside another database it would be taken for that one's.
    for path in reversed(present):
        path.rename(f"{place}{path.name.removeprefix(workspace.database.name)}")
    return place


def free_place(workspace: Workspace, name: str) -> Path:
    """Return a path in quarantine for what is called `name`, with the date and under which nothing lies yet."""
    moment = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    tried = (f"{moment}-{number}-{name}" if number else f"{moment}-{name}" for number in range(1_000_000))
    taken = {each.name for each in workspace.quarantine.iterdir()}
    return workspace.quarantine / next(each for each in tried if not any(one.startswith(each) for one in taken))


def _folders(place: Path) -> list[Path]:
    return [each for each in place.iterdir() if each.is_dir()] if place.is_dir() else []


def _id(connection: sqlite3.Connection) -> str | None:
    row = connection.execute("SELECT id FROM workspace").fetchone()
    return row[0] if row else None


def _read(workspace: Workspace) -> str | None:
    """Return the id in the file, or None where it is missing or says nothing."""
    try:
        kept = json.loads(workspace.identity.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return kept["id"] if isinstance(kept, dict) and isinstance(kept.get("id"), str) else None


def _write(workspace: Workspace, workspace_id: str) -> None:
    write_atomically(workspace.identity, json.dumps({"id": workspace_id}).encode())
    workspace.identity.chmod(0o600)
