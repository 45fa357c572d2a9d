"""The webcam: a component that shows the camera, has the model look at it live, and hands a still to the page."""

import base64
import binascii
from collections.abc import Callable

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.server.frame_route import MAX_FRAME_BYTES, frames_url
from pages.ui.server.token import page_token

KEY = "webcam"

_component = st.components.v2.component(
    "thaw_webcam",
    html=read_assets("components/webcam/webcam.html"),
    css=read_assets("components/button.css", "components/webcam/webcam.css"),
    js=read_assets(
        "components/requests.js",
        "components/webcam/camera.js",
        "components/webcam/bars.js",
        "components/webcam/webcam.js",
    ),
)


def webcam(run_id: str, image_size: int, on_still: Callable[[bytes], None]) -> None:
    """Draw the webcam for the model of a run, whose pictures have sides of `image_size` pixels.

    `on_still` is called with each still that is taken, before the page's script runs again: the bytes that the browser
    sent, a JPEG if it kept to the rules.
    """

    def taken() -> None:
        still = read_still(st.session_state[KEY].still)
        if still:
            on_still(still)

    _component(
        key=KEY,
        data={"url": frames_url(run_id), "token": page_token(), "side": image_size},
        on_still_change=taken,
    )


def read_still(text: object) -> bytes | None:
    """Return the picture in a browser's message, base64, or None where it holds none of at most `MAX_FRAME_BYTES`."""
    if not isinstance(text, str) or len(text) > 2 * MAX_FRAME_BYTES:
        return None
    try:
        picture = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return picture if 0 < len(picture) <= MAX_FRAME_BYTES else None
