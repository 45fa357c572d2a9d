"""Reads lines of cells out of a text table, whatever its encoding, separator and line ends; and out of JSON lines."""

import codecs
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from thaw.tables.code_pages import is_utf8, list_readings

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
SUFFIXES = (".csv", ".tsv", ".tab", ".txt", *JSON_SUFFIXES)
HEAD_BYTES = 65_536
MAX_JSON_BYTES = 20_000_000
SAMPLE_LINES = 200
_SEPARATORS = ",;\t|"
_SPACE = " "
_UTF16_SHARE = 0.3
_GUESS_BYTES = 1_000_000
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Unreadable(Exception):
    """The file holds no lines of cells; the message says what it holds, and `advice` what to do."""

    def __init__(self, received: str, advice: str = "") -> None:
        super().__init__(received)
        self.advice = advice


@dataclass(frozen=True)
class Dialect:
    """How a table is written: its `encoding`, and the `separator` of its cells, "" for JSON.

    `skipped` counts the lines before the first of cells; `guess` is the language that the letters were taken for, or ""
    where the encoding is sure.
    """

    encoding: str
    separator: str
    skipped: int = 0
    guess: str = ""


def find_dialect(path: Path, known: Callable[[str], bool]) -> Dialect:
    """Tell how a table is written; `known` says of a cell of the first line whether it is a usual name of a column.

    Raises Unreadable for what is no text or has one column only, and OSError.
    """
    encoding, guess = _find_encoding(path)
    if path.suffix.lower() in JSON_SUFFIXES:
        return Dialect(encoding, "", guess=guess)
    with path.open(encoding=encoding) as file:
        # A line may be the whole file, so what is read of it is bounded.
        lines = file.read(HEAD_BYTES).splitlines(keepends=True)[:SAMPLE_LINES]
    separator = _told_separator(lines[0]) if lines else None
    if separator:
        return Dialect(encoding, separator, 1, guess)
    found = _best_separator(lines, known)
    if not found:
        first = lines[0].rstrip() if lines else ""
        raise Unreadable(f"a first line of one column only: {first[:100]!r}" if first else "no first line")
    return Dialect(encoding, found, 0, guess)


def read_lines(path: Path, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line that is not blank, from 1, and its cells; of JSON, the keys come first, as line 0.

    Raises Unreadable at the first damaged line, and OSError.
    """
    if not dialect.separator:
        yield from _read_json(path, dialect.encoding)
        return
    with path.open(encoding=dialect.encoding) as file:
        for _ in range(dialect.skipped):
            file.readline()
        if dialect.separator == _SPACE:
            yield from _split_at_space(file)
            return
        lines = csv.reader(file, delimiter=dialect.separator, strict=True)
        try:
            for cells in lines:
                if any(cells):
                    yield lines.line_num + dialect.skipped, [cell.strip() for cell in cells]
        except csv.Error as problem:
            line = lines.line_num + dialect.skipped
            raise Unreadable(f"a damaged line {line:,} ({problem})", "Check the quotation marks there") from problem


def _find_encoding(path: Path) -> tuple[str, str]:
    """Return the encoding and, where it is a guess, the language that it was guessed from."""
    content = path.read_bytes()
    head = content[:HEAD_BYTES]
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            _require_text(content, encoding)
            return encoding, ""
    if b"\0" in head:
        for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
            if zeros.count(0) > _UTF16_SHARE * len(zeros) and _is_text(content, encoding):
                return encoding, ""
    if is_utf8([content]):
        return "utf-8", ""
    if b"\0" in head:
        raise Unreadable("something that is no text")
    telling = [line for line in content[:_GUESS_BYTES].splitlines()[:-1] if not line.isascii()]
    for reading in list_readings(telling or [content[:_GUESS_BYTES]], "ansi"):
        if _is_text(content, reading.page.codec):
            return reading.page.codec, reading.page.language
    return "latin-1", "Western European"


def _is_text(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _require_text(content: bytes, encoding: str) -> None:
    if not _is_text(content, encoding):
        raise Unreadable(f"damaged text, which begins as {encoding.upper()}", "Save it again as 'CSV UTF-8'")


def _told_separator(line: str) -> str | None:
    """Return the separator that Excel names in a first line like "sep=;"."""
    told = line.strip().strip('"').casefold()
    return told[4] if len(told) == 5 and told.startswith("sep=") else "\t" if line.casefold() == "sep=\t\n" else None


def _best_separator(lines: Sequence[str], known: Callable[[str], bool]) -> str:
    """Return the separator with which the first line holds most known names, or most lines equally many cells."""
    scores: dict[str, tuple[int, float, int]] = {}
    for separator in _SEPARATORS:
        rows = _sample(lines, separator)
        counts = Counter(map(len, rows))
        if not rows or max(counts) < 2:
            continue
        usual, often = max(counts.items(), key=lambda item: (item[1], item[0]))
        scores[separator] = (sum(map(known, rows[0])), often / len(rows) if usual > 1 else 0, usual)
    best = max(scores, key=lambda separator: scores[separator], default="")
    if best and (scores[best][0] > 1 or scores[best][1] > 0.5):
        return best
    filled = [line for line in lines if line.strip()]
    return _SPACE if filled and all(len(line.split()) > 1 for line in filled) else ""


def _sample(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Split lines as far as they can be; the reading itself will say which is damaged."""
    rows = []
    try:
        for cells in csv.reader(lines, delimiter=separator):
            if any(cells):
                rows.append([cell.strip() for cell in cells])
    except csv.Error:
        pass
    return rows


def _split_at_space(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield a path, which may hold blanks, and the last word of each line, as lists of training tools are written."""
    for number, line in enumerate(file, 1):
        if line.strip():
            yield number, line.rsplit(None, 1)


def _read_json(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the keys and then the values of a list of objects, or of one object a line."""
    size = path.stat().st_size
    if size > MAX_JSON_BYTES:
        raise Unreadable(f"{size / 1e6:,.0f} MB of JSON", f"The limit is {MAX_JSON_BYTES / 1e6:g} MB; save it as CSV")
    text = path.read_text(encoding)
    whole = text.lstrip().startswith("[")
    listed = [(1, text)] if whole else [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    records: list[tuple[int, Any]] = []
    for number, each in listed:
        try:
            value = json.loads(each)
        except (ValueError, RecursionError) as problem:
            raise Unreadable(f"a damaged line {number:,}, which is no JSON", "Check that line") from problem
        records += enumerate(value, 1) if whole else [(number, value)]
    if not records or not all(isinstance(record, dict) for _, record in records):
        raise Unreadable("JSON that is no list of objects", "Save it as CSV")
    keys = list(dict.fromkeys(key for _, record in records[:SAMPLE_LINES] for key in record))
    yield 0, keys
    for number, record in records:
        yield number, [_text(record.get(key)) for key in keys]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
