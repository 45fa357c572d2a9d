"""Finds on this machine the files that a table lists, where the table is what is imported."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from thaw.names import Parts, check_name, legible
from thaw.sources.tables import Row, may_be_table, read_table, refused, settle
from thaw.storage.questions import Ask
from thaw.tables.file_index import Ambiguous, FileIndex
from tlcore.errors import ImageRejected
from tlcore.photos import is_junk

OUTSIDE = "it lies, or leads by a link, outside the folders that may be read"
MISSING = "there is no such file"
MOST_NEIGHBOURS = 50_000


def read_rows(
    table: Path, roots: Sequence[Path] | None, tick: Callable[[], None], ask: Ask
) -> tuple[list[tuple[Row, Path | None]], list[str]]:
    """Return the rows of a table, each with the file it means or None where it has a reason against it; and notes.

    Relative paths lie beside the table, and so do files that are named loosely (see `FileIndex`); absolute ones lie
    under one of `roots` (anywhere for None). Links are followed first and judged by where they lead. `tick` is called
    for every row. Raises DatasetError as `read_table` does.
    """
    neighbours = _Neighbours(table.parent, roots)
    read = read_table(table, neighbours.exists, ask)
    rows, files = [], {}
    for row in read.rows:
        tick()
        if not row.reason:
            try:
                files[row.line] = neighbours.find(row.path)
            except ImageRejected as problem:
                row = refused(row, str(problem))
        rows.append(row)
    return [(row, None if row.reason else files[row.line]) for row in settle(rows, files)], read.notes


class _Outside(ImageRejected):
    """A row means a file that may not be read: nothing more is told of it, and no other is looked for."""


class _Neighbours:
    """The files that a table on this machine may mean."""

    def __init__(self, folder: Path, roots: Sequence[Path] | None) -> None:
        self._folder = folder
        self._roots = roots
        self._index: FileIndex | None = None

    def exists(self, text: str) -> bool:
        try:
            self.find(text)
        except ImageRejected:
            return False
        return True

    def find(self, text: str) -> Path:
        """Return the plain file that a text means; raise ImageRejected with the reason where it may not be."""
        try:
            return _locate(text, self._folder, self._roots)
        except _Outside:
            raise
        except ImageRejected as problem:
            try:
                name, _ = self._listed().find(text, ())
            except Ambiguous:
                raise
            except ImageRejected:
                raise problem from None
            return _locate("/".join(name), self._folder, self._roots)

    def _listed(self) -> FileIndex:
        """List the files beside the table and below, once, and only where a row is not the plain path of one."""
        if self._index is None:
            self._index = FileIndex(_list_files(self._folder))
        return self._index


def _list_files(folder: Path) -> list[Parts]:
    names: list[Parts] = []
    for parent, _, files in os.walk(folder):
        for file in files:
            name = legible(os.fsencode(Path(parent, file).relative_to(folder)))
            if not is_junk(name) and not may_be_table(name):
                try:
                    names.append(check_name(name))
                except ImageRejected:
                    continue
        if len(names) > MOST_NEIGHBOURS:
            # Of so many, too many would end alike; rows must be the paths of their files.
            return []
    return names


def _locate(text: str, folder: Path, roots: Sequence[Path] | None) -> Path:
    """Return the plain file that a path of a table means; raise ImageRejected with the reason where it may not be."""
    written = Path(text)
    if not written.is_absolute():
        check_name(text)
        written, roots = folder / text, [folder]
    try:
        located = written.resolve()
        # Asked first, so that nothing is told of what lies outside.
        if roots is not None and not any(located.is_relative_to(root.resolve()) for root in roots):
            raise _Outside(OUTSIDE)
        if not located.exists():
            raise ImageRejected(MISSING)
        if not located.is_file():
            raise ImageRejected("it is not a plain file (a folder, a pipe, a device or a socket)")
    except (OSError, RuntimeError, ValueError) as problem:
        raise ImageRejected(f"it cannot be read: {problem}") from problem
    return located
