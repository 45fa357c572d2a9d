"""Reads a table of files and their classes: which class each file is of, row by row."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

from thaw.archives.entries import mark_of
from thaw.names import check_class_name, storable
from thaw.storage.questions import Ask, Option, Question
from thaw.tables.columns import (
    SAMPLE_ROWS,
    Columns,
    Exists,
    NoColumns,
    choose_columns,
    is_known,
    read_label,
    read_one_hot,
    several,
    split_of,
)
from thaw.tables.delimited import SUFFIXES, Unreadable, find_dialect, read_lines
from tlcore.errors import DatasetError

MAX_TABLE_BYTES = 50_000_000
MAX_ROWS = 200_000
NAMED_LABELS = 4
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
EXAMPLE = "Give it a first line 'path,label' and below it a line a file, such as 'photos/a.jpg,rose'."
_COMMAS = (",", ";")


@dataclass(frozen=True)
class Row:
    """One row: `line` is its number in the file, from 1; `reason` says why it names no file with a label, or is "".

    `split` is "train", "validation" or "test" where the table says so.
    """

    line: int
    path: str
    label: str
    reason: str = ""
    split: str = ""

    def shown(self, table: str) -> str:
        """Return what the row is called among the files: its path, or where it has none its line in the table."""
        return self.path or f"line {self.line} of {table}"


@dataclass(frozen=True)
class Table:
    """The rows of a table, and notes in plain words on how it was read."""

    rows: list[Row]
    notes: list[str] = field(default_factory=list)


class NotATable(DatasetError):
    """The file is no table of files and classes at all; `files` is true where it does name files that are there."""

    files = False


def may_be_table(name: str) -> bool:
    """Say whether a file is a table by its name, or a spreadsheet."""
    return name.lower().endswith((*SUFFIXES, *SPREADSHEETS))


def read_table(path: Path, exists: Exists, ask: Ask, name: str = "", named: bool = False) -> Table:
    """Return the rows of a table, called `name` to people, that has a column of files and one, or several, of classes.

    CSV with any usual separator and encoding, lists of a path and a label, and JSON lines are read, with a header or
    without. `exists` says whether a cell names a file that is there, and `ask` is called where columns or labels can
    be understood in several ways; with `named`, the class must be in a column of a usual name. Blank lines are no
    rows. Raises NotATable, and DatasetError where the table is damaged or beyond the caps.
    """
    name = name or path.name
    if name.lower().endswith(SPREADSHEETS):
        raise _refuse(name, "a spreadsheet, which is not read", "Save its sheet as CSV and use that")
    headed = False
    try:
        status = path.stat()
        size, mark = status.st_size, mark_of(status)
        if size > MAX_TABLE_BYTES:
            advice = f"The limit is {MAX_TABLE_BYTES / 1e6:g} MB; import it in parts"
            raise _refuse(name, f"{size / 1e6:,.0f} MB", advice)
        dialect = find_dialect(path, is_known)
        lines = read_lines(path, dialect)
        sample = list(islice(lines, 1))
        headed = bool(sample) and any(map(is_known, sample[0][1]))
        sample += islice(lines, SAMPLE_ROWS)
        columns = choose_columns(name, [cells for _, cells in sample], exists, ask, named)
        rows = list(_rows(name, chain(sample[1:] if columns.headed else sample, lines), columns))
        # Of a line that is half written the label may be cut short, and be another class.
        if mark_of(path.stat()) != mark:
            raise _refuse(name, "lines that changed while they were read", "Wait until nothing writes to it")
    except Unreadable as problem:
        if headed:
            raise _refuse(name, str(problem), problem.advice or EXAMPLE) from problem
        raise _not_a_table(name, str(problem), problem.advice) from problem
    except NoColumns as problem:
        raise _not_a_table(name, str(problem), files=problem.files) from problem
    except (OSError, UnicodeDecodeError) as problem:
        received = f"a file that cannot be read: {getattr(problem, 'strerror', None) or 'damaged text'}"
        raise _not_a_table(name, received, "Check the path") from problem
    notes = list(columns.notes)
    if dialect.guess:
        notes.append(
            f"{name!r} is not UTF-8; it was read as {dialect.guess} ({dialect.encoding}). If letters look wrong, save "
            "it again as 'CSV UTF-8'."
        )
    return Table(_part_labels(name, rows, columns, ask), notes)


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


def guarded(text: str) -> str:
    """Return a cell's text with an apostrophe before it where a spreadsheet would run it as a formula."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA_STARTS) else text


def unguarded(text: str) -> str:
    """Take the apostrophe of `guarded` away again."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA_STARTS) else text


def refused(row: Row, reason: str) -> Row:
    """Return a row that is set aside."""
    return replace(row, reason=reason)


def _rows(name: str, lines: Iterator[tuple[int, list[str]]], columns: Columns) -> Iterator[Row]:
    """Read a table line by line, so that one of far too many rows is refused before they are in memory."""
    for count, (line, cells) in enumerate(lines, 1):
        if count > MAX_ROWS:
            raise _refuse(name, f"over {MAX_ROWS:,} rows", "Import it in parts")
        yield _row(line, cells, columns)


def _row(line: int, cells: list[str], columns: Columns) -> Row:
    def cell(column: int | None) -> str:
        return unguarded(cells[column].strip()) if column is not None and column < len(cells) else ""

    path, split = storable(cell(columns.file)), split_of(cell(columns.split))
    if columns.one_hot:
        label, reason = read_one_hot(
            [cell(column) for column in columns.one_hot], [columns.names[column] for column in columns.one_hot]
        )
    else:
        label, reason = read_label(cell(columns.label))
    if not path:
        return Row(line, path, label, "its row names no file")
    if reason or not label:
        return Row(line, path, label, reason or "its label is empty")
    try:
        return Row(line, path, check_class_name(label), split=split)
    except DatasetError:
        return Row(line, path, label, "its label is no name for a class: it is too long, or holds a NUL")


def _part_labels(name: str, rows: list[Row], columns: Columns, ask: Ask) -> list[Row]:
    """Set aside the rows of several labels; where a comma may be part of a name, ask."""
    if columns.one_hot:
        return rows
    counts = Counter(row.label for row in rows if not row.reason)
    parts = {label: each for label in counts if len(each := _parts(label, "|")) > 1}
    commas = _joined(counts.keys() - parts.keys(), columns.plural)
    if commas and _are_several(name, commas, ask):
        parts |= commas
    return [refused(row, several(parts[row.label])) if not row.reason and row.label in parts else row for row in rows]


def _joined(labels: set[str], plural: bool) -> dict[str, list[str]]:
    """Return the parts of labels that are joined by commas or, in a column that is called by a plural, by blanks.

    A part must be a label of its own too, or part of another: "apples, sweet" alone is a name.
    """
    found: dict[str, list[str]] = {}
    for mark in _COMMAS:
        split = {label: each for label in labels if len(each := _parts(label, mark)) > 1}
        counts = Counter(part for each in split.values() for part in each)
        if any(part in labels or count > 1 for part, count in counts.items()):
            found |= split
    if plural and not found:
        split = {label: each for label in labels if len(each := label.split()) > 1}
        if split and all(part in labels for each in split.values() for part in each):
            found = split
    return found


def _parts(label: str, mark: str) -> list[str]:
    return [part for each in label.split(mark) if (part := each.strip())] if mark in label else [label]


def _are_several(name: str, joined: Mapping[str, list[str]], ask: Ask) -> bool:
    label, parts = min(joined.items())
    options = (
        Option("several", "Several labels", f"Rows such as {label!r} are set aside: a photo is of one class here."),
        Option("one", "One name", f"{label!r} is a class of its own, one of {len(joined):,} such classes."),
    )
    text = f"Cells of {name!r} such as {label!r}: are they several labels ({', '.join(parts)}), or one name?"
    return ask(Question("several-labels", text, options, "several")) == "several"


def _not_a_table(name: str, received: str, advice: str = "", files: bool = False) -> NotATable:
    problem = NotATable(str(_refuse(name, received, advice or EXAMPLE)))
    problem.files = files
    return problem


def _refuse(name: str, received: str, advice: str) -> DatasetError:
    return DatasetError(
        f"Expected a table with a column of file names and a column of classes. Received: {name!r} with {received}. "
        f"{advice.rstrip('.')}."
    )
