"""What a source holds: every file, to be decoded, set aside with its reason, or ignored; and where each belongs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from thaw.names import Parts
from thaw.storage.records import Role
from tlcore.photos import Part, SetAside

if TYPE_CHECKING:
    # Every decoding process loads this module, and none of them reads annotations.
    from thaw.boxes.annotations import Annotations

Mark = tuple[int, int]
"""A file's size in bytes and when it was written last, in nanoseconds: another mark, another file."""
CHANGED = "it changed while it was being read; add it again once nothing writes to it"


@dataclass(frozen=True)
class Entry:
    """A file to decode: `name` is its checked relative path, as data; `path` is where its bytes are.

    `label` is the class that a table gives it, or None where its folders tell; `split` is "train", "validation" or
    "test" where a table says so, or "". `mark` is the file's own where others may change it.
    """

    name: Parts
    path: Path
    size: int
    label: str | None = None
    mark: Mark | None = None
    split: str = ""


@dataclass
class Found:
    """Every file of a source: to be decoded, set aside with a reason, or ignored (system files); and notes.

    `annotations` is what its annotation files, which are ignored then, tell of boxes on its photos.
    """

    entries: list[Entry] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    ignored: int = 0
    notes: list[str] = field(default_factory=list)
    annotations: Annotations | None = None

    @property
    def count(self) -> int:
        return len(self.entries) + len(self.set_aside) + self.ignored


def mark_of(status: os.stat_result) -> Mark:
    """Return what tells a file from what it was, or from another that has come to lie in its place."""
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class Place:
    """Where a file belongs: its class (None for none that is told), its role and its part in a ready-made split.

    `reason` says why it is to be set aside, or is "".
    """

    label: str | None
    role: Role = "main"
    part: Part = ""
    reason: str = ""


@dataclass(frozen=True)
class Layout:
    """The place of each file, and notes in plain words."""

    places: list[Place]
    notes: list[str]
