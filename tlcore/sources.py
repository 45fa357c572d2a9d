"""Where images come from - a folder, a zip, an upload - turned into one list of files and what became of the others."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tlcore.errors import DatasetError, ImageRejected
from tlcore.names import Parts, check_name, is_junk, legible, respelled, storable
from tlcore.records import SetAside
from tlcore.zips import Progress, unpack

SourceKind = Literal["folder", "zip", "staged"]
MAX_FILES = 200_000
REPORT_EVERY = 1000


@dataclass(frozen=True)
class Source:
    """Where to import from: a folder, a zip, or an upload's staging folder; `origin` is how it is shown afterwards."""

    kind: SourceKind
    path: Path
    origin: str


@dataclass(frozen=True)
class Entry:
    """A file to decode: `name` is its checked relative path, as data; `path` is where its bytes are."""

    name: Parts
    path: Path
    size: int


@dataclass
class Found:
    """Every file of a source: to be decoded, set aside with a reason, or ignored (system files); and notes."""

    entries: list[Entry] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    ignored: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.entries) + len(self.set_aside) + self.ignored


def collect(source: Source, unpacked: Path, progress: Progress, check_stop: Callable[[], None]) -> Found:
    """List the files of a source; a zip (or a folder or upload that holds just one) is unpacked into `unpacked`.

    Nothing of the source is changed. Raises DatasetError where the source as a whole cannot be read.
    """
    collector = _Collector(progress, check_stop)
    if source.kind == "folder":
        if source.path.is_file() and source.path.suffix.lower() == ".zip":
            return _collect_zip(source.path, unpacked, progress, check_stop)
        collector.walk(source.path)
    elif source.kind == "zip":
        return _collect_zip(source.path, unpacked, progress, check_stop)
    else:
        collector.read_manifest(source.path)
    if archive := _only_zip(collector.found):
        return _collect_zip(archive, unpacked, progress, check_stop)
    return collector.finish()


def _only_zip(found: Found) -> Path | None:
    if len(found.entries) == 1 and not found.set_aside and found.entries[0].name[-1].lower().endswith(".zip"):
        return found.entries[0].path
    return None


def _collect_zip(archive: Path, unpacked: Path, progress: Progress, check_stop: Callable[[], None]) -> Found:
    if not archive.is_file():
        raise DatasetError(
            f"Expected a zip of class folders. Received: {str(archive)!r}, which is no file. Check the path."
        )
    collector = _Collector(progress, check_stop)
    try:
        for file in unpack(archive, unpacked, progress, check_stop):
            if file.path is None:
                collector.reject(file.name, file.reason)
            else:
                collector.add(file.name, file.path, file.size)
    except PermissionError as problem:
        raise DatasetError(
            f"Expected a zip that can be read. Received: {str(archive)!r}: {problem.strerror}."
        ) from problem
    return collector.finish()


class _Collector:
    """Sorts files into a Found as they are met."""

    def __init__(self, progress: Progress, check_stop: Callable[[], None]) -> None:
        self.found = Found()
        self._progress = progress
        self._check_stop = check_stop
        self._originals: set[str] = set()

    def add(self, name: str, path: Path, size: int) -> None:
        """Take one plain file, by the name it came with."""
        if is_junk(name):
            self.found.ignored += 1
            return
        try:
            parts = check_name(storable(name))
        except ImageRejected as problem:
            self.reject(name, str(problem))
            return
        self._originals.add(storable(name).rpartition("/")[0] + "/")
        self.found.entries.append(Entry(parts, path, size))
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
                self.reject(prefix.rstrip("/"), f"this folder cannot be read: {problem.strerror}")
                continue
            for item in items:
                name = prefix + legible(os.fsencode(item.name))
                if item.is_dir(follow_symlinks=False):
                    waiting.append((Path(item.path), f"{name}/"))
                else:
                    self._take(item, name)

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
            self.add(name, Path(item.path), status.st_size)

    def _count(self) -> None:
        count = self.found.count
        if count > MAX_FILES:
            raise DatasetError(f"Expected at most {MAX_FILES:,} files. Received: more. Import the folder in parts.")
        if count % REPORT_EVERY == 0:
            self._progress("finding files", count, 0)
            self._check_stop()
