"""Shows names that came from outside literally, wherever they are shown: they are data, never markup."""

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from thaw.sources.safe_names import DIRECTION_MARKS
from thaw.sources.tables import FORMULA_STARTS

UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Made another mark of, backslashes or not: emoji codes, and what stands alone and looks like an arrow or a dash.
TURNED = re.compile(r"(:[\w+\-]+:|(?:(?<=\s)|^)(?:<->|->|<-|--|>=|<=|~=)(?=\s|$))")
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
BACKSLASHED = r"\\\1"
WORD_SEPARATORS = re.compile(r"[ _&'-]|, ")
# Marks that mean nothing more once a backslash stands before them, wherever they are in a name.
HARMLESS = str.maketrans("", "", "()[]{}.;!?%+#/")
# Made a link of, backslashes or not.
ADDRESS = re.compile(r"www\.", re.IGNORECASE)


def visible(name: str) -> str:
    """Return `name` with control, direction-changing and unpaired characters written out, as in "\\u202e"."""
    # Nearly every name, of which a page may show thousands.
    if name.isascii() and name.isprintable():
        return name
    return "".join(_escape(letter) if _misleads(letter) else letter for letter in name)


def literal(name: str) -> str:
    """Return `name` for Markdown, as a code span: the one place where emoji codes, maths and directives stay text."""
    text = visible(name) or " "
    fence = "`" * (_longest_run(text, "`") + 1)
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def emphasised(name: str) -> str:
    """Return `name` for Markdown in bold where it is made of plain words, which may have brackets and stops, else as a
    code span (see `literal`)."""
    words = WORD_SEPARATORS.split(name.translate(HARMLESS))
    plain = not ADDRESS.search(name) and all(
        word and all(unicodedata.category(letter)[0] in "LMN" for letter in word) for word in words
    )
    return f"**{PUNCTUATION.sub(BACKSLASHED, name)}**" if plain else literal(name)


def sentence(text: str) -> str:
    """Return a whole message for Markdown, in which quoted names stay literal.

    A backslash keeps every mark as it is but those that are turned after the backslashes are gone.
    """
    # Every second piece is one of them.
    return "".join(
        literal(piece) if number % 2 else PUNCTUATION.sub(BACKSLASHED, piece)
        for number, piece in enumerate(TURNED.split(visible(text)))
    )


def capital(words: str) -> str:
    """Return words as the beginning of a sentence."""
    return words[:1].upper() + words[1:]


def in_html(name: str) -> str:
    """Return `name` for HTML text or a quoted attribute."""
    return html.escape(visible(name), quote=True)


def in_figure(name: str, longest: int = 40) -> str:
    """Return `name` for a Plotly label, which reads tags and entities; cut beyond `longest` characters."""
    text = visible(name)
    shortened = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return html.escape(shortened, quote=False)


def in_cell(value: Any) -> Any:
    """Return `value` for a CSV cell; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    if isinstance(value, str):
        text = visible(value)
        return f"'{text}" if value.startswith(FORMULA_STARTS) else text
    return value


def csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Return `rows` as a CSV file, UTF-8 with a byte order mark so that spreadsheets read every script."""
    safe = [{column: in_cell(row[column]) for column in columns} for row in rows]
    return pd.DataFrame(safe, columns=list(columns)).to_csv(index=False).encode("utf-8-sig")


def _misleads(letter: str) -> bool:
    return letter in DIRECTION_MARKS or unicodedata.category(letter) in UNPRINTABLE


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def _longest_run(text: str, letter: str) -> int:
    longest = present = 0
    for each in text:
        present = present + 1 if each == letter else 0
        longest = max(longest, present)
    return longest
