"""The stepper: a component that goes from picture to picture and acts on the one shown, by button or by key.

`st.button(shortcut=...)` of Streamlit 1.67 shows the next picture as soon, but loses keys that are pressed while an
answer is on its way: eight quick steps back moved by one or two pictures, here by eight. Its letters count wherever
the focus is, so that an x that was meant for nothing would exclude a photo; here only where a page is there for that.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from pages.ui.components.assets import read_assets

GO = "go"

_component = st.components.v2.component(
    "thaw_stepper",
    html=read_assets("components/stepper/stepper.html"),
    css=read_assets("components/stepper/stepper.css"),
    js=read_assets("components/typing.js", "components/grid/post.js", "components/stepper/stepper.js"),
)


@dataclass(frozen=True)
class Key:
    """Something to do with the picture that is shown: a button and the lower-case letter that presses it.

    What is `anywhere` is not about that picture, and is done also where another has come into its place meanwhile.
    """

    name: str
    label: str
    key: str
    enabled: bool
    about: str = ""
    anywhere: bool = False


@dataclass(frozen=True)
class Asked:
    """What the browser asks for: to "go" to a place from 0 on, or one of the keys' names at the place that it shows."""

    action: str
    place: int


def stepper(
    key: str,
    place: int | None,
    ids: Sequence[str],
    keys: Sequence[Key],
    said: str,
    on_asked: Callable[[Asked], None],
    grab: bool = False,
    listens: bool = False,
) -> None:
    """Draw the stepper over the pictures of `ids`, at `place` (None before one is shown).

    `said` tells what is shown to those who cannot see it, whenever it changes. `on_asked` is called once for each thing
    that is asked for, before the page's script runs again. With `grab` the focus goes to it as it appears. Its letters
    count while the focus is on its buttons; if it `listens`, everywhere on the page but in a field.
    """
    answered = f"{key} answered"

    def asked() -> None:
        message = st.session_state[key].asked
        # As in the grid: the browser waits for the number of one message before it sends the next.
        if not message or message["number"] == st.session_state.get(answered):
            return
        st.session_state[answered] = message["number"]
        wanted = read_asked(message, place, ids, keys)
        if wanted:
            on_asked(wanted)

    _component(
        key=key,
        data={
            "label": "Go from picture to picture",
            "place": -1 if place is None else place,
            "id": "" if place is None else ids[place],
            "total": len(ids),
            "actions": [asdict(each) for each in keys],
            "said": said,
            "grab": grab,
            "listens": listens,
            "answered": st.session_state.get(answered),
        },
        on_asked_change=asked,
    )


def read_asked(message: dict[str, Any], place: int | None, ids: Sequence[str], keys: Sequence[Key]) -> Asked | None:
    """Return what a browser's message asks for, or None where it is about nothing that the page now shows."""
    action, wanted = message["action"], message["place"]
    if not isinstance(wanted, int) or not 0 <= wanted < len(ids):
        return None
    if action == GO:
        return Asked(GO, wanted)
    offered = {each.name: each for each in keys if each.enabled}
    if action in offered and offered[action].anywhere:
        return Asked(action, wanted)
    if action not in offered or wanted != place or message.get("id") != ids[wanted]:
        return None
    return Asked(action, wanted)
