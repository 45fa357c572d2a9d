"""What others change while a page is open: the browser asks for a mark of it once a second, and has the page drawn
again where that is another than the one with which the page was drawn."""

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.page import selection, steps
from pages.ui.server.changes_route import changes_url, write_mark
from thaw.storage.store import Pulse, Store

# The Studio asks for itself, for all that it shows.
FOLLOWS_ITSELF = ("", steps.STUDIO.name)
# What its component shows is not in the script: that is told instead.
TELLS_COMPONENT = ("boxes",)

_news = st.components.v2.component("thaw_news", js=read_assets("components/typing.js", "page/news.js"))


def read(store: Store) -> Pulse:
    """Return how all stands before a page reads it: what changes from here on is news to the page."""
    return store.pulse()


def draw(pulse: Pulse | None) -> None:
    """Have the browser ask whether all still stands as `pulse` says; None, where it could not be read, asks nothing."""
    page, dataset_id = selection.place(), selection.chosen("dataset")
    follows = pulse is not None and page not in FOLLOWS_ITSELF
    _news(
        key="news",
        data={
            "url": changes_url(dataset_id) if follows else None,
            "mark": write_mark(pulse, dataset_id) if pulse is not None else None,
            "redraws": page not in TELLS_COMPONENT,
        },
        on_changed_change=lambda: None,
    )
