"""The journal of a data set: a file to which every change is added, so that its rows can be made again.

One line of JSON an entry, made durable before the database commits it. Nothing in it is ever written anew.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlcore.files import sync_folder

JournalEntry = dict[str, Any]


@dataclass(frozen=True)
class Journal:
    """The entries in one file; one process at a time adds to it."""

    path: Path

    @property
    def size(self) -> int:
        """Bytes so far; 0 where there is no file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, entry: JournalEntry) -> int:
        """Add an entry and make it durable; return the bytes in all. A full disk leaves what was there before."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        fresh = not self.path.exists()
        with self.path.open("ab+", buffering=0) as file:
            start = file.seek(0, os.SEEK_END)
            if start:
                file.seek(start - 1)
                # Behind a line that a kill left torn, which no reader then takes for the beginning of this one.
                line = line if file.read(1) == b"\n" else b"\n" + line
            try:
                _write_whole(file.fileno(), line)
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), start)
                raise
        if fresh:
            sync_folder(self.path.parent)
        return start + len(line)

    def cut(self, start: int, end: int) -> None:
        """Take back the entry between these positions, whose change did not come about; others are left alone."""
        if self.size == end:
            os.truncate(self.path, start)

    def read(self, start: int = 0) -> Iterator[JournalEntry | None]:
        """Yield the entries from a position on; None stands for a line that cannot be read."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(start)
            for line in file:
                if line.strip():
                    yield _parse(line)


def _parse(line: bytes) -> JournalEntry | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _write_whole(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
