"""File and class names that came from outside: which are refused, and which are perhaps one."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from tlcore.errors import DatasetError, ImageRejected
from tlcore.photos import natural

MAX_NAME_CHARACTERS = 8192
MAX_CLASS_NAME = 200
_DRIVE = re.compile(r"[A-Za-z]:")
_SPACES = re.compile(r"[\s_\-\u2010-\u2015.]+")

Parts = tuple[str, ...]


def legible(raw: bytes) -> str:
    """Read a name from bytes: as UTF-8, or else as Latin-1, which never confuses two names."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def storable(name: str) -> str:
    """Replace the half characters that JSON can carry and no file or database can."""
    return name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def check_name(name: str) -> Parts:
    """Split a relative path with "/" between its parts, normalised to NFC; it is data and never becomes a path.

    Raises ImageRejected for names that other programs might take for a place outside the folder: they are refused
    and not repaired, since a repair can move an image to another class.
    """
    if len(name) > MAX_NAME_CHARACTERS:
        raise ImageRejected(f"its name has {len(name):,} characters; the limit is {MAX_NAME_CHARACTERS:,}. Rename it")
    if "\0" in name:
        raise ImageRejected("unsafe name: it holds a NUL character. Rename the file")
    if "\\" in name:
        raise ImageRejected("unsafe name: it holds a backslash. Rename the file")
    if name.startswith("/"):
        raise ImageRejected("unsafe name: it is an absolute path. Pack the folder with relative names")
    # Asked of the name as it will be kept: "./C:" and the Kelvin sign's "K:" are drives only then.
    kept = unicodedata.normalize("NFC", name.removeprefix("./"))
    if _DRIVE.match(kept):
        raise ImageRejected("unsafe name: it starts with a drive letter. Pack the folder with relative names")
    parts = tuple(kept.split("/"))
    if any(part in ("", ".", "..") for part in parts):
        raise ImageRejected("unsafe name: it holds an empty part, '.' or '..'. Rename the file or pack it again")
    return parts


def plain_name(name: str) -> str:
    """Return what is left of a class name without capitals, letter forms and the kind of gaps between its words."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip() or name


def twins(classes: Iterable[str]) -> list[list[str]]:
    """Return the groups of classes whose names differ only in capitals, letter forms or gaps: perhaps one class."""
    groups = defaultdict(list)
    for name in sorted(classes, key=natural):
        groups[plain_name(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def respelled(originals: Iterable[str]) -> list[str]:
    """Return a note for each folder that came in several Unicode spellings of one name, which are taken as one."""
    spellings = defaultdict(set)
    for name in originals:
        for folder in name.split("/")[:-1]:
            spellings[unicodedata.normalize("NFC", folder)].add(folder)
    return [
        f"{len(forms)} folders are spelled {folder!r} (composed and decomposed letters); they were merged into one."
        for folder, forms in sorted(spellings.items())
        if len(forms) > 1
    ]


def check_class_name(name: str) -> str:
    """Return a typed class name without the spaces around it, in NFC; raise DatasetError for none or a long one."""
    wanted = unicodedata.normalize("NFC", storable(name)).strip()
    if not wanted or len(wanted) > MAX_CLASS_NAME or "\0" in wanted:
        raise DatasetError(
            f"Expected a class name of 1 to {MAX_CLASS_NAME} characters. Received: {name[:MAX_CLASS_NAME]!r}."
        )
    return wanted
