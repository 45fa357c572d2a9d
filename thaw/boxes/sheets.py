"""What annotation files say, before anybody has looked at the photos: a sheet a photo, with what is drawn on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from thaw.names import check_class_name, storable
from thaw.storage.boxes import Reason, RejectedBox
from tlcore.errors import DatasetError

MAX_FILE_BYTES = 100_000_000
"""The largest annotation file that is read: one of 68 MB, of boxes alone, took 395 MB of memory."""
MAX_MEMORY_BYTES = 1_000_000_000
"""What the values of a JSON file may take in memory: those of hostile ones take up to 40 times the file's bytes."""
# What each of these stands for takes at most, once it is read: measured with Python 3.11.
_MEMORY_OF = ((b"{", 200), (b"[", 80), (b'"', 30), (b",", 45))
HEAD_BYTES = 65_536


class Drawing(NamedTuple):
    """What is drawn around one object: its edges in pixels or, of a sheet in `shares`, in shares of the photo."""

    label: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass
class Sheet:
    """What an annotation file says of one photo. `file` is how that file is called, `photo` the photo as it names it.

    `size` is the width and height in pixels that the file states of the photo, None where it states none.
    """

    file: str
    photo: str
    size: tuple[int, int] | None = None
    shares: bool = False
    drawings: list[Drawing] = field(default_factory=list)
    rejected: list[RejectedBox] = field(default_factory=list)

    def __post_init__(self) -> None:
        # JSON can name a photo by half a character, which no database keeps.
        self.photo = storable(self.photo)

    def draw(self, label: object, edges: Sequence[object]) -> None:
        """Take a drawing with its left, upper, right and lower edge; reject what is none."""
        name = read_label(label)
        numbers = [read_number(edge) for edge in edges]
        if any(number is None for number in numbers) or len(numbers) != 4:
            self.reject(label, Reason.NOT_NUMBERS)
        elif name is None:
            self.reject(label, Reason.UNKNOWN_CLASS)
        else:
            self.drawings.append(Drawing(name, *(number for number in numbers if number is not None)))

    def reject(self, label: object, reason: Reason) -> None:
        """Note that a box is none of the data set's."""
        self.rejected.append(RejectedBox(self.file, self.photo, shown(label), reason))

    def reject_all(self, reason: Reason) -> list[RejectedBox]:
        """Return every box of the sheet as rejected, those for this reason that had none of their own."""
        rest = [RejectedBox(self.file, self.photo, drawing.label, reason) for drawing in self.drawings]
        return [*self.rejected, *rest]


def read_number(value: object) -> float | None:
    """Return a finite number, or None for anything else: a text, a truth value, NaN, one that is too large."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def read_size(width: object, height: object) -> tuple[int, int] | None:
    """Return a size in pixels, or None where none is stated, as where both are 0."""
    sides = read_number(width), read_number(height)
    if sides[0] is None or sides[1] is None or min(sides[0], sides[1]) < 1:
        return None
    return round(sides[0]), round(sides[1])


def read_label(label: object) -> str | None:
    """Return what an object is called, or None for what can be no class."""
    if not isinstance(label, str):
        return None
    try:
        return check_class_name(label)
    except DatasetError:
        return None


def shown(label: object) -> str:
    """Return whatever stands in the place of a class as a text."""
    return storable(label) if isinstance(label, str) else "" if label is None else str(label)[:100]


def is_huge(path: Path) -> bool:
    """Say whether a file is too large to be read as one of annotations, or cannot be asked."""
    try:
        return path.stat().st_size > MAX_FILE_BYTES
    except OSError:
        return True


def is_dense(content: bytes) -> bool:
    """Say of a JSON file whether its values may take more than `MAX_MEMORY_BYTES` once they are read."""
    return sum(content.count(mark) * size for mark, size in _MEMORY_OF) > MAX_MEMORY_BYTES


def seems_annotated(path: Path) -> bool:
    """Say of a file that could not be read whether it begins as one of annotations does."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return any(word in head for word in (b'"annotations"', b'"annotation"', b"<annotation", b"<bndbox"))
