"""Turns what a sheet says of a photo into boxes on its upright picture, or says of each why it cannot be one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from thaw.boxes.sheets import Drawing, Sheet
from thaw.storage.boxes import DECIMALS, MOST_ON_A_PHOTO, Reason, RejectedBox
from tlcore.boxes import Box

When = Literal["before", "after"]
"""Whether boxes were drawn before or after their photo was turned upright."""
UPRIGHT = 1
LEAST_INSIDE = 0.5
"""What share of a box must lie within its photo for the rest to be cut off."""
_Point = tuple[float, float]
# By the orientation that EXIF states: where a point of the stored picture lies once that is upright, in shares.
_TURNED: dict[int, Callable[[float, float], _Point]] = {
    1: lambda x, y: (x, y),
    2: lambda x, y: (1 - x, y),
    3: lambda x, y: (1 - x, 1 - y),
    4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x),
    6: lambda x, y: (1 - y, x),
    7: lambda x, y: (1 - y, 1 - x),
    8: lambda x, y: (y, 1 - x),
}
_FIRST_SIDEWAYS = 5


@dataclass(frozen=True)
class Upright:
    """A photo as it was found: its width and height in pixels once upright, and its orientation as EXIF states it."""

    width: int
    height: int
    orientation: int = UPRIGHT

    @property
    def stored(self) -> tuple[int, int]:
        """Return width and height as the file has them, before it is turned."""
        sideways = self.orientation >= _FIRST_SIDEWAYS
        return (self.height, self.width) if sideways else (self.width, self.height)


@dataclass
class Placed:
    """The boxes of a photo, those that were rejected, and how many were cut at its edges."""

    boxes: list[Box] = field(default_factory=list)
    rejected: list[RejectedBox] = field(default_factory=list)
    cut: int = 0


def tell_when(sheet: Sheet, photo: Upright) -> When | None:
    """Return whether the boxes of a sheet were drawn before or after turning, by the size that it states of the photo.

    None where that cannot be told: no size is stated, or turning left it as it was.
    """
    if photo.orientation == UPRIGHT:
        return "after"
    if sheet.shares or sheet.size is None or photo.stored == (photo.width, photo.height):
        return None
    return "before" if sheet.size == photo.stored else "after"


def place(sheets: Sequence[Sheet], photo: Upright, when: When | None) -> Placed:
    """Return the boxes that sheets draw on one photo; `when` holds where `tell_when` cannot tell."""
    placed = Placed()
    seen: set[Box] = set()
    for sheet in sheets:
        drawn = tell_when(sheet, photo) or when or "after"
        width, height = photo.stored if drawn == "before" else (photo.width, photo.height)
        if sheet.size not in (None, (width, height)):
            placed.rejected += sheet.reject_all(Reason.WRONG_SIZE)
            continue
        placed.rejected += sheet.rejected
        turn = _TURNED[photo.orientation if drawn == "before" else UPRIGHT]
        across, down = (1, 1) if sheet.shares else (width, height)
        for drawing in sheet.drawings:
            _take(drawing, (across, down), turn, sheet, seen, placed)
    return placed


def _take(
    drawing: Drawing,
    sides: tuple[int, int],
    turn: Callable[[float, float], _Point],
    sheet: Sheet,
    seen: set[Box],
    placed: Placed,
) -> None:
    outcome, cut = _box(drawing, *sides, turn)
    if isinstance(outcome, Box):
        # Kept boxes are as exact, and two that are kept alike are one.
        outcome = Reason.SAME_BOX_TWICE if outcome in seen else outcome
    if isinstance(outcome, Box) and len(placed.boxes) == MOST_ON_A_PHOTO:
        outcome = Reason.TOO_MANY
    if isinstance(outcome, Reason):
        placed.rejected.append(RejectedBox(sheet.file, sheet.photo, drawing.label, outcome))
        return
    seen.add(outcome)
    placed.boxes.append(outcome)
    placed.cut += cut


def _box(
    drawing: Drawing, width: int, height: int, turn: Callable[[float, float], _Point]
) -> tuple[Box | Reason, bool]:
    """Return a drawing as a box on the upright photo, or why it is none; and whether it was cut at an edge."""
    label, left, top, right, bottom = drawing
    edges = left / width, top / height, right / width, bottom / height
    area = (edges[2] - edges[0]) * (edges[3] - edges[1])
    if edges[2] <= edges[0] or edges[3] <= edges[1]:
        return Reason.ZERO_AREA, False
    inside = [min(1.0, max(0.0, edge)) for edge in edges]
    kept = (inside[2] - inside[0]) * (inside[3] - inside[1])
    if not kept or kept < LEAST_INSIDE * area:
        return Reason.OUTSIDE_IMAGE, False
    (x1, y1), (x2, y2) = turn(inside[0], inside[1]), turn(inside[2], inside[3])
    x, y = round(min(x1, x2), DECIMALS), round(min(y1, y2), DECIMALS)
    across, down = round(abs(x2 - x1), DECIMALS), round(abs(y2 - y1), DECIMALS)
    if not across or not down:
        return Reason.ZERO_AREA, False
    # What the rounding of a file's own numbers leaves beyond an edge is not worth telling.
    return Box(label, x, y, across, down), kept < 0.999 * area
