"""Cards of photos: a component in which each photo with its sentence is one button, twelve or so at a time."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.words.names import visible

_component = st.components.v2.component(
    "thaw_cards",
    html=read_assets("components/cards/cards.html"),
    css=read_assets("components/cards/cards.css"),
    js=read_assets("components/cards/cards.js"),
)


@dataclass(frozen=True)
class Words:
    """A part of a line; `strong` where it is the name of a class. Shown literally."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class PhotoCard:
    """One photo: its id, unique among those that are shown, its address, the lines of its sentence and a note."""

    id: str
    picture_url: str
    alt: str
    lines: tuple[tuple[Words, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Attention:
    """Where the browser is to go: to the first card whenever `reveal` is another number than before, to the card of the
    id `last` whenever `closed` is."""

    reveal: int = 0
    closed: int = 0
    last: str = ""


def photo_cards(
    key: str,
    shown: Sequence[PhotoCard],
    label: str,
    on_open: Callable[[str], None],
    attention: Attention,
) -> None:
    """Draw the cards; `label` names them to those who cannot see them.

    `on_open` is called with the id of the card that is clicked, before the page's script runs again.
    """

    def opened() -> None:
        asked = st.session_state[key].opened
        if asked in {card.id for card in shown}:
            on_open(asked)

    _component(
        key=key,
        data={"label": label, "cards": [_describe(card) for card in shown]} | asdict(attention),
        on_opened_change=opened,
    )


def _describe(card: PhotoCard) -> dict[str, object]:
    return {
        "id": card.id,
        "picture": card.picture_url,
        "alt": visible(card.alt),
        "lines": [[{"text": visible(part.text), "strong": part.strong} for part in line] for line in card.lines],
        "note": visible(card.note),
    }
