"""The Studio: a component of three columns - photos, learning, trying - that speaks with the server by itself."""

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.server.addresses import address
from pages.ui.server.studio_route import TOKEN
from pages.ui.server.studio_state import list_more_eyes
from thaw.jobs.standby import is_unasked_allowed

KEY = "studio"

_component = st.components.v2.component(
    "thaw_studio",
    html=read_assets("components/studio/studio.html"),
    css=read_assets("components/button.css", "components/studio/studio.css"),
    js=read_assets(
        "components/requests.js",
        "components/drop_zone/entries.js",
        "components/drop_zone/upload.js",
        "components/webcam/camera.js",
        "components/webcam/bars.js",
        "components/studio/server.js",
        "components/studio/curve.js",
        "components/studio/recorder.js",
        "components/studio/walls.js",
        "components/studio/tryout.js",
        "components/studio/learning.js",
        "components/studio/adding.js",
        "components/studio/studio.js",
    ),
)


def studio(dataset_id: str | None) -> str | None:
    """Draw the Studio with a data set, or empty; return the id of the data set that it has come to show since."""
    result = _component(
        key=KEY,
        data={
            "state": address("thaw/studio/state"),
            "act": address("thaw/studio/do"),
            "token": TOKEN,
            "pile": address("pile"),
            "eyes": list_more_eyes(),
            "dataset": dataset_id,
            "auto": "on" if is_unasked_allowed() else "off",
        },
        default={"shown": dataset_id},
        on_shown_change=lambda: None,
    )
    shown: str | None = result.shown
    return shown
