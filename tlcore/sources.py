"""Where images come from - a folder, an archive, an upload, a table - turned into one list of what is found there."""

import json
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tlcore import delimited, tables, tars, zips
from tlcore.errors import DatasetError, ImageRejected
from tlcore.found import Entry, Found, Mark, mark_of
from tlcore.labels import apply_tables, read_rows, shown
from tlcore.names import check_name, is_junk, legible, respelled, storable
from tlcore.questions import Ask, take_default
from tlcore.records import SetAside
from tlcore.tables import Row
from tlcore.zips import Progress

SourceKind = Literal["folder", "zip", "tar", "staged", "csv"]
MAX_FILES = 200_000
REPORT_EVERY = 1000
UNPACKERS = {"zip": zips.unpack, "tar": tars.unpack}


@dataclass(frozen=True)
class Source:
    """Where to import from; `origin` is how it is shown afterwards.

    `path` is a folder, a zip or tar, an upload's staging folder, or a CSV of path and label. The absolute paths of a
    CSV must lie under one of `roots`; None allows any.
    """

    kind: SourceKind
    path: Path
    origin: str
    roots: Sequence[Path] | None = None


def kind_of(path: Path) -> SourceKind:
    """Tell by its name how a path on this machine is to be read."""
    name = path.name.lower()
    if name.endswith(tars.SUFFIXES):
        return "tar"
    if name.endswith((*delimited.SUFFIXES, *tables.SPREADSHEETS)):
        return "csv"
    return "zip" if name.endswith(".zip") else "folder"


def collect(
    source: Source,
    unpacked: Path,
    progress: Progress,
    check_stop: Callable[[], None],
    ask: Ask = take_default,
) -> Found:
    """List the files of a source; an archive (or the only one of a folder or upload) is unpacked into `unpacked`.

    A table of path and label at the top decides the classes. Nothing of the source is changed. Raises DatasetError
    where the source as a whole cannot be read.
    """
    kind = source.kind
    if kind != "staged" and source.path.is_dir():
        kind = "folder"
    elif kind == "folder" and source.path.is_file():
        kind = kind_of(source.path)
    collector = _Collector(progress, check_stop)
    if kind == "csv":
        collector.read_table(source.path, source.roots, ask)
        return collector.finish()
    if kind in UNPACKERS:
        collector.unpack(kind, source.path, unpacked)
    elif kind == "folder":
        collector.walk(source.path)
    else:
        collector.read_manifest(source.path)
    if kind not in UNPACKERS and (archive := _only_archive(collector.found)):
        collector = _Collector(progress, check_stop)
        collector.unpack(kind_of(Path(archive.name[-1])), archive.path, unpacked)
    found = collector.finish()
    apply_tables(found, ask)
    return found


def _name_in(folder: Path, path: Path, row: Row) -> str:
    """Return how a file that a table lists is called: as its row writes it, if it is written as a plain path."""
    written = row.path.removeprefix(Path(row.path).anchor)
    if "\\" in written or not (folder / row.path).exists():
        return legible(os.fsencode(path.relative_to(folder.resolve())))
    return written


def _only_archive(found: Found) -> Entry | None:
    if len(found.entries) == 1 and not found.set_aside and kind_of(Path(found.entries[0].name[-1])) in UNPACKERS:
        return found.entries[0]
    return None


class _Collector:
    """Sorts files into a Found as they are met."""

    def __init__(self, progress: Progress, check_stop: Callable[[], None]) -> None:
        self.found = Found()
        self._progress = progress
        self._check_stop = check_stop
        self._originals: set[str] = set()

    def ignores(self, name: str) -> bool:
        """Say, and count, whether a file is hidden or a system's."""
        junk = is_junk(name)
        self.found.ignored += junk
        return junk

    def add(
        self, name: str, path: Path, size: int, label: str | None = None, mark: Mark | None = None, split: str = ""
    ) -> None:
        """Take one plain file, by the name it came with, and the class and part that a table gives it."""
        try:
            parts = check_name(storable(name))
        except ImageRejected as problem:
            self.reject(name, str(problem))
            return
        self._originals.add(storable(name).rpartition("/")[0] + "/")
        self.found.entries.append(Entry(parts, path, size, label, mark, split))
        self._count()

    def reject(self, name: str, reason: str) -> None:
        self.found.set_aside.append(SetAside(storable(name), reason))
        self._count()

    def finish(self) -> Found:
        self.found.notes.extend(respelled(self._originals))
        return self.found

    def walk(self, root: Path) -> None:
        """Take every file below a folder, following no link and opening nothing that is not a plain file."""
        if not root.is_dir():
            raise DatasetError(
                f"Expected a folder of class folders. Received: {str(root)!r}, which is no folder here. Check the path."
            )
        waiting = [(root, "")]
        while waiting:
            folder, prefix = waiting.pop()
            try:
                with os.scandir(folder) as found:
                    items = sorted(found, key=lambda item: item.name)
            except OSError as problem:
                if folder == root:
                    raise DatasetError(
                        f"Expected a folder that can be read. Received: {str(root)!r}: {problem.strerror}."
                    ) from problem
                if not self.ignores(prefix):
                    self.reject(prefix.rstrip("/"), f"this folder cannot be read: {problem.strerror}")
                continue
            if prefix and not items and not is_junk(prefix):
                self.found.notes.append(f"The folder {storable(prefix.rstrip('/'))!r} is empty and makes no class.")
            for item in items:
                name = prefix + legible(os.fsencode(item.name))
                if item.is_dir(follow_symlinks=False):
                    waiting.append((Path(item.path), f"{name}/"))
                elif not self.ignores(name):
                    self._take(item, name)

    def unpack(self, kind: SourceKind, archive: Path, folder: Path) -> None:
        """Take the files of a zip or tar, which are unpacked into `folder`."""
        if not archive.is_file():
            raise DatasetError(
                f"Expected a {kind} of class folders. Received: {str(archive)!r}, which is no file. Check the path."
            )
        try:
            mark = mark_of(archive.stat())
            for file in UNPACKERS[kind](archive, folder, self._progress, self._check_stop):
                if self.ignores(file.name):
                    continue
                if file.path is None:
                    self.reject(file.name, file.reason)
                else:
                    self.add(file.name, file.path, file.size)
            # A tar has no checksums: what was written into it meanwhile may have come out under another name.
            if mark_of(archive.stat()) != mark:
                raise DatasetError(
                    f"Expected a {kind} that stays as it is while it is read. Received: {archive.name!r}, which "
                    "changed meanwhile. Add it again once nothing writes to it."
                )
        except (PermissionError, FileNotFoundError) as problem:
            raise DatasetError(
                f"Expected a {kind} that can be read. Received: {str(archive)!r}: {problem.strerror}."
            ) from problem

    def read_table(self, table: Path, roots: Sequence[Path] | None, ask: Ask) -> None:
        """Take the files that a table lists; a row that gives none is set aside with its reason.

        A photo that a person lists is meant, even where it lies in a hidden folder.
        """
        rows, notes = read_rows(table, roots, self._check_stop, ask)
        self.found.notes += notes
        for row, path in rows:
            if path is None:
                self.reject(shown(row, table.name), row.reason)
                continue
            if self.ignores(path.name):
                continue
            try:
                status = path.stat()
            except OSError as problem:
                self.reject(shown(row, table.name), f"it cannot be read: {problem.strerror}")
            else:
                self.add(_name_in(table.parent, path, row), path, status.st_size, row.label, mark_of(status), row.split)

    def read_manifest(self, staging: Path) -> None:
        """Take the files of an upload: `files/<n>` under the names that `manifest.jsonl` gives, one object a line."""
        manifest = staging / "manifest.jsonl"
        if not manifest.is_file():
            raise DatasetError("Expected an upload. Received: nothing (no file arrived). Add the photos again.")
        with manifest.open("rb") as lines:
            for line in lines:
                # The upload's last line may have been cut by a kill; the file it was to name never arrived.
                if line.endswith(b"\n"):
                    self._take_uploaded(staging, json.loads(line))

    def _take_uploaded(self, staging: Path, row: dict[str, str]) -> None:
        # The browser lists what is hidden, but does not send it.
        if self.ignores(row["name"]):
            return
        if "reason" in row:
            self.reject(row["name"], row["reason"])
            return
        number = row["file"]
        path = staging / "files" / number
        if not number.isalnum() or not path.is_file() or path.stat().st_size != int(row["size"]):
            self.reject(row["name"], "it did not arrive whole; add it again")
            return
        self.add(row["name"], path, int(row["size"]))

    def _take(self, item: os.DirEntry[str], name: str) -> None:
        try:
            status = item.stat(follow_symlinks=False)
        except OSError as problem:
            self.reject(name, f"it cannot be read: {problem.strerror}")
            return
        if stat.S_ISLNK(status.st_mode):
            self.reject(name, "it is a symbolic link; links are never followed")
        elif not stat.S_ISREG(status.st_mode):
            self.reject(name, "it is not a plain file (a pipe, a device or a socket)")
        else:
            self.add(name, Path(item.path), status.st_size, mark=mark_of(status))

    def _count(self) -> None:
        count = self.found.count
        if count > MAX_FILES:
            raise DatasetError(f"Expected at most {MAX_FILES:,} files. Received: more. Import the folder in parts.")
        if count % REPORT_EVERY == 0:
            self._progress("finding files", count, 0)
            self._check_stop()
