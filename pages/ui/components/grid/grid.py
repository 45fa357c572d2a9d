"""The picture grid: a component in which a person selects many photos, looks at them large and acts on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.words.names import visible
from pages.ui.words.options import class_names

_component = st.components.v2.component(
    "thaw_grid",
    html=read_assets("components/grid/grid.html"),
    css=read_assets("components/grid/grid.css"),
    js=read_assets(
        "components/grid/choices.js", "components/grid/viewer.js", "components/grid/post.js", "components/grid/grid.js"
    ),
)


@dataclass(frozen=True)
class Tile:
    """One picture of a grid; ids are unique within it, and texts are shown literally."""

    id: str
    thumbnail_url: str
    picture_url: str
    name: str
    caption: str = ""
    badge: str = ""


@dataclass(frozen=True)
class Action:
    """Something to do with the selected pictures: a button, a lower-case letter that presses it, and its choices."""

    name: str
    label: str
    key: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """What the browser asks for: an action, the pictures in the grid's order, and the choice where there are any."""

    action: str
    ids: list[str]
    choice: str | None


def grid(
    key: str,
    pictures: Sequence[Tile],
    actions: Sequence[Action],
    label: str,
    on_action: Callable[[str, list[str], str | None], None] | None = None,
) -> None:
    """Draw the grid; `label` names it to those who cannot see it.

    `on_action` is called once an action, before the page's script runs again, with the action's name, the ids of the
    selected pictures in the grid's order (never none) and the choice, None where the action has no choices.
    """
    answered = f"{key} answered"

    def acted() -> None:
        message = st.session_state[key].acted
        # The browser waits for the number of one message before it sends the next, and may send one again.
        if not message or message["number"] == st.session_state.get(answered):
            return
        st.session_state[answered] = message["number"]
        order = read_order(message, pictures, actions)
        if order and on_action:
            on_action(order.action, order.ids, order.choice)

    _component(
        key=key,
        data={
            "label": label,
            "answered": st.session_state.get(answered),
            "tiles": [_tile(picture) for picture in pictures],
            "actions": [_action(action) for action in actions],
        },
        on_acted_change=acted,
    )


def read_order(message: dict[str, Any], pictures: Sequence[Tile], actions: Sequence[Action]) -> Order | None:
    """Return what a browser's message asks for, or None where it names nothing that the grid now offers."""
    action = next((each for each in actions if each.name == message["action"]), None)
    asked = set(message["ids"])
    ids = [picture.id for picture in pictures if picture.id in asked]
    choice = message["choice"]
    if not action or not ids or choice not in (action.choices or (None,)):
        return None
    return Order(action.name, ids, choice)


def _tile(picture: Tile) -> dict[str, str]:
    return {
        "id": picture.id,
        "thumbnail": picture.thumbnail_url,
        "picture": picture.picture_url,
        "name": visible(picture.name),
        "caption": visible(picture.caption),
        "badge": visible(picture.badge),
    }


def _action(action: Action) -> dict[str, Any]:
    names = class_names(action.choices)
    choices = [{"value": choice, "shown": names(choice)} for choice in action.choices]
    return {"name": action.name, "label": visible(action.label), "key": action.key, "choices": choices}
