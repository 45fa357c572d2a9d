"""The scripts, style sheets and markup of the components, which lie beside them in files of their own."""

from pathlib import Path

FOLDER = Path(__file__).parents[1]


def read_assets(*names: str) -> str:
    """Return the text of these files, joined: a component takes one script and one style sheet."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)
