"""Unpacks the archives of a source, and tells what each of their files is called in it."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from thaw.archives import tars, zips
from thaw.archives.archives import (
    MAX_ARCHIVES,
    archive_kind,
    class_of_archive,
    is_teachable,
    place_archives,
    sort_sample,
)
from thaw.archives.entries import Entry, mark_of
from thaw.archives.zips import Progress, Unpacked
from thaw.names import Parts, check_name, storable
from thaw.storage.questions import Ask
from thaw.tables.code_pages import choose_codec
from tlcore.errors import DatasetError, ImageRejected
from tlcore.photos import SetAside, is_junk

UNPACKERS: Mapping[str, Callable[..., Iterator[Unpacked]]] = {"zip": zips.unpack, "tar": tars.unpack}
MAX_FILES = 200_000
TOO_MANY_FILES = f"Expected at most {MAX_FILES:,} files. Received: more. Import the folder in parts."
LEFT_OUT = "this archive was left out: {problem}"
NAMED_CLASSES = 8


@dataclass
class Contents:
    """The files of archives, each under the name it has in the source; archives that were refused; and notes."""

    files: list[Unpacked] = field(default_factory=list)
    refused: list[SetAside] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def unpack_one(
    kind: str, name: Parts, path: Path, folder: Path, progress: Progress, check_stop: Callable[[], None], ask: Ask
) -> Contents:
    """Unpack the one archive that a source is, a zip or tar; raise DatasetError where it cannot be read."""
    return _name({name: _unpack(path, kind, folder, progress, check_stop, 0)}, None, ask)


def unpack_all(
    archives: Sequence[Entry],
    besides: Sequence[Parts] | None,
    folder: Path,
    progress: Progress,
    check_stop: Callable[[], None],
    ask: Ask,
) -> Contents:
    """Unpack archives that lie among other files; the limits hold for all of them together.

    One that cannot be read is refused, and the others stand. Each that holds no class folders makes a class, as
    `place_archives` says of archives `besides` these files; for None their files keep their names. Raises DatasetError
    where the archives are too many.
    """
    if len(archives) > MAX_ARCHIVES:
        raise DatasetError(
            f"Expected at most {MAX_ARCHIVES:,} archives. Received: {len(archives):,}. Add fewer at once."
        )
    refused: list[SetAside] = []
    unpacked: dict[Parts, list[Unpacked]] = {}
    earlier = count = 0
    for number, entry in enumerate(archives):
        part, kind = folder / str(number), archive_kind(entry.name[-1])
        try:
            files = _unpack(entry.path, kind, part, progress, check_stop, earlier)
        except DatasetError as problem:
            shutil.rmtree(part, ignore_errors=True)
            refused.append(SetAside("/".join(entry.name), LEFT_OUT.format(problem=str(problem).rstrip("."))))
            continue
        unpacked[entry.name] = files
        earlier += sum(file.size for file in files)
        count += len(files)
        if count > MAX_FILES:
            raise DatasetError(TOO_MANY_FILES)
    return replace(_name(unpacked, besides, ask), refused=refused)


def _unpack(
    archive: Path, kind: str, folder: Path, progress: Progress, check_stop: Callable[[], None], earlier: int
) -> list[Unpacked]:
    if not archive.is_file():
        raise DatasetError(
            f"Expected a {kind} of class folders. Received: {str(archive)!r}, which is no file. Check the path."
        )
    try:
        mark = mark_of(archive.stat())
        files = list(UNPACKERS[kind](archive, folder, progress, check_stop, earlier=earlier))
        # A tar has no checksums: what was written into it meanwhile may have come out under another name.
        if mark_of(archive.stat()) != mark:
            raise DatasetError(
                f"Expected a {kind} that stays as it is while it is read. Received: {archive.name!r}, which "
                "changed meanwhile. Add it again once nothing writes to it."
            )
        return files
    except (PermissionError, FileNotFoundError) as problem:
        raise DatasetError(
            f"Expected a {kind} that can be read. Received: {str(archive)!r}: {problem.strerror}."
        ) from problem


def _name(unpacked: Mapping[Parts, list[Unpacked]], besides: Sequence[Parts] | None, ask: Ask) -> Contents:
    """Give each file the name it has in the source; with `besides`, put each archive in its place among these."""
    codec, note = choose_codec([file.raw for files in unpacked.values() for file in files if file.raw], "oem", ask)
    contents = Contents(notes=[note] if note else [])
    named = {archive: _readable(archive, files, codec) for archive, files in unpacked.items()}
    if besides is None:
        contents.files += [file for files in named.values() for file in files]
        return contents
    parts = {archive: [_parts(file.name) for file in files] for archive, files in named.items()}
    places = place_archives({archive: [each for each in listed if each] for archive, listed in parts.items()}, besides)
    for archive, files in named.items():
        before, own = places[archive]
        for file, name in zip(files, parts[archive], strict=True):
            contents.files.append(replace(file, name="/".join((*before, *name[own:]))) if name else file)
    made = sorted({places[archive][0][-1] for archive in places if _makes_class(archive, places[archive][0])})
    if made:
        named_classes = ", ".join(made[:NAMED_CLASSES])
        more = f" and {len(made) - NAMED_CLASSES:,} more" if len(made) > NAMED_CLASSES else ""
        contents.notes.append(
            f"Archives without class folders each make the class they are called after: {named_classes}{more}."
        )
    return contents


def _makes_class(archive: Parts, before: Parts) -> bool:
    return before == (*archive[:-1], class_of_archive(archive[-1]))


def _readable(archive: Parts, files: Sequence[Unpacked], codec: str) -> list[Unpacked]:
    """Return the files under names in which "/" parts the folders."""
    read = [replace(file, name=_decoded(file, codec), raw=b"", backslashes=False) for file in files]
    if is_teachable(archive[-1], [file.name for file in read]):
        return [replace(file, name=sort_sample(file.name)) for file in read]
    return read


def _decoded(file: Unpacked, codec: str) -> str:
    name = file.raw.decode(codec) if file.raw else file.name
    return name.replace("\\", "/") if file.backslashes else name


def _parts(name: str) -> Parts:
    """Return the parts of a name, or () where it is refused or ignored whatever it is called."""
    if is_junk(name):
        return ()
    try:
        return check_name(storable(name))
    except ImageRejected:
        return ()
