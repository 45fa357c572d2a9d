"""The counting camera: a component that has a detector look at the camera live, draws boxes over it, and counts."""

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.server.frame_route import frames_url
from pages.ui.server.token import page_token

KEY = "counting camera"

_component = st.components.v2.component(
    "thaw_counting_camera",
    html=read_assets("components/webcam/counter.html"),
    css=read_assets(
        "components/button.css",
        "components/webcam/webcam.css",
        "components/webcam/counter.css",
    ),
    js=read_assets(
        "components/requests.js",
        "components/webcam/camera.js",
        "components/webcam/counter.js",
    ),
)


def counting_camera(run_id: str, image_size: int, confidence: float) -> None:
    """Draw the camera for the detector of a run, which fits pictures into squares of `image_size` pixels.

    What it is at least `confidence` (0 to 1) sure of is drawn and counted; another confidence needs no other answer.
    The camera is asked for when a person presses Start, and let go of when the component leaves the page.
    """
    _component(
        key=KEY,
        data={
            "url": frames_url(run_id),
            "token": page_token(),
            "side": image_size,
            "confidence": confidence,
        },
    )
