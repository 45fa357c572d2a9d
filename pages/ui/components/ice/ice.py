"""The block of ice: a component that shows a backbone's blocks and asks how many of its top layers may thaw.

`st.slider` of Streamlit 1.67 tells nothing before it is let go, so that nothing on the page could turn warm under the
finger.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.words.names import visible

_component = st.components.v2.component(
    "thaw_ice",
    html=read_assets("components/ice/ice.html"),
    css=read_assets("components/ice/ice.css"),
    js=read_assets("components/ice/ice.js"),
)


@dataclass(frozen=True)
class Slab:
    """One block of the backbone and how many layers it has; its name is shown literally."""

    name: str
    layers: int


def ice(key: str, slabs: Sequence[Slab], top: int, label: str, on_moved: Callable[[int], None] | None) -> None:
    """Draw the ice from the input (left) to the head, with the `top` layers warm; `label` names it to those who cannot
    see it.

    `on_moved` is called with another number of top layers, 0 to all, once it has been let go and before the page's
    script runs again. With None the ice cannot be moved.
    """
    answered = f"{key} answered"

    def moved() -> None:
        message = st.session_state[key].moved
        if not message:
            return
        # The browser keeps what it shows until it hears that this number was taken in.
        st.session_state[answered] = message["number"]
        wanted = read_moved(message, sum(slab.layers for slab in slabs))
        if on_moved and wanted is not None:
            on_moved(wanted)

    _component(
        key=key,
        data={
            "label": label,
            "slabs": [asdict(slab) | {"name": visible(slab.name)} for slab in slabs],
            "top": top,
            "enabled": on_moved is not None,
            "answered": st.session_state.get(answered),
        },
        on_moved_change=moved,
    )


def read_moved(message: dict[str, Any], layers: int) -> int | None:
    """Return the number of top layers that a browser's message asks for, or None where it is none of 0 to `layers`."""
    top = message["top"]
    return top if isinstance(top, int) and not isinstance(top, bool) and 0 <= top <= layers else None
