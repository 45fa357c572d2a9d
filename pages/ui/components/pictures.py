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
/* Of a bright photo on a bright page the edge would not be seen. */
:is(.thaw-strip, .thaw-captioned, .thaw-large) img { outline: 1px solid #8885; outline-offset: -1px; }
.thaw-strip:focus-visible { outline: 3px solid currentcolor; }
.thaw-cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 0.9rem; }
.thaw-card { border: 1px solid #8885; border-radius: 10px; overflow: hidden; margin: 0; }
.thaw-card img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; background: #8882; }
.thaw-card dl { display: grid; grid-template-columns: 1fr auto; gap: 0 0.5rem; margin: 0.6rem 0.7rem; padding: 0; }
.thaw-card dt { margin: 0; font-weight: 400; opacity: 0.7; font-size: 0.8rem; }
.thaw-card dd { margin: 0; font-size: 0.85rem; }
.thaw-card dd.share { text-align: end; font-variant-numeric: tabular-nums; }
.thaw-card dd.name { grid-column: 1 / -1; margin-bottom: 0.3rem; font-weight: 600; }
.thaw-card figcaption, .thaw-card p { margin: 0 0.7rem 0.6rem; font-size: 0.75rem; opacity: 0.7; }
/* A line to itself, so that words stay whole, and no more than two: the title tells the rest. */
.thaw-card dd.name, .thaw-card figcaption { display: -webkit-box; overflow: hidden; overflow-wrap: break-word;
  -webkit-box-orient: vertical; -webkit-line-clamp: 2; }
.thaw-captioned { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0.6rem; }
.thaw-captioned figure { margin: 0; min-width: 0; }
.thaw-captioned img { width: 100%; height: 110px; object-fit: cover; border-radius: 8px; background: #8882; }
.thaw-captioned figcaption { overflow: hidden; font-size: 0.85rem; text-overflow: ellipsis; white-space: nowrap; }
.thaw-heat { position: relative; margin: 0; }
/* Behind the picture, until it has come. */
.thaw-heat::before { position: absolute; inset: 3rem 0 auto; text-align: center; content: "Looking at the photo…"; }
.thaw-heat img { position: relative; }
[role="dialog"] .thaw-large img { height: min(420px, 38dvh); }
.thaw-heat figcaption { font-size: 0.85rem; }
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


def strip(images: Iterable[Image], label: str) -> None:
    """Draw thumbnails in one row that scrolls sideways, by the arrow keys too; `label` names it to those who cannot see
    it."""
    pictures = "".join(
        f'<img loading="lazy" src="{picture_url("thumbnail", image)}" '
        f'alt="{in_html(image.name)}" title="{in_html(image.name)}">'
        for image in images
    )
    # One stop of the Tab key: from there the browser scrolls.
    st.html(f'{STYLE}<div class="thaw-strip" tabindex="0" role="group" aria-label="{in_html(label)}">{pictures}</div>')


def gallery(shown: Iterable[tuple[Image, Sequence[Row], str]]) -> None:
    """Draw a card for each image: the picture, its rows of facts, its name and a note."""
    st.html(f'{STYLE}<div class="thaw-cards">{"".join(_card(*each) for each in shown)}</div>')


def captioned(shown: Iterable[tuple[Image, str]]) -> None:
    """Draw a few images side by side, each with a line below it."""
    drawn = "".join(
        f'<figure><img src="{picture_url("image", image)}" alt="{in_html(image.name)}">'
        f'<figcaption title="{in_html(line)}">{in_html(line)}</figcaption></figure>'
        for image, line in shown
    )
    st.html(f'{STYLE}<div class="thaw-captioned">{drawn}</div>')


def large(image: Image) -> None:
    """Draw one picture as large as its column."""
    st.html(
        f'{STYLE}<div class="thaw-large"><img src="{picture_url("image", image)}" alt="{in_html(image.name)}"></div>'
    )


def _card(image: Image, rows: Sequence[Row], note: str) -> str:
    facts = "".join(
        f'<dt>{in_html(word)}</dt><dd class="share">{share:.0%}</dd>'
        f'<dd class="name" title="{in_html(name)}">{in_html(name)}</dd>'
        for word, name, share in rows
    )
    named = in_html(image.name)
    return (
        f'<figure class="thaw-card"><img loading="lazy" src="{picture_url("image", image)}" alt="{named}" '
        f'title="{named}"><dl>{facts}</dl><figcaption>{named}</figcaption>'
        f"{f'<p>{in_html(note)}</p>' if note else ''}</figure>"
    )
