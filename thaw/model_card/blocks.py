"""What a model card is made of: sections of blocks, which say nothing of how they will be written down."""

from collections.abc import Sequence
from dataclasses import dataclass

REPLACEMENT = "\ufffd"


@dataclass(frozen=True)
class Paragraph:
    """Plain text; an `open_question` is one that the person has still to answer, and stands out."""

    text: str
    open_question: bool = False


@dataclass(frozen=True)
class Bullets:
    """Plain texts, one a line."""

    items: Sequence[str]


@dataclass(frozen=True)
class CardTable:
    """A table whose first column names its rows; `about` says what it holds, for those who cannot see it."""

    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Chart:
    """An SVG drawing that says itself what is seen; `name` is its file's, without the ending."""

    name: str
    svg: str
    about: str


@dataclass(frozen=True)
class CardPhoto:
    """A JPEG picture with its caption; `name` is its file's, without the ending."""

    name: str
    jpeg: bytes
    caption: str


@dataclass(frozen=True)
class CardPhotos:
    """Several pictures side by side."""

    photos: Sequence[CardPhoto]


Block = Paragraph | Bullets | CardTable | Chart | CardPhotos


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class ModelCard:
    """A whole model card; `lead` sums it up in a sentence or two."""

    title: str
    lead: str
    sections: Sequence[Section]


def printable(text: str) -> str:
    """Return text with line breaks, control and direction-changing characters replaced: a name is data, and must
    neither break a line nor turn what follows around."""
    return "".join(letter if letter.isprintable() else REPLACEMENT for letter in text)
