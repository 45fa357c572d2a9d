"""Names for files and folders that every system takes, as near as can be to what they were called."""

import re
import unicodedata

from thaw.sources.parts import read_part
from tlcore.photos import is_junk

MOST_FOLDER_BYTES, MOST_FILE_BYTES = 100, 150
PLAIN = re.compile(r"[A-Za-z0-9_. -]*")
FORBIDDEN = frozenset('<>:"/\\|?*')
DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
# A leading dot hides a file; the others begin an option, a home folder or a spreadsheet's formula.
BAD_STARTS = (".", "-", "~", "=", "+", "@")
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789\u00b9\u00b2\u00b3"}
)


def safe_name(name: str, most_bytes: int) -> str:
    """Return `name` as a file or folder may be called on Windows, macOS and Linux, in at most `most_bytes` of UTF-8.

    What may not be in it becomes "_"; a name that begins badly or is reserved gets one in front.
    """
    text = name.strip()
    # Nearly every name, of which there may be very many.
    if not PLAIN.fullmatch(text):
        letters = unicodedata.normalize("NFC", name)
        text = "".join("_" if _misleads(letter) else letter for letter in letters).strip()
    if text.startswith(BAD_STARTS) or text.partition(".")[0].rstrip().upper() in RESERVED:
        text = f"_{text}"
    return _cut(text, most_bytes).rstrip(". ") or "_"


class DistinctNames:
    """Gives out safe names within one folder, none twice where capitals and letter forms make no difference."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = {_key(name) for name in taken}
        self._numbers: dict[str, int] = {}

    def take(self, name: str, suffix: str = "", most_bytes: int = MOST_FOLDER_BYTES) -> str:
        """Return a safe name with `suffix`, made distinct by a number where another has it already."""
        stem = safe_name(name, most_bytes - len(suffix))
        found, key = stem + suffix, _key(stem + suffix)
        number = self._numbers.get(key, 1)
        while (key if number == 1 else _key(found)) in self._taken:
            number += 1
            ending = f"-{number}{suffix}"
            found = _cut(stem, most_bytes - len(ending)).rstrip(". ") + ending
        self._numbers[key] = number
        self._taken.add(_key(found) if number > 1 else key)
        return found


def name_class_folders(labels: list[str], reserved: frozenset[str]) -> dict[str, str]:
    """Return a folder's name for each class, distinct and none that an import would take for something else."""
    names = DistinctNames(reserved)
    found = {}
    for label in labels:
        folder = safe_name(label, MOST_FOLDER_BYTES)
        part = read_part(folder)
        if is_junk(f"{folder}/1.jpg"):
            folder = f"_{folder}"
        elif part is not None and part[1] == "":
            # As one word it is no longer the name of a part: "train" or "test set".
            folder = f"x{folder}"
        found[label] = names.take(folder)
    return found


def _misleads(letter: str) -> bool:
    return letter in FORBIDDEN or letter in DIRECTION_MARKS or unicodedata.category(letter) in UNPRINTABLE


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")


def _key(name: str) -> str:
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
