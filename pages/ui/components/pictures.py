"""Shows pictures in rows and cards: the browser fetches each from the server's picture route, so none is held here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui.server.routes import picture_url
from pages.ui.words.names import in_html
from thaw.storage.records import Image

STYLE = """<style>
.thaw-strip { display: flex; gap: 0.4rem; overflow-x: auto; padding: 0.15rem 0 0.4rem; }
.thaw-strip img { height: 72px; width: 72px; flex: none; object-fit: cover; border-radius: 8px; background: #8882; }
.thaw-cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 0.9rem; }
.thaw-card { border: 1px solid #8885; border-radius: 10px; overflow: hidden; margin: 0; }
.thaw-card img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; background: #8882; }
.thaw-card dl { display: grid; grid-template-columns: auto 1fr auto; gap: 0.15rem 0.5rem; margin: 0.6rem 0.7rem;
  padding: 0; }
.thaw-card dt { margin: 0; font-weight: 400; opacity: 0.7; font-size: 0.8rem; }
.thaw-card dd { margin: 0; font-size: 0.85rem; overflow-wrap: anywhere; font-weight: 600; }
.thaw-card dd.share { text-align: end; font-weight: 400; font-variant-numeric: tabular-nums; }
.thaw-card figcaption { padding: 0 0.7rem 0.6rem; font-size: 0.75rem; opacity: 0.7; overflow-wrap: anywhere; }
.thaw-large img { width: 100%; max-height: 420px; object-fit: contain; border-radius: 10px; background: #8882; }
</style>"""


Row = tuple[str, str, float]
"""A fact of a card: a word, the class that it is about, and a share in 0..1."""


@dataclass(frozen=True)
class Card:
    """An image that judged a run and what the model said of it; confidences in 0..1, `note` what was done since."""

    image: Image
    true: str
    predicted: str
    confidence: float
    true_confidence: float
    note: str = ""


def strip(images: Iterable[Image]) -> None:
    """Draw thumbnails in one row that scrolls sideways."""
    pictures = "".join(
        f'<img loading="lazy" src="{picture_url("thumbnail", image)}" '
        f'alt="{in_html(image.name)}" title="{in_html(image.name)}">'
        for image in images
    )
    st.html(f'{STYLE}<div class="thaw-strip">{pictures}</div>')


def cards(shown: Sequence[Card]) -> None:
    """Draw one card for each image: the picture, its true class, the predicted one, and both confidences."""
    gallery([(card.image, _rows(card), card.note) for card in shown])


def gallery(shown: Iterable[tuple[Image, Sequence[Row], str]]) -> None:
    """Draw a card for each image: the picture, its rows of facts, its name and a note."""
    st.html(f'{STYLE}<div class="thaw-cards">{"".join(_card(*each) for each in shown)}</div>')


def large(image: Image) -> None:
    """Draw one picture as large as its column."""
    st.html(
        f'{STYLE}<div class="thaw-large"><img src="{picture_url("image", image)}" alt="{in_html(image.name)}"></div>'
    )


def _rows(card: Card) -> list[Row]:
    return [("true", card.true, card.true_confidence), ("predicted", card.predicted, card.confidence)]


def _card(image: Image, rows: Sequence[Row], note: str) -> str:
    facts = "".join(
        f'<dt>{word}</dt><dd>{in_html(name)}</dd><dd class="share">{share:.0%}</dd>' for word, name, share in rows
    )
    below = f"{image.name} · {note}" if note else image.name
    return (
        f'<figure class="thaw-card"><img loading="lazy" src="{picture_url("image", image)}" '
        f'alt="{in_html(image.name)}"><dl>{facts}</dl><figcaption>{in_html(below)}</figcaption></figure>'
    )
