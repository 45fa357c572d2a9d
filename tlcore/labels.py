"""Which file each row of a table of files and classes means, beside the table or elsewhere on this machine."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tlcore import tables
from tlcore.columns import split_of
from tlcore.delimited import SUFFIXES
from tlcore.errors import DatasetError, ImageRejected
from tlcore.file_index import Ambiguous, FileIndex, common_folders
from tlcore.found import Entry, Found
from tlcore.layout import arrange
from tlcore.names import Parts, check_name, is_junk, legible
from tlcore.questions import Ask, Option, Question, take_default
from tlcore.records import SetAside
from tlcore.tables import NotATable, Row, Table, read_table, refused, settle

OUTSIDE = "it lies, or leads by a link, outside the folders that may be read"
MISSING = "there is no such file"
NOT_LISTED = "the table {table!r} does not list it"
# A table lies beside the folders of photos, or in one folder more; among very many text files none is looked for.
DEEPEST = 1
MOST_TABLES = 50
MOST_NEIGHBOURS = 50_000
SHOWN_CLASSES = 8
# Kaggle's example of what to hand in lists the photos of the test with a class that is no class of theirs.
NO_TABLES = ("sample_submission", "samplesubmission", "submission")


@dataclass(frozen=True)
class Listing:
    """A table of a source: its entry, its rows with what `names_of` tells by a row's line that it means, and notes."""

    entry: Entry
    rows: list[Row]
    names_of: dict[int, Parts]
    notes: list[str]

    @property
    def name(self) -> str:
        return "/".join(self.entry.name[-1:])

    @property
    def labels(self) -> dict[Parts, str]:
        """Return the class of each file that a row gives one."""
        return {self.names_of[row.line]: row.label for row in self.rows if not row.reason}


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


def apply_tables(found: Found, ask: Ask) -> None:
    """Let the tables of files and classes near the top of a source, if there are any, decide the classes of its files.

    The tables' paths are names beside them, and open nothing. They are themselves ignored, and counted; files that
    they do not list are set aside, and so is each row that gives no file a label. Where tables contradict each other,
    or the folders, `ask` is called. A file that seems to be a table and cannot be read is set aside with the reason.
    """
    listings = _read_listings(found, ask)
    if not listings:
        return
    entries = {listing.entry for listing in listings}
    found.entries[:] = [entry for entry in found.entries if entry not in entries]
    found.ignored += len(entries)
    chosen = _choose_among(listings, ask)
    if not _prefer_table(chosen, found, ask):
        found.notes.append(f"The folders decide the classes, not {_named(chosen)}.")
        return
    for listing in chosen:
        _apply(listing, found)
    _set_rest_aside(chosen, found)
    found.notes.append(f"The classes come from {_named(chosen)}, not from folders.")


def _apply(listing: Listing, found: Found) -> None:
    """Give the files of one table their classes, and account for its rows that give none."""
    labels, splits = listing.labels, {listing.names_of[row.line]: row.split for row in listing.rows if row.split}
    part = split_of(listing.name.partition(".")[0])
    for place, entry in enumerate(found.entries):
        if entry.name in labels:
            split = splits.get(entry.name, part)
            found.entries[place] = replace(entry, label=labels[entry.name], split=split)
    found.set_aside += [SetAside(shown(row, listing.name), row.reason) for row in listing.rows if row.reason]
    found.notes += listing.notes
    if splits:
        counts = ", ".join(f"{count:,} {split}" for split, count in sorted(Counter(splits.values()).items()))
        found.notes.append(f"A column of {listing.name!r} says which part each photo is of: {counts}.")


def _set_rest_aside(listings: Sequence[Listing], found: Found) -> None:
    """Set aside what no table gives a class; a file that a row tells of is not counted again."""
    told = {name for listing in listings for name in listing.names_of.values()}
    reason = NOT_LISTED.format(table=" or ".join(listing.name for listing in listings))
    for entry in found.entries:
        if entry.label is None and entry.name not in told:
            found.set_aside.append(SetAside("/".join(entry.name), reason))
    found.entries[:] = [entry for entry in found.entries if entry.label is not None]


def _read_listings(found: Found, ask: Ask) -> list[Listing]:
    """Read the tables near the top that name files which are there."""
    listings: list[Listing] = []
    candidates = _candidates(found.entries)
    if not candidates:
        return []
    index = FileIndex(entry.name for entry in found.entries if not _may_be_table(entry.name[-1]))
    for entry in candidates:
        name = entry.name[-1]
        try:
            table = read_table(entry.path, partial(index.exists, folder=entry.name[:-1]), ask, name)
        except DatasetError as problem:
            if not isinstance(problem, NotATable) or problem.files:
                _set_table_aside(entry, str(problem), found)
            continue
        listing = _listing(entry, table, index)
        if listing.names_of:
            listings.append(listing)
        else:
            _set_table_aside(entry, _names_nothing(name, table), found)
    return listings


def _set_table_aside(entry: Entry, reason: str, found: Found) -> None:
    found.entries.remove(entry)
    found.set_aside.append(SetAside("/".join(entry.name), reason))
    found.notes.append(f"The table {entry.name[-1]!r} was not used: {reason.rstrip('.')}.")


def _names_nothing(name: str, table: Table) -> str:
    first = next((row.path for row in table.rows if row.path), "")
    return (
        f"expected a table that names the photos which are here, by their paths from the folder that holds {name!r}. "
        f"Received: {len(table.rows):,} rows that name none of them, such as {first[:100]!r}. Correct its paths"
    )


def _may_be_table(name: str) -> bool:
    return name.lower().endswith((*SUFFIXES, *tables.SPREADSHEETS))


def _candidates(entries: Sequence[Entry]) -> list[Entry]:
    """Return what may be a table by its name and place, the nearest to the top first."""
    depth = len(common_folders([entry.name for entry in entries]))
    near = [
        entry
        for entry in entries
        if len(entry.name) - 1 <= depth + DEEPEST
        and _may_be_table(entry.name[-1])
        and not entry.name[-1].lower().startswith(NO_TABLES)
    ]
    return sorted(near, key=lambda entry: (len(entry.name), entry.name))[:MOST_TABLES]


def _listing(entry: Entry, table: Table, index: FileIndex) -> Listing:
    """Tell which of the files present each row means; give a reason to rows that mean none."""
    named: list[Row] = []
    exact: dict[int, bool] = {}
    names_of: dict[int, Parts] = {}
    for row in table.rows:
        try:
            names_of[row.line], exact[row.line] = index.find(row.path, entry.name[:-1])
        except ImageRejected as problem:
            row = refused(row, row.reason or str(problem))
        named.append(row)
    # Of "train/1.jpg" and "test/1.jpg" only the first may be here: then it is not the second by another name.
    sure = {name for line, name in names_of.items() if exact[line]}
    for place, row in enumerate(named):
        if not exact.get(row.line, True) and names_of[row.line] in sure:
            named[place] = refused(row, row.reason or "there is no such plain file beside the table")
            del names_of[row.line]
    return Listing(entry, settle(named, names_of), names_of, table.notes)


def _choose_among(listings: list[Listing], ask: Ask) -> list[Listing]:
    """Return all tables where they agree, else the one that is chosen."""
    labels: defaultdict[Parts, set[str]] = defaultdict(set)
    for listing in listings:
        for name, label in listing.labels.items():
            labels[name].add(label)
    if all(len(each) == 1 for each in labels.values()):
        return listings
    best = max(listings, key=lambda listing: len(listing.labels))
    options = tuple(Option(_path(each), _path(each), _preview(each.labels.values())) for each in listings)
    text = f"T{_named(listings)[1:]} give the same photos different classes. Which one is right?"
    answer = ask(Question("table", text, options, _path(best)))
    return [listing for listing in listings if _path(listing) == answer]


def _prefer_table(listings: Sequence[Listing], found: Found, ask: Ask) -> bool:
    """Say whether the tables decide and not the folders; ask where both give classes and they differ."""
    labels = {name: label for listing in listings for name, label in listing.labels.items()}
    photos = [entry.name for entry in found.entries]
    folders = {name: place.label for name, place in zip(photos, arrange(photos, take_default).places, strict=True)}
    listed = [(labels[name], folders[name]) for name in labels]
    if len({folder for _, folder in listed if folder is not None}) < 2 or _say_the_same(listed):
        return bool(labels) or not any(folders.values())
    default = "table" if 2 * len(labels) >= len(photos) else "folders"
    options = (
        Option("table", "The table", f"{len(labels):,} photos: {_preview(labels.values())}"),
        Option(
            "folders", "The folders", f"{len(photos):,} files: {_preview(each for each in folders.values() if each)}"
        ),
    )
    text = f"T{_named(listings)[1:]} and the folders give different classes. Which are right?"
    return ask(Question("table-or-folders", text, options, default)) == "table"


def _say_the_same(listed: Sequence[tuple[str, str | None]]) -> bool:
    """Say whether each label goes with one folder and each folder with one label, whatever they are called."""
    pairs = set(listed)
    return len(pairs) == len({label for label, _ in pairs}) == len({folder for _, folder in pairs})


def _preview(labels: Iterable[str]) -> str:
    names = sorted(set(labels))
    more = f" and {len(names) - SHOWN_CLASSES:,} more" if len(names) > SHOWN_CLASSES else ""
    return f"{len(names):,} classes: {', '.join(names[:SHOWN_CLASSES])}{more}"


def _path(listing: Listing) -> str:
    return "/".join(listing.entry.name)


def _named(listings: Sequence[Listing]) -> str:
    names = " and ".join(repr(listing.name) for listing in listings[:SHOWN_CLASSES])
    return f"the table {names}" if len(listings) == 1 else f"the tables {names}"


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
            if not is_junk(name) and not _may_be_table(name):
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


def shown(row: Row, table: str) -> str:
    return row.path or f"line {row.line} of {table}"
