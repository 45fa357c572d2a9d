"""What a source holds: every file, to be decoded, set aside with its reason, or ignored."""

from dataclasses import dataclass, field
from pathlib import Path

from tlcore.names import Parts
from tlcore.records import SetAside


@dataclass(frozen=True)
class Entry:
    """A file to decode: `name` is its checked relative path, as data; `path` is where its bytes are; `label` is the
    class that a table gives it, or None where its folders tell."""

    name: Parts
    path: Path
    size: int
    label: str | None = None


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
