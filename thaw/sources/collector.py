"""Sorts the files of a folder, an upload, a table or archives into what is to be decoded, set aside or ignored."""

import json
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from thaw.archives.archives import explain_unread
from thaw.archives.entries import Entry, Found, Mark, mark_of
from thaw.archives.zips import LINK, Progress, Unpacked
from thaw.names import check_name, legible, respelled, storable
from thaw.sources.contents import MAX_FILES, TOO_MANY_FILES, Contents
from thaw.sources.listed_files import read_rows
from thaw.sources.tables import Row
from thaw.storage.questions import Ask
from thaw.tables.code_pages import choose_codec, is_utf8
from tlcore.errors import DatasetError, ImageRejected
from tlcore.photos import SetAside, is_junk
from tlcore.progress import Stage

REPORT_EVERY = 1000


class Collector:
    """Sorts files into a Found as they are met."""

    def __init__(self, progress: Progress, check_stop: Callable[[], None]) -> None:
        self.found = Found()
        self._progress = progress
        self._check_stop = check_stop
        self._originals: set[str] = set()
        self._undecided: list[Unpacked] = []

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
        if reason := explain_unread(parts[-1]):
            self.reject(name, reason)
            return
        self._originals.add(storable(name).rpartition("/")[0] + "/")
        self.found.entries.append(Entry(parts, path, size, label, mark, split))
        self._count()

    def reject(self, name: str, reason: str) -> None:
        self.found.set_aside.append(SetAside(storable(name), reason))
        self._count()

    def finish(self, ask: Ask) -> Found:
        """Return what was taken by now; `ask` is called for names of files that are in an unknown code page."""
        if self._undecided:
            codec, note = choose_codec([file.raw for file in self._undecided], "ansi", ask)
            self.take(Contents([replace(file, name=file.raw.decode(codec)) for file in self._undecided], notes=[note]))
            self._undecided.clear()
        self.found.notes += respelled(self._originals)
        self._originals.clear()
        return self.found

    def walk(self, root: Path) -> None:
        """Take every file below a folder, following no link and opening nothing that is not a plain file."""
        if not root.is_dir():
            raise DatasetError(
                f"Expected a folder of class folders. Received: {str(root)!r}, which is no folder here. Check the path."
            )
        waiting = [(root, b"")]
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
                if not self.ignores(legible(prefix)):
                    self.reject(legible(prefix.rstrip(b"/")), f"this folder cannot be read: {problem.strerror}")
                continue
            if prefix and not items and not is_junk(legible(prefix)):
                self.found.notes.append(f"The folder {legible(prefix.rstrip(b'/'))!r} is empty and makes no class.")
            for item in items:
                name = prefix + os.fsencode(item.name)
                if item.is_dir(follow_symlinks=False):
                    waiting.append((Path(item.path), name + b"/"))
                else:
                    self._take(item, name)

    def take(self, contents: Contents) -> None:
        """Take what came out of archives."""
        self.found.set_aside += contents.refused
        self.found.notes += contents.notes
        for file in contents.files:
            if self.ignores(file.name):
                continue
            if file.path is None:
                self.reject(file.name, file.reason)
            else:
                self.add(file.name, file.path, file.size, mark=file.mark)

    def read_table(self, table: Path, roots: Sequence[Path] | None, ask: Ask) -> None:
        """Take the files that a table lists; a row that gives none is set aside with its reason.

        A photo that a person lists is meant, even where it lies in a hidden folder.
        """
        rows, notes = read_rows(table, roots, self._check_stop, ask)
        self.found.notes += notes
        for row, path in rows:
            if path is None:
                self.reject(row.shown(table.name), row.reason)
                continue
            if self.ignores(path.name):
                continue
            try:
                status = path.stat()
            except OSError as problem:
                self.reject(row.shown(table.name), f"it cannot be read: {problem.strerror}")
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

    def _take(self, item: os.DirEntry[str], raw: bytes) -> None:
        file = _examine(item, raw)
        if file.raw:
            self._undecided.append(file)
        else:
            self.take(Contents([file]))

    def _count(self) -> None:
        count = self.found.count
        if count > MAX_FILES:
            raise DatasetError(TOO_MANY_FILES)
        if count % REPORT_EVERY == 0:
            self._progress(Stage.FINDING_FILES, count, 0)
            self._check_stop()


def _examine(item: os.DirEntry[str], raw: bytes) -> Unpacked:
    """Say of what lies in a folder whether it is a plain file; its name is in `raw` where it is not UTF-8."""
    name = legible(raw)
    unknown = b"" if is_utf8([raw]) else raw
    try:
        status = item.stat(follow_symlinks=False)
    except OSError as problem:
        return Unpacked(name, None, 0, f"it cannot be read: {problem.strerror}", unknown)
    if stat.S_ISLNK(status.st_mode):
        return Unpacked(name, None, 0, LINK, unknown)
    if not stat.S_ISREG(status.st_mode):
        return Unpacked(name, None, 0, "it is not a plain file (a pipe, a device or a socket)", unknown)
    return Unpacked(name, Path(item.path), status.st_size, raw=unknown, mark=mark_of(status))


def _name_in(folder: Path, path: Path, row: Row) -> str:
    """Return how a file that a table lists is called: as its row writes it, if it is written as a plain path."""
    written = row.path.removeprefix(Path(row.path).anchor)
    if "\\" in written or not (folder / row.path).exists():
        return legible(os.fsencode(path.relative_to(folder.resolve())))
    return written
