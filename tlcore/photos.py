"""A photo as the method sees it, the order in which names are listed, and files that are set aside or ignored."""

import re
from dataclasses import dataclass, field
from typing import Literal, TypeVar

Part = Literal["", "training", "validation"]

_DIGITS = re.compile(r"([0-9]+)")
# Names that no person gives to a class, as parts of a pattern. "thumbs", "recycled" or "unknown" may be classes.
_SYSTEM_FOLDERS = (
    # What macOS, Windows and Linux keep beside people's files.
    *("__macosx", "network trash folder", "temporary items", r"\$recycle\.bin", "system volume information"),
    *(r"lost\+found", r"\$extend", r"found\.\d{3}"),
    # Thumbnails, bins and snapshots of network storage (Synology, QNAP), of web servers and of Python.
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@__thumb", "_thumbs", "_vti_cnf"),
    "__pycache__",
)
_SYSTEM_FILES = (r"(?:eh)?thumbs(?:_vista)?\.db", r"desktop\.ini", r"icon\r", r"zbthumbnail\.info")
# Written so that a browser reads it too: any part that begins with a dot, a system's folder, or a system's file.
JUNK = rf"(?:^|[/\\])(?:\.(?!\.?(?:[/\\]|$))|(?:{'|'.join(_SYSTEM_FOLDERS)})[/\\]|(?:{'|'.join(_SYSTEM_FILES)})$)"
_JUNK = re.compile(JUNK, re.IGNORECASE)
# As the dashboard names the frames of a camera or a video: a recording's own number, then the frame's.
_FRAME = re.compile(r"(?:^|/)(recording-[0-9a-f]{12})-\d+\.jpg$")


@dataclass(frozen=True)
class Photo:
    """One labelled image. `file` is the path of its picture, a str because 100,000 Path objects cost too much.

    `name` is where it came from (shown, never opened); `content` is a sha256 of the pixels or the file, equal for
    copies; `width` and `height` are in pixels, upright; `taken_at` is in seconds since 1970. `part` is the side on
    which it was in a split that somebody made, or "". Photos with the same `lookalike` (by fingerprint), the same
    `similar` (by features) or the same `derived` (made of one photo, by their names) are near-duplicates; "" stands
    for none.
    """

    id: str
    label: str
    name: str
    content: str
    width: int
    height: int
    taken_at: float | None = None
    part: Part = ""
    lookalike: str = ""
    similar: str = ""
    derived: str = ""
    file: str = field(default="", compare=False)

    @property
    def recording(self) -> str:
        """Return the recording that this is a frame of, as its name says it, or ""."""
        found = _FRAME.search(self.name) if "recording-" in self.name else None
        return found[1] if found else ""


P = TypeVar("P", bound=Photo)
"""A photo, or what an application makes of one."""


@dataclass(frozen=True)
class SetAside:
    """A file that was found and not accepted, with the reason in plain words."""

    name: str
    reason: str


def natural(name: str) -> tuple[list[str | tuple[int, str]], str]:
    """Return the key by which names are sorted as people count: "2" before "10", capitals beside small letters."""
    pieces: list[str | tuple[int, str]] = [*_DIGITS.split(name.casefold())]
    for place, digits in enumerate(pieces[1::2]):
        # By length and digits, since Python refuses to read very long numbers.
        number = str(digits).lstrip("0")
        pieces[2 * place + 1] = (len(number), number)
    return pieces, name


def is_junk(name: str) -> bool:
    """Say whether a file is hidden or a system's (`.ipynb_checkpoints/a.jpg`, `Thumbs.db`): ignored, but counted."""
    return _JUNK.search(name) is not None
