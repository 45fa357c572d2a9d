"""Writes a model card down: as one HTML page that needs no other file and runs no script, and as Markdown (GitHub's
kind) with its pictures in files beside. The templates are `card.html.jinja` and `card.md.jinja`."""

import base64
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thaw.model_card.blocks import CardPhotos, Chart, ModelCard, printable

if TYPE_CHECKING:
    from jinja2 import Environment

MARKS = re.compile(r"([\\`*_{}\[\]<>&|~$!#^]|:(?=[\w+-]+:))")
BACKSLASHED = r"\\\1"


def write_html(card: ModelCard) -> str:
    """Return the page."""
    return _templates(as_html=True).get_template("card.html.jinja").render(card=card)


def write_markdown(card: ModelCard, beside: str) -> tuple[str, dict[str, bytes]]:
    """Return the text, and the files that it shows by their names; these begin with `beside`, and the card's page is to
    lie next to them."""
    files: dict[str, bytes] = {}
    for block in (block for section in card.sections for block in section.blocks):
        if isinstance(block, Chart):
            files[f"{beside}{block.name}.svg"] = block.svg.encode()
        elif isinstance(block, CardPhotos):
            files |= {f"{beside}{photo.name}.jpg": photo.jpeg for photo in block.photos}
    return _templates(as_html=False).get_template("card.md.jinja").render(card=card, beside=beside), files


@functools.cache
def _templates(as_html: bool) -> "Environment":
    """Return the templates, in which every text is literal unless it is marked as safe."""
    # Takes 0.1 s to import, which the server need not wait for as it starts.
    from jinja2 import Environment, FileSystemLoader
    from markupsafe import Markup

    def literal(value: Any) -> Any:
        if isinstance(value, Markup):
            return value
        return printable(str(value)) if as_html else MARKS.sub(BACKSLASHED, printable(str(value)))

    loader = FileSystemLoader(Path(__file__).parent)
    found = Environment(
        loader=loader, autoescape=as_html, finalize=literal, trim_blocks=True, keep_trailing_newline=True
    )
    found.filters["base64"] = lambda content: base64.b64encode(content).decode()
    return found
