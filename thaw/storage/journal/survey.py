"""What the folders of a workspace know that its database does not: data sets and runs without a row, later changes."""

import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from thaw.storage import run_record
from thaw.storage.database import Database
from thaw.storage.journal.journal import Journal
from thaw.storage.workspace import UNFINISHED_FILE, Workspace

_ID = re.compile(r"(?:data|run)-[0-9a-z]+")


@dataclass(frozen=True)
class Gaps:
    """Ids of data sets and runs that have no row (`datasets`, `runs`), and of those whose row lacks changes (`behind`).

    `nameless` are folders below `datasets/` that hold photos which neither a row nor a journal names.
    """

    datasets: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    nameless: tuple[str, ...] = ()

    @property
    def unknown(self) -> bool:
        """Whether there is anything that the database could be told."""
        return bool(self.datasets or self.runs or self.behind)

    def tell(self) -> str:
        """Say in a sentence what there is, and that nothing of it was removed."""
        parts = {"data set": self.datasets, "run": self.runs, "later change": self.behind}
        counted = ", ".join(count(len(ids), name) for name, ids in parts.items() if ids)
        return (
            f"The folders of the workspace hold what its database does not know: {counted}. Nothing was removed. Bring "
            "them back on the Data page or with `python -m thaw rebuild`."
        )


def count(number: int, name: str, names: str = "") -> str:
    """Return a number with what it counts, `names` where there are several (else the name with an s)."""
    return f"{number:,} {name if number == 1 else names or name + 's'}"


class SurveyRows(Database):
    """Compares the folders with the rows."""

    def survey(self) -> Gaps:
        """Return what the folders know and the rows do not. Reads no journal: takes some milliseconds."""
        with self._transaction() as connection:
            found = survey(connection, self.workspace)
            if found.unknown:
                # What is being written down at this moment is there a moment later.
                connection.execute("BEGIN IMMEDIATE")
                found = survey(connection, self.workspace)
        return found


def survey(connection: sqlite3.Connection, workspace: Workspace) -> Gaps:
    """Return what the folders know and the rows of this transaction do not."""
    journals = dict(connection.execute("SELECT id, journal_bytes FROM datasets").fetchall())
    saves = dict(connection.execute("SELECT id, saves FROM runs").fetchall())
    named = {row["folder"] for row in connection.execute("SELECT DISTINCT folder FROM images")}
    datasets, runs = journalled(workspace), recorded(workspace)
    behind = [each for each in datasets if each in journals and journals[each] < Journal(workspace.journal(each)).size]
    behind += [each for each in runs if each in saves and _saves(workspace.record(each)) > saves[each]]
    others = set(_folders(workspace.root / "datasets")) - {*journals, *named, *datasets}
    return Gaps(
        tuple(each for each in datasets if each not in journals),
        tuple(each for each in runs if each not in saves),
        tuple(behind),
        tuple(sorted(each for each in others if _is_whole(workspace, each))),
    )


def journalled(workspace: Workspace) -> list[str]:
    """Return the ids of the data sets that have a journal."""
    return [each for each in _folders(workspace.root / "datasets") if Journal(workspace.journal(each)).size]


def recorded(workspace: Workspace) -> list[str]:
    """Return the ids of the runs that have a record."""
    return [each for each in _folders(workspace.root / "runs") if workspace.record(each).exists()]


def _is_whole(workspace: Workspace, folder_id: str) -> bool:
    folder = workspace.dataset(folder_id)
    images = folder / "images"
    try:
        return not (folder / UNFINISHED_FILE).exists() and any(images.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _saves(path: Path) -> int:
    """Return how often a record was written, 0 for one that cannot be read or is being deleted."""
    try:
        with path.open("rb") as file:
            found = run_record.SAVES.match(file.read(run_record.HEAD_BYTES))
    except FileNotFoundError:
        return 0
    return int(found[1]) if found else 0


def _folders(place: Path) -> list[str]:
    return sorted(each.name for each in place.iterdir() if each.is_dir() and _ID.fullmatch(each.name))
