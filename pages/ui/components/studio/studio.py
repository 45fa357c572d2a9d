"""The Studio: a component of three columns - photos, learning, trying - that speaks with the server by itself."""

from collections.abc import Callable

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.server.addresses import address
from pages.ui.server.studio_state import list_more_eyes
from pages.ui.server.token import page_token
from thaw.jobs.standby import is_unasked_allowed

KEY = "studio"

_component = st.components.v2.component(
    "thaw_studio",
    html=read_assets("components/studio/studio.html"),
    css=read_assets("components/button.css", "components/studio/studio.css"),
    js=read_assets(
        "components/requests.js",
        "components/room.js",
        "components/drop_zone/entries.js",
        "components/drop_zone/upload.js",
        "components/drop_zone/note.js",
        "components/drop_zone/underway.js",
        "components/webcam/camera.js",
        "components/webcam/bars.js",
        "components/server.js",
        "components/studio/curve.js",
        "components/studio/recorder.js",
        "components/studio/walls.js",
        "components/studio/tryout.js",
        "components/studio/learning.js",
        "components/studio/adding.js",
        "components/studio/studio.js",
    ),
)


def studio(dataset_id: str | None, run_id: str | None, on_shown: Callable[[str, str | None], None]) -> None:
    """Draw the Studio with a data set and the model of a run of it, or empty.

    `on_shown` is called with the ids of what it has come to show since, before the page's script runs again: another
    data set, or a run that has just been taught.
    """

    def take() -> None:
        shown = st.session_state[KEY].shown
        on_shown(str(shown["dataset"]), str(shown["run"]) or None)

    _component(
        key=KEY,
        data={
            "state": address("thaw/studio/state"),
            "act": address("thaw/studio/do"),
            "token": page_token(),
            "pile": address("pile"),
            "find": address("find"),
            "boxes": address("boxes"),
            "eyes": list_more_eyes(),
            "dataset": dataset_id,
            "run": run_id,
            "auto": "on" if is_unasked_allowed() else "off",
        },
        on_shown_change=take,
    )
