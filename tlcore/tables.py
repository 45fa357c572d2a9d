"""Reads a CSV of path and label: which class each file is of, row by row."""

import csv
import io
import os
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TextIO

from tlcore.edits import check_class_name
from tlcore.errors import DatasetError
from tlcore.found import mark_of
from tlcore.names import storable

SUFFIX = ".csv"
MAX_TABLE_BYTES = 50_000_000
MAX_ROWS = 200_000
MAX_HEADER_BYTES = 65_536
COLUMNS = ("path", "label")
SEPARATORS = ",;\t"
NAMED_LABELS = 4
_EXAMPLE = "Give it a first line 'path,label' and below it a line a file, such as 'photos/a.jpg,rose'."


@dataclass(frozen=True)
class Row:
    """One row: `line` is its number in the file, from 1; `reason` says why it names no file with a label, or is ""."""

    line: int
    path: str
    label: str
    reason: str = ""


def is_table(path: Path) -> bool:
    """Say whether a file begins with the header of a table of path and label; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(MAX_HEADER_BYTES)
    except OSError:
        return False
    return _separator(io.StringIO(start.decode("utf-8-sig", "replace"), newline="").readline()) is not None


def read_table(path: Path) -> list[Row]:
    """Return the rows of a CSV whose header names `path` and `label`, in any order and case, among other columns.

    The separator is a comma, a semicolon or a tab; the text is UTF-8. Blank lines are no rows. Raises DatasetError
    where the file as a whole is no such table, or beyond the caps.
    """
    try:
        size = path.stat().st_size
        if size > MAX_TABLE_BYTES:
            raise _refuse(
                path, f"{size / 1e6:,.0f} MB", f"The limit is {MAX_TABLE_BYTES / 1e6:g} MB; import it in parts"
            )
        with path.open(encoding="utf-8-sig", newline="") as file:
            mark = mark_of(os.fstat(file.fileno()))
            rows = _rows(path, file)
            # Of a line that is half written the label may be cut short, and be another class.
            if mark_of(path.stat()) != mark:
                raise _refuse(path, "lines that changed while they were read", "Wait until nothing writes to it")
            return rows
    except UnicodeDecodeError as problem:
        raise _refuse(path, "text that is not UTF-8", "Save it again as 'CSV UTF-8'") from problem
    except OSError as problem:
        raise _refuse(path, f"a file that cannot be read: {problem.strerror}", "Check the path") from problem


def settle(rows: Sequence[Row], files: Mapping[int, Hashable]) -> list[Row]:
    """Give a reason to the rows that contradict or repeat others; `files` tells by its line which file a row means.

    A file with two labels is of neither; of equal rows the first stands.
    """
    labels = defaultdict(set)
    for row in rows:
        if not row.reason:
            labels[files[row.line]].add(row.label)
    seen = set()
    settled = []
    for row in rows:
        if not row.reason:
            file = files[row.line]
            if len(labels[file]) > 1:
                named = ", ".join(map(repr, sorted(labels[file])[:NAMED_LABELS]))
                row = refused(row, f"it is listed with different labels: {named}. Keep one of them")
            elif file in seen:
                row = refused(row, "it is listed twice with the same label; the first row was taken")
            seen.add(file)
        settled.append(row)
    return settled


def refused(row: Row, reason: str) -> Row:
    """Return a row that is set aside."""
    return Row(row.line, row.path, row.label, reason)


def _rows(path: Path, file: TextIO) -> list[Row]:
    """Read a table line by line, so that one of far too many rows is refused before they are in memory."""
    first = file.readline()
    separator = _separator(first)
    if separator is None:
        raise _refuse(path, f"a first line without both: {first.rstrip()[:100]!r}", _EXAMPLE)
    lines = csv.reader(chain([first], file), delimiter=separator, strict=True)
    rows: list[Row] = []
    try:
        header = _header(next(lines))
        columns = [header.index(name) for name in COLUMNS]
        for cells in filter(any, lines):
            if len(rows) == MAX_ROWS:
                raise _refuse(path, f"over {MAX_ROWS:,} rows", "Import it in parts")
            rows.append(_row(lines.line_num, cells, columns))
    except csv.Error as problem:
        raise _refuse(
            path, f"a damaged line {lines.line_num:,} ({problem})", "Check the quotation marks there"
        ) from problem
    return rows


def _separator(line: str) -> str | None:
    """Return the separator with which a table's first line holds both columns, each once, or None."""
    for separator in SEPARATORS:
        try:
            header = _header(next(csv.reader([line], delimiter=separator, strict=True)))
        except (csv.Error, StopIteration):
            continue
        if all(header.count(name) == 1 for name in COLUMNS):
            return separator
    return None


def _header(cells: list[str]) -> list[str]:
    return [cell.strip().casefold() for cell in cells]


def _row(line: int, cells: list[str], columns: list[int]) -> Row:
    path, label = (cells[column].strip() if column < len(cells) else "" for column in columns)
    path = storable(path)
    if not path:
        return Row(line, path, label, "its row names no file")
    if not label:
        return Row(line, path, label, "its label is empty")
    try:
        return Row(line, path, check_class_name(label))
    except DatasetError:
        return Row(line, path, label, "its label is no name for a class: it is too long, or holds a NUL")


def _refuse(path: Path, received: str, advice: str) -> DatasetError:
    return DatasetError(
        f"Expected a CSV with the columns path and label. Received: {path.name!r} with {received}. "
        f"{advice.rstrip('.')}."
    )
