"""Turns what SQLite and the system say of a broken workspace into one plain sentence with a way out."""

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thaw.errors import WorkspaceError

DATABASE_FILE = "thaw.sqlite3"
# Less than this is no room for a page of a database, its log and their bookkeeping.
ALMOST_NOTHING_BYTES = 1_000_000
KEPT = "Nothing that was saved is damaged."
REBUILD = "Rebuild it from the folders, on the Data page or with `python -m thaw rebuild`; nothing is deleted."
_PRIMARY = 0xFF

FULL = (sqlite3.SQLITE_FULL,)
BROKEN_DISK = (sqlite3.SQLITE_IOERR,)
LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
FORBIDDEN = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
# What SQLite says where it can map no more memory, or get none for a file's name.
NO_MEMORY = (sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR_NOMEM, sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_IOERR_MMAP)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def explaining(root: Path, timeout_s: float = 0.0) -> Iterator[None]:
    """Raise a WorkspaceError for what the database or the disk of a workspace refuses while the body runs.

    What is a fault of the program (a broken constraint, a wrong statement) is raised on as it is.
    """
    try:
        yield
    except sqlite3.Error as problem:
        told = explain_database(problem, root, timeout_s)
        if told is None:
            raise
        raise told from problem
    except OSError as problem:
        raise explain_disk(problem, root) from problem


def explain_database(problem: sqlite3.Error, root: Path, timeout_s: float) -> WorkspaceError | None:
    """Return what an error of SQLite means for the person, by its code; None for a fault of the program."""
    extended = getattr(problem, "sqlite_errorcode", None) or 0
    code = extended & _PRIMARY
    if extended in NO_MEMORY:
        return WorkspaceError(f"The computer ran out of memory. Close other programs, then resume or try again. {KEPT}")
    if code in LOCKED:
        return WorkspaceError(
            f"Expected the database of the workspace to be free. Received: '{root / DATABASE_FILE}', which another "
            f"program has held for {timeout_s:g} seconds. Close what has it open (a database browser, a backup, a "
            f"cloud drive), then try again. {KEPT}"
        )
    if code in DAMAGED:
        return damaged(root)
    if code in FORBIDDEN:
        return forbidden(root)
    if code in FULL or (code in BROKEN_DISK and _free_bytes(root) < ALMOST_NOTHING_BYTES):
        return full(root)
    if code in BROKEN_DISK:
        return unreadable(root, "disk I/O error")
    if code == sqlite3.SQLITE_CANTOPEN:
        return _unopened(root)
    if code == sqlite3.SQLITE_ERROR and _lost_its_tables(root):
        return lost(root)
    return None


def explain_disk(problem: OSError, root: Path) -> WorkspaceError:
    """Return what an error of the system means for the person."""
    if problem.errno in NO_ROOM:
        return full(root)
    if problem.errno in (errno.EEXIST, errno.ENOTDIR):
        return WorkspaceError(
            f"Expected a folder for the workspace. Received: '{_first_file(root)}', which is a file. Choose "
            "another folder with --workspace, or move that file away."
        )
    if problem.errno in NO_RIGHT:
        return forbidden(root)
    if not root.is_dir():
        return gone(root)
    return unreadable(root, problem.strerror or type(problem).__name__)


def full(root: Path) -> WorkspaceError:
    """Word that there is no room left."""
    return WorkspaceError(
        f"The disk is full: '{root}' has {_free_bytes(root) / 1e6:,.1f} MB left. Free some space, "
        f"then resume or try again. {KEPT}"
    )


def unreadable(root: Path, received: str) -> WorkspaceError:
    """Word that the disk does not do what it is asked."""
    return WorkspaceError(
        f"Expected a disk that can be read and written at '{root}'. Received: {received}. Check that the "
        f"drive is connected and sound, then try again. {KEPT}"
    )


def forbidden(root: Path) -> WorkspaceError:
    """Word that this user may not write."""
    return WorkspaceError(
        f"Expected a workspace that can be written. Received: '{root}', in which a file or folder is "
        "read-only or belongs to someone else. Give yourself the right to write there, or choose another folder with "
        f"--workspace. {KEPT}"
    )


def gone(root: Path) -> WorkspaceError:
    """Word that the folder is not there."""
    return WorkspaceError(
        f"Expected the workspace at '{root}'. Received: no such folder. Connect the drive that holds it, or "
        "choose another folder with --workspace."
    )


def gone_or_lost(root: Path) -> WorkspaceError:
    """Word that there is no database, nor perhaps the folder that held it."""
    return lost(root) if root.is_dir() else gone(root)


def damaged(root: Path) -> WorkspaceError:
    """Word that the file is no database, or part of one."""
    return WorkspaceError(
        f"Expected a whole database. Received: '{root / DATABASE_FILE}', which is damaged. The photos and results "
        f"beside it are untouched. {REBUILD}",
        lost=True,
    )


def lost(root: Path) -> WorkspaceError:
    """Word that the database is gone or empty while the folders are not."""
    return WorkspaceError(
        f"Expected the database of this workspace. Received: none, or an empty one, at '{root / DATABASE_FILE}', "
        f"beside folders with photos or results. They are untouched. {REBUILD}",
        lost=True,
    )


def foreign(root: Path) -> WorkspaceError:
    """Word that the database belongs to another workspace."""
    return WorkspaceError(
        f"Expected the database of this workspace. Received: '{root / DATABASE_FILE}', which is that of another one. "
        f"Put the right file back. Or: {REBUILD}",
        lost=True,
    )


def newer(root: Path, found: int, known: int) -> WorkspaceError:
    """Word that a later Thaw has written the database."""
    return WorkspaceError(
        f"Expected a database of version {known} or earlier. Received: version {found} at '{root / DATABASE_FILE}', "
        "from a newer Thaw. Update this one, or choose another folder with --workspace."
    )


def _unopened(root: Path) -> WorkspaceError:
    if not root.is_dir():
        return gone(root)
    return forbidden(root) if (root / DATABASE_FILE).exists() else lost(root)


def _lost_its_tables(root: Path) -> bool:
    try:
        if not (root / DATABASE_FILE).stat().st_size:
            return True
        connection = sqlite3.connect(root / DATABASE_FILE)
        try:
            return not connection.execute("PRAGMA user_version").fetchone()[0]
        finally:
            connection.close()
    except (OSError, sqlite3.Error):
        return True


def _first_file(path: Path) -> Path:
    """Return the part of a path that is a file where a folder is expected."""
    return next((each for each in reversed((path, *path.parents)) if each.exists() and not each.is_dir()), path)


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
