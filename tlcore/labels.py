"""Which file each row of a table of path and label means, beside the table or elsewhere on this machine."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tlcore import tables
from tlcore.errors import ImageRejected
from tlcore.found import Entry, Found
from tlcore.names import Parts, check_name
from tlcore.records import SetAside
from tlcore.tables import Row, read_table, refused, settle

OUTSIDE = "it lies, or leads by a link, outside the folders that may be read"
NAMED_TABLES = 4
NOT_LISTED = "the table {table!r} does not list it"


def read_rows(table: Path, roots: Sequence[Path] | None, tick: Callable[[], None]) -> list[tuple[Row, Path | None]]:
    """Return the rows of a CSV, each with the file it means, or None where the row has a reason against it.

    Relative paths lie beside the CSV; absolute ones under one of `roots` (anywhere for None). Links are followed
    first and judged by where they lead. `tick` is called for every row. Raises DatasetError as `read_table` does.
    """
    rows, files = [], {}
    for row in read_table(table):
        tick()
        if not row.reason:
            try:
                files[row.line] = _locate(row.path, table.parent, roots)
            except ImageRejected as problem:
                row = refused(row, str(problem))
        rows.append(row)
    return [(row, None if row.reason else files[row.line]) for row in settle(rows, files)]


def apply_table(found: Found) -> None:
    """Let the one table of path and label at the top of a source, if there is one, decide the classes of its files.

    The table's paths are names beside it, and open nothing. It is itself ignored, and counted; files that it does not
    list are set aside, and so is each row that gives no file a label. Raises DatasetError as `read_table` does.
    """
    fitting = _tables_at_top(found.entries)
    if len(fitting) > 1:
        names = " and ".join(repr(entry.name[-1]) for entry in fitting[:NAMED_TABLES])
        found.notes.append(f"{names} each list paths and labels, so the folders decide the classes. Keep one of them.")
    if len(fitting) != 1:
        return
    (table,) = fitting
    found.entries.remove(table)
    found.ignored += 1
    present = {entry.name for entry in found.entries}
    rows, names_of = _name_rows(read_table(table.path), table.name[:-1], present)
    labels = {names_of[row.line]: row.label for row in rows if not row.reason}
    for row in rows:
        if row.reason:
            found.set_aside.append(SetAside(shown(row, table.name[-1]), row.reason))
    told = set(names_of.values())
    for entry in found.entries:
        if entry.name not in told:
            found.set_aside.append(SetAside("/".join(entry.name), NOT_LISTED.format(table=table.name[-1])))
    found.entries[:] = [replace(entry, label=labels[entry.name]) for entry in found.entries if entry.name in labels]
    found.notes.append(f"The classes come from the table {table.name[-1]!r}, not from folders.")


def _tables_at_top(entries: Sequence[Entry]) -> list[Entry]:
    """Return the tables whose folder holds all files."""
    if not entries:
        return []
    # What the first and the last name in order begin with, all between them do: looking at all for each takes hours.
    first, last = min(entry.name for entry in entries), max(entry.name for entry in entries)

    def at_top(name: Parts) -> bool:
        depth = len(name) - 1
        return first[:depth] == name[:depth] == last[:depth]

    return [
        entry
        for entry in entries
        if entry.name[-1].lower().endswith(tables.SUFFIX) and at_top(entry.name) and tables.is_table(entry.path)
    ]


def _name_rows(rows: Sequence[Row], top: Parts, present: set[Parts]) -> tuple[list[Row], dict[int, Parts]]:
    """Tell which name of those present each row means, by its line; give a reason to rows that mean none."""
    named, names_of = [], {}
    for row in rows:
        try:
            name = (*top, *check_name(row.path))
        except ImageRejected as problem:
            row = refused(row, row.reason or str(problem))
        else:
            if name in present:
                names_of[row.line] = name
            else:
                row = refused(row, row.reason or "there is no such plain file beside the table")
        named.append(row)
    return settle(named, names_of), names_of


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
            raise ImageRejected(OUTSIDE)
        if not located.exists():
            raise ImageRejected("there is no such file")
        if not located.is_file():
            raise ImageRejected("it is not a plain file (a folder, a pipe, a device or a socket)")
    except (OSError, RuntimeError, ValueError) as problem:
        raise ImageRejected(f"it cannot be read: {problem}") from problem
    return located


def shown(row: Row, table: str) -> str:
    return row.path or f"line {row.line} of {table}"
