"""Writes a model card down as Markdown (GitHub's kind), with its pictures in files beside."""

import re
from collections.abc import Sequence

from thaw.model_card.blocks import Block, Bullets, Card, Chart, Paragraph, Photo, Photos, Table, printable

MARKS = re.compile(r"([\\`*_{}\[\]<>&|~$!#^]|:(?=[\w+-]+:))")
BACKSLASHED = r"\\\1"


def write_markdown(card: Card, beside: str) -> tuple[str, dict[str, bytes]]:
    """Return the text, and the files that it shows by their names; these begin with `beside`, and the card's page is to
    lie next to them."""
    files: dict[str, bytes] = {}
    parts = [f"# {_text(card.title)}", _text(card.lead)]
    for section in card.sections:
        parts.append(f"## {_text(section.title)}")
        parts += [_write(block, beside, files) for block in section.blocks]
    return "\n\n".join(parts) + "\n", files


def _write(block: Block, beside: str, files: dict[str, bytes]) -> str:
    if isinstance(block, Paragraph):
        return f"**[ {_text(block.text)} ]**" if block.open_question else _text(block.text)
    if isinstance(block, Bullets):
        return "\n".join(f"- {_text(item)}" for item in block.items)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Chart):
        return _picture(block, f"{beside}{block.name}.svg", block.svg.encode(), block.about, files)
    return _photos(block, beside, files)


def _photos(block: Photos, beside: str, files: dict[str, bytes]) -> str:
    def show(photo: Photo) -> str:
        shown = _picture(photo, f"{beside}{photo.name}.jpg", photo.jpeg, photo.caption, files)
        return f"{shown}\\\n{_text(photo.caption)}"

    return "\n\n".join(map(show, block.photos))


def _picture(block: Chart | Photo, name: str, content: bytes, about: str, files: dict[str, bytes]) -> str:
    files[name] = content
    return f"![{_text(about)}]({name})"


def _table(table: Table) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *([_text(cell) for cell in row] for row in table.rows)]
    return f"{_text(table.about)}:\n\n" + "\n".join(map(_row, rows))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Return text in which every mark that Markdown or HTML would read is literal."""
    return MARKS.sub(BACKSLASHED, printable(text))
