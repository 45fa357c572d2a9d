"""The switch between the two depths of language: plain words, or with Expert the terms, tables and figures as well.

The browser keeps the choice in a cookie, which comes with its first question, so that no page is drawn twice.
"""

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.words import glossary

COOKIE = "thaw_expert"
PARAMETER = "expert"
SWITCH, WORDS_PANEL, PLACE = "expert switch", "words panel", "expert-place"
ON = "expert is on"
KEPT_FOR_S = 365 * 24 * 3600

_cookie = st.components.v2.component(
    "thaw_expert",
    html="<i hidden></i>",
    css=read_assets("components/expert/expert.css"),
    js=read_assets("components/expert/expert.js"),
    isolate_styles=False,
)


def is_on() -> bool:
    """Say whether this session shows the terms, tables and figures of experts."""
    return bool(st.session_state.get(ON))


def either(plain: str, expert: str) -> str:
    """Return the words of the depth that is chosen."""
    return expert if is_on() else plain


def kinds(text: str) -> str:
    """Return Thaw's own words about classes, which are kinds unless Expert is on; names from outside stay out of it."""
    return either(glossary.kinds(text), text)


def said(text: str) -> str:
    """Return a message from elsewhere, in which a plain word stands before each term unless Expert is on."""
    return either(glossary.plainly(text), text)


def recall() -> None:
    """Take the choice over from the address or else from the browser's cookie, as a session begins."""
    asked = st.query_params.get(PARAMETER)
    if ON not in st.session_state:
        st.session_state[ON] = (asked if asked is not None else st.context.cookies.get(COOKIE)) == "1"


def draw() -> None:
    """Draw the switch, and the word list beside it; have the browser keep the choice."""
    with st.container(key=PLACE, horizontal=True, vertical_alignment="center", gap="small"):
        st.toggle(
            "Expert",
            value=is_on(),
            key=SWITCH,
            on_change=_switch,
            help="Shows the field's terms, tables and figures as well. This browser remembers it.",
        )
        panel = st.popover("Words", type="tertiary", icon=":material/dictionary:", key=WORDS_PANEL, on_change="rerun")
        if panel.open:
            panel.markdown(glossary.as_list())
    _cookie(key="expert cookie", data={"name": COOKIE, "value": "1" if is_on() else "0", "seconds": KEPT_FOR_S})


def _switch() -> None:
    st.session_state[ON] = st.session_state[SWITCH]
    # An address that asked for the other depth would win over the choice at the next reload.
    st.query_params.pop(PARAMETER, None)
