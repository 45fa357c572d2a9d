"""Writes docs/words.md, the word list of the pages, from the table that the pages use.

python docs/draw_words.py
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pages.ui.words.glossary import as_document  # noqa: E402

DOCUMENT = ROOT / "docs" / "words.md"

if __name__ == "__main__":
    DOCUMENT.write_text(as_document(), encoding="utf-8")
