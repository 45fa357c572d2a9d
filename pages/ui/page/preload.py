"""Has the browser load what other pages need while it is idle: the figures' library and Streamlit's own widgets."""

from functools import cache
from pathlib import Path

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.server.addresses import address, library_url

MODULES = Path(st.__file__).parent / "static" / "static" / "js"
# Those of the pages; Streamlit's own script loads each of them when it first draws one.
WIDGETS = (
    "ButtonGroup",
    "Checkbox",
    "DataFrame",
    "DownloadButton",
    "FileUploader",
    "Metric",
    "Pagination",
    "Progress",
    "Radio",
    "Selectbox",
    "Slider",
    "TextArea",
    "TextInput",
)

_component = st.components.v2.component(
    "thaw_ahead", js=read_assets("components/figure/load_plotly.js", "page/preload.js")
)


@cache
def find_modules() -> list[str]:
    """Return the addresses of the widgets' modules, whose file names have a hash that changes with each release."""
    return [address(f"static/js/{path.name}") for name in WIDGETS for path in sorted(MODULES.glob(f"{name}.*.js"))]


def load_ahead() -> None:
    """Have them loaded; nothing is seen of it."""
    _component(key="ahead", data={"library": library_url(), "modules": find_modules()})
