"""Reads the names of classes that a table gives by number: a list of names, or numbers and names side by side."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

MAX_BYTES = 1_000_000
_SUFFIXES = (".txt", ".csv", ".tsv", ".json", ".names")
_CALLED = re.compile(r"class|label|categor|names|map|synset", re.IGNORECASE)
_PAIR = re.compile(r"\"?(\d+)\"?\s*[,;:|\t ]\s*\"?([^\"]+?)\"?")


def may_name_classes(name: str) -> bool:
    """Say whether a file is called like a list of the names of classes, such as "classes.txt" or "label_map.json"."""
    path = PurePath(name)
    return path.suffix.lower() in _SUFFIXES and bool(_CALLED.search(path.stem))


def names_classes(name: str) -> bool:
    """Say whether a file is called like a list of classes and not of photos, as "labels.csv" may be."""
    return may_name_classes(name) and "label" not in name.casefold().replace("label_map", "")


def read_class_names(path: Path, numbers: Iterable[str]) -> Mapping[str, str]:
    """Return the name of each of `numbers`, or nothing where the file does not name all of them.

    A plain list counts from 0, or from 1 where its last line is needed and number 0 is not.
    """
    wanted = set(numbers)
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return {}
    found = (
        _read_json(text)
        if path.suffix.lower() == ".json" or text.lstrip().startswith("{")
        else _read_lines(text, wanted)
    )
    named = {number: name for number in wanted if (name := found.get(str(int(number)), "").strip())}
    return named if len(named) == len(wanted) and len(set(named.values())) == len(named) else {}


def _read_json(text: str) -> Mapping[str, str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {}
    if all(isinstance(each, int) for each in value.values()):
        value = {number: name for name, number in value.items()}
    return {str(number): name for number, name in value.items() if isinstance(name, str)}


def _read_lines(text: str, wanted: set[str]) -> Mapping[str, str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    pairs = [match for line in lines if (match := _PAIR.fullmatch(line))]
    # The first line may be a header.
    if pairs and len(pairs) >= len(lines) - 1:
        return {str(int(number)): name for number, name in (match.groups() for match in pairs)}
    first = 1 if str(len(lines)) in wanted and "0" not in wanted else 0
    return {str(number): name for number, name in enumerate(lines, first)}
