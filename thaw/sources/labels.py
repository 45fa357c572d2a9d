"""Lets the tables of files and classes that lie beside photos decide the classes of these."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from thaw.archives.entries import Entry, Found
from thaw.names import Parts
from thaw.pictures.decode import explain_no_picture
from thaw.sources import tables
from thaw.sources.class_names import may_name_classes, names_classes, read_class_names
from thaw.sources.layout import UNLABELLED, arrange, is_picture
from thaw.sources.parts import read_part
from thaw.sources.tables import NotATable, Row, Table, read_table, refused, settle
from thaw.storage.questions import Ask, Option, Question, take_default
from thaw.tables.columns import split_of
from thaw.tables.file_index import FileIndex, common_folders
from tlcore.errors import DatasetError, ImageRejected
from tlcore.photos import SetAside

NOT_LISTED = "the table {table!r} does not list it"
# A table lies beside the folders of photos, or in one folder more; among very many text files none is looked for.
DEEPEST = 1
MOST_TABLES = 50
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


def apply_tables(found: Found, ask: Ask) -> None:
    """Let the tables of files and classes near the top of a source, if there are any, decide the classes of its files.

    The tables' paths are names beside them, and open nothing. They are themselves ignored, and counted; files that
    they do not list are set aside, and so is each row that gives no file a label. Where tables contradict each other,
    or the folders, `ask` is called. A file that seems to be a table and cannot be read is set aside with the reason.
    """
    listings, unused = _read_listings(found, ask)
    if listings:
        _decide(listings, unused, found, ask)
    for entry, reason in unused.items():
        found.entries[:] = [each for each in found.entries if each != entry]
        found.set_aside.append(SetAside("/".join(entry.name), reason))
        found.notes.append(f"The table {entry.name[-1]!r} was not used: {reason.rstrip('.')}.")


def _decide(listings: list[Listing], unused: dict[Entry, str], found: Found, ask: Ask) -> None:
    """Let tables decide the classes, unless the folders are chosen; `unused` ones may name classes that are numbers."""
    entries = {listing.entry for listing in listings}
    found.entries[:] = [entry for entry in found.entries if entry not in entries]
    found.ignored += len(entries)
    chosen = _choose_among(listings, ask)
    if not _prefer_table(chosen, found, ask):
        found.notes.append(f"The folders decide the classes, not {_named(chosen)}.")
        return
    for listing in chosen:
        _apply(listing, found)
    _name_numbers(found, unused)
    _set_rest_aside(chosen, unused, found)
    found.notes.append(f"The classes come from {_named(chosen)}, not from folders.")


def _apply(listing: Listing, found: Found) -> None:
    """Give the files of one table their classes, and account for its rows that give none."""
    labels, splits = listing.labels, {listing.names_of[row.line]: row.split for row in listing.rows if row.split}
    part = split_of(listing.name.partition(".")[0])
    for place, entry in enumerate(found.entries):
        if entry.name in labels:
            split = splits.get(entry.name, part)
            found.entries[place] = replace(entry, label=labels[entry.name], split=split)
    found.set_aside += [SetAside(row.shown(listing.name), row.reason) for row in listing.rows if row.reason]
    found.notes += listing.notes
    if splits:
        counts = ", ".join(f"{count:,} {split}" for split, count in sorted(Counter(splits.values()).items()))
        found.notes.append(f"A column of {listing.name!r} says which part each photo is of: {counts}.")


def _name_numbers(found: Found, unused: dict[Entry, str]) -> None:
    """Give classes that are numbers the names that a list beside the table has for all of them."""
    numbers = {entry.label for entry in found.entries if entry.label is not None}
    if not all(number.isdecimal() for number in numbers):
        return
    depth = len(common_folders([entry.name for entry in found.entries]))
    near = [entry for entry in found.entries if len(entry.name) - 1 <= depth + DEEPEST]
    for listed in [entry for entry in near if may_name_classes(entry.name[-1])][:MOST_TABLES]:
        if names := read_class_names(listed.path, numbers):
            found.entries.remove(listed)
            unused.pop(listed, None)
            found.ignored += 1
            found.entries[:] = [replace(each, label=names.get(each.label or "", each.label)) for each in found.entries]
            found.notes.append(f"The names of the classes come from {listed.name[-1]!r}.")
            return


def _set_rest_aside(listings: Sequence[Listing], unused: Iterable[Entry], found: Found) -> None:
    """Set aside what no table gives a class; a file that a row tells of is not counted again.

    Photos of a folder such as "test" that no table lists are those whose classes are to be found out: they stay
    without one.
    """
    told = {name for listing in listings for name in listing.names_of.values()} | {entry.name for entry in unused}
    reason = NOT_LISTED.format(table=" or ".join(listing.name for listing in listings))
    listed = {entry.name[:depth] for entry in found.entries if entry.label for depth in range(1, len(entry.name))}
    kept: list[Entry] = []
    for entry in found.entries:
        if entry.label is not None:
            kept.append(entry)
        elif entry.name not in told and _lacks_classes(entry, listed):
            kept.append(replace(entry, split=UNLABELLED))
        elif entry.name not in told:
            found.set_aside.append(SetAside("/".join(entry.name), explain_no_picture(entry.path) or reason))
    found.entries[:] = kept


def _lacks_classes(entry: Entry, listed: Collection[Parts]) -> bool:
    """Say whether a photo lies in a folder called after a test or unlabelled part, of which no photo is `listed`."""
    name = entry.name
    parts = [name[:depth] for depth in range(1, len(name)) if _is_part(name[depth - 1])]
    return is_picture(name[-1]) and any(part not in listed for part in parts)


def _is_part(folder: str) -> bool:
    part = read_part(folder)
    return part is not None and part[0] in ("test", UNLABELLED)


def _read_listings(found: Found, ask: Ask) -> tuple[list[Listing], dict[Entry, str]]:
    """Read the tables near the top that name files which are there; return them, and why others are of no use."""
    listings: list[Listing] = []
    unused: dict[Entry, str] = {}
    candidates = _candidates(found.entries)
    if not candidates:
        return [], {}
    photos = [entry.name for entry in found.entries if not tables.may_be_table(entry.name[-1])]
    index = FileIndex(photos)
    # What is in columns of other names may be anything, and the folders give classes already.
    named = len(set(_folder_classes(photos)) - {None}) > 1
    for entry in candidates:
        name = entry.name[-1]
        exists = partial(index.exists, folder=entry.name[:-1])
        try:
            table = read_table(entry.path, exists, ask, name, named or names_classes(name))
        except DatasetError as problem:
            if not isinstance(problem, NotATable) or problem.files:
                unused[entry] = str(problem)
            continue
        listing = _listing(entry, table, index)
        if listing.names_of:
            listings.append(listing)
        else:
            unused[entry] = _names_nothing(name, table)
    return listings, unused


def _folder_classes(photos: Sequence[Parts]) -> list[str | None]:
    """Return the class of each photo as its folders tell it, without asking."""
    return [place.label for place in arrange(photos, take_default).places]


def _names_nothing(name: str, table: Table) -> str:
    first = next((row.path for row in table.rows if row.path), "")
    return (
        f"expected a table that names the photos which are here, by their paths from the folder that holds {name!r}. "
        f"Received: {len(table.rows):,} rows that name none of them, such as {first[:100]!r}. Correct its paths"
    )


def _candidates(entries: Sequence[Entry]) -> list[Entry]:
    """Return what may be a table by its name and place, the nearest to the top first."""
    depth = len(common_folders([entry.name for entry in entries]))
    near = [
        entry
        for entry in entries
        if len(entry.name) - 1 <= depth + DEEPEST
        and tables.may_be_table(entry.name[-1])
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
    folders = dict(zip(photos, _folder_classes(photos), strict=True))
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
