"""Pascal VOC XML: a file a photo, with the edges of its boxes in pixels. A file that declares a type is not read: its
entities could make gigabytes of a few bytes, or fetch what lies elsewhere."""

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from thaw.boxes.sheets import Sheet, read_size
from thaw.storage.boxes import Reason

MAX_BYTES = 5_000_000
MOST_TAGS = 400_000
"""Those of 20,000 objects, ten times as many as a photo may have: nested in one another they take 100 bytes each."""
_EDGES = ("xmin", "ymin", "xmax", "ymax")


class UnreadableXml(ValueError):
    """A file is no XML, is too large or declares a document type."""


class _Builder(TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise UnreadableXml("it declares a document type")


def read_voc(path: Path, file: str) -> Sheet | None:
    """Return what a VOC file says of its photo; None for other XML. Raises UnreadableXml."""
    root = _parse(path)
    if root.tag != "annotation" or not (root.findall("object") or root.find("filename") is not None):
        return None
    size = root.find("size")
    stated = (None, None) if size is None else (_number(size, "width"), _number(size, "height"))
    sheet = Sheet(file, _text(root, "filename"), read_size(*stated))
    for each in root.findall("object"):
        label, box = _text(each, "name"), each.find("bndbox")
        if box is None:
            sheet.reject(label, Reason.NOT_NUMBERS)
        else:
            sheet.draw(label, [_number(box, edge) for edge in _EDGES])
    return sheet


def _parse(path: Path) -> Element:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UnreadableXml(f"it has more than {MAX_BYTES / 1e6:.0f} MB")
        if content.count(b"<") > MOST_TAGS:
            raise UnreadableXml(f"it has more than {MOST_TAGS:,} tags")
        parser: Any = XMLParser(target=_Builder())
        parser.feed(content)
        return parser.close()
    except (OSError, ParseError, ValueError, LookupError) as problem:
        raise problem if isinstance(problem, UnreadableXml) else UnreadableXml(str(problem)) from problem


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _number(element: Element, name: str) -> float | None:
    try:
        return float(_text(element, name))
    except ValueError:
        return None
