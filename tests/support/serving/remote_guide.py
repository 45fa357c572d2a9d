"""The commands and files of docs/remote.md, so that what is tested is what people copy."""

import re
from pathlib import Path

GUIDE = Path(__file__).parents[3] / "docs" / "remote.md"


def read_block(name: str) -> str:
    """Return the indented text that follows the comment `<!-- name -->`."""
    text = GUIDE.read_text("utf-8").partition(f"<!-- {name} -->\n")[2]
    found = re.match(r"\n*((?: {4}.*\n|\n)+)", text)
    assert found, f"docs/remote.md has no text marked {name!r}"
    return re.sub(r"^ {4}", "", found[1], flags=re.M).strip("\n") + "\n"


def change(text: str, changes: dict[str, str]) -> str:
    """Return a text with words exchanged, each of which it must have."""
    for old, new in changes.items():
        assert old in text, f"docs/remote.md does not say {old!r} any more"
        text = text.replace(old, new)
    return text
