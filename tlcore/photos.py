"""A photo as the method sees it, the order in which names are listed, and a file that was set aside."""

import re
from dataclasses import dataclass, field
from typing import Literal, TypeVar

Part = Literal["", "training", "validation"]

_DIGITS = re.compile(r"([0-9]+)")


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
