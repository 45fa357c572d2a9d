"""File names that came from outside: which are refused, which are ignored, and which class they tell."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tlcore.errors import ImageRejected

MAX_NAME_CHARACTERS = 8192
SPLIT_FOLDERS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
_JUNK_FILES = frozenset({"thumbs.db", ".ds_store", "desktop.ini"})
_JUNK_FOLDERS = frozenset({"__macosx"})
_DRIVE = re.compile(r"[A-Za-z]:")

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


def is_junk(name: str) -> bool:
    """Say whether a file is what systems leave beside photos (`.DS_Store`, `Thumbs.db`, ...): ignored, but counted."""
    *folders, file = name.split("/")
    return (
        file.startswith("._")
        or file.casefold() in _JUNK_FILES
        or any(folder.casefold() in _JUNK_FOLDERS for folder in folders)
    )


def classes_of(names: Sequence[Parts]) -> tuple[list[str | None], list[str]]:
    """Tell the class of each file of a data set from its folders; None for a file in no class folder.

    Folders around all class folders are stripped; then the first folder is the class. Where the first folders are
    all splits ("train", "val", "test", ...), the second is the class. Also returns notes in plain words.
    """
    depth = _common_depth(names)
    notes = []
    first = {parts[depth] for parts in names if len(parts) > depth + 1}
    if first and {folder.casefold() for folder in first} <= SPLIT_FOLDERS and _reaches(names, depth + 1):
        depth += 1
        folders = ", ".join(sorted(first))
        notes.append(f"The folders {folders} were merged: Thaw makes its own split into training and validation.")
    return [parts[depth] if len(parts) > depth + 1 else None for parts in names], notes


def twins(classes: Iterable[str]) -> list[list[str]]:
    """Return the groups of classes whose names differ only in capitals or letter forms: perhaps one class."""
    groups = defaultdict(list)
    for name in sorted(classes):
        groups[unicodedata.normalize("NFKC", name).casefold()].append(name)
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


def _common_depth(names: Sequence[Parts]) -> int:
    """Count the leading folders that every file in a folder shares and below which class folders remain."""
    depth = 0
    while len({parts[depth] for parts in names if len(parts) > depth + 1}) == 1 and _reaches(names, depth + 1):
        depth += 1
    return depth


def _reaches(names: Sequence[Parts], depth: int) -> bool:
    return any(len(parts) > depth + 1 for parts in names)
