"""Finds which file of a source the text of a table means: a path, a name without its folders, an id, a web address."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from thaw.names import Parts, check_name
from tlcore.errors import ImageRejected

MISSING = "there is no such plain file beside the table"
MISSING_PAGE = "it is a web address, and no file here has its name; download the photo and put it beside the table"
NAMED_FILES = 3
MANY = 100
_PAGE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/]*/")
_QUERY = re.compile(r"[?#].*$")
# Label Studio serves local files at an address that ends in "?d=" and their path.
_LOCAL_FILE = re.compile(r"/data/local-files/\?d=")
_DRIVE = re.compile(r"[A-Za-z]:")
# What Label Studio puts before the name of a file that is uploaded.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
_ENDING = re.compile(r"\.[A-Za-z]{2,5}$")


class Ambiguous(ImageRejected):
    """Several files could be meant."""


class FileIndex:
    """The names of all files of a source, by path, by name and by stem; they are data, and nothing is opened."""

    def __init__(self, names: Iterable[Parts]) -> None:
        self._present = set(names)
        self._common = common_folders(self._present)
        self._by_name: defaultdict[str, list[Parts]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[Parts]] = defaultdict(list)
        for name in self._present:
            key = name[-1].casefold()
            self._note(self._by_name, key, name)
            if _ENDING.search(key):
                stem = _ENDING.sub("", key)
                self._note(self._by_stem, stem, name)
                if stem.isdecimal() and stem != (short := stem.lstrip("0") or "0"):
                    # Spreadsheets take the zeros away that numbers of photos begin with.
                    self._note(self._by_stem, short, name)

    def _note(self, index: defaultdict[str, list[Parts]], key: str, name: Parts) -> None:
        index[key].append(name)
        if len(name) > 1:
            index[f"{name[-2].casefold()}/{key}"].append(name)

    def exists(self, text: str, folder: Parts) -> bool:
        """Say whether the text of a table in `folder` means a file that is here."""
        try:
            self.find(text, folder)
        except ImageRejected:
            return False
        return True

    def find(self, text: str, folder: Parts) -> tuple[Parts, bool]:
        """Return the name of the file that the text of a table in `folder` means, and whether it says it exactly.

        Backslashes part folders as on Windows. Of an address or an absolute path what it ends in counts, if only one
        file here ends so; likewise a name stands without its folders, or without its ending. Raises ImageRejected.
        """
        foreign, parts = _split(text, folder)
        if not foreign and parts in self._present:
            return parts, True
        wanted = parts if foreign else parts[len(folder) :] if parts[: len(folder)] == folder else parts
        found = self._ending_in(wanted, foreign)
        if len(found) > 1:
            here = [name for name in found if name[: len(folder)] == folder and len(name) == len(folder) + 1]
            found = here or found
        if len(found) == 1:
            return found[0], False
        if found:
            named = ", ".join(repr("/".join(name)) for name in sorted(found)[:NAMED_FILES])
            raise Ambiguous(f"several files could be meant: {named}. Write the folders before its name")
        if not foreign:
            raise ImageRejected(MISSING)
        if _PAGE.match(text):
            raise ImageRejected(MISSING_PAGE)
        check_name(text)
        raise ImageRejected(MISSING)

    def _ending_in(self, wanted: Parts, foreign: bool) -> list[Parts]:
        """Return the files that agree best with a path from its end."""
        base = wanted[-1].casefold()
        uploaded = _UPLOADED.fullmatch(base) if foreign or wanted[0] == "data" else None
        for index, key in (
            (self._by_name, base),
            (self._by_name, uploaded[1] if uploaded else ""),
            (self._by_stem, base),
            (self._by_stem, (base.lstrip("0") or "0") if base.isdecimal() else ""),
        ):
            names = _called(index, key, wanted)
            agreeing = {name: _agreement(name, wanted) for name in names}
            fit = [
                name
                for name, folders in agreeing.items()
                if foreign or folders >= min(len(wanted), len(name) - len(self._common)) - 1
            ]
            if fit:
                most = max(agreeing[name] for name in fit)
                fit = [name for name in fit if agreeing[name] == most]
                return [name for name in fit if name[-1] == wanted[-1]] or fit
        return []


def _called(index: Mapping[str, list[Parts]], key: str, wanted: Parts) -> list[Parts]:
    """Return the files of a name, or of very many those in a folder of the wanted name: to compare all takes hours."""
    found = index.get(key, [])
    if len(found) > MANY:
        # A few are enough to say that several could be meant.
        return index.get(f"{wanted[-2].casefold()}/{key}" if len(wanted) > 1 else "", found[: NAMED_FILES + 1])[:MANY]
    return found


def common_folders(names: Iterable[Parts]) -> Parts:
    """Return the folders that all names begin with."""
    listed = names if isinstance(names, set | list) else list(names)
    if not listed:
        return ()
    # What the first and the last name in order begin with, all between them do: looking at all for each takes hours.
    first, last = min(listed), max(listed)
    depth = 0
    while depth < min(len(first), len(last)) - 1 and first[depth] == last[depth]:
        depth += 1
    return first[:depth]


def _agreement(name: Parts, wanted: Parts) -> int:
    """Count the folders before two names that are equal from the end on."""
    count = 0
    for mine, theirs in zip(reversed(name[:-1]), reversed(wanted[:-1]), strict=False):
        if mine.casefold() != theirs.casefold():
            break
        count += 1
    return count


def _split(text: str, folder: Parts) -> tuple[bool, Parts]:
    """Return whether a text leads away from the source, and its parts; those within the source from its top on."""
    if page := _PAGE.match(text) or _LOCAL_FILE.match(text):
        rest = unquote(_QUERY.sub("", text[page.end() :])).lstrip("/")
        return True, check_name(rest) if rest else ("",)
    # A backslash is part of no name that is here: such names are refused.
    written = text.replace("\\", "/")
    if written.startswith("/") or _DRIVE.match(written):
        _refuse_climbing(text, written)
        return True, tuple(part for part in _DRIVE.sub("", written, count=1).split("/") if part) or ("",)
    while written.startswith("../") and folder:
        written, folder = written[3:], folder[:-1]
    try:
        return False, (*folder, *check_name(written))
    except ImageRejected:
        check_name(text)
        raise


def _refuse_climbing(text: str, written: str) -> None:
    if "\0" in text or any(part in (".", "..") for part in written.split("/")):
        check_name(text)
