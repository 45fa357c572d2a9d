"""What the documentation names is there, its picture shows the house as it is, and the hooks check what CI checks."""

import re
from pathlib import Path

import pytest

from docs.draw_house import PICTURE, draw

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
DOTTED = re.compile(r"`((?:tlcore|thaw|pages)(?:\.\w+)+)`")
PATH = re.compile(r"(?<![\w/.:-])((?:tlcore|thaw|pages|tests|benchmarks|clients|docs|\.ci)/[\w./-]*\w)")
LINK = re.compile(r"\]\(([^)#:]+)\)")


def is_there(dotted: str) -> bool:
    """Say whether a dotted name is a package or module, or something that one defines at its head or in a class."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:length])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.exists():
                named = rf"^\s*(?:async )?(?:def|class) {parts[length]}\b|^{parts[length]}\b" if parts[length:] else ""
                return bool(re.search(named, path.read_text(encoding="utf-8"), re.MULTILINE))
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(document):
    text = document.read_text(encoding="utf-8")
    assert [name for name in DOTTED.findall(text) if not is_there(name) and not name.endswith(".sqlite3")] == []
    assert [path for path in PATH.findall(text) if not (ROOT / path).exists() and "NAME" not in path] == []
    assert [link for link in LINK.findall(text) if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["tlcore.nothing", "thaw.storage.store.Shop", "pages.ui.figures.art"])
def test_a_name_of_nothing_is_found(name):
    assert not is_there(name)
    assert is_there("thaw.storage.store.Store")


def test_the_picture_of_the_house_shows_its_floors():
    assert PICTURE.read_text(encoding="utf-8") == draw(), "Draw it anew: python docs/draw_house.py"
