"""What is around every page: the bar at the bottom of a phone, the keys of presentation mode, news of what others have
changed, and what the browser loads while it is idle: the figures' library and Streamlit's own widgets."""

from functools import cache
from pathlib import Path

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.page import selection, steps
from pages.ui.server.addresses import address, library_url
from pages.ui.server.changes_route import changes_url, write_mark
from thaw.storage.store import Pulse

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

# The Studio asks for itself, for all that it shows.
FOLLOWS_ITSELF = ("", steps.STUDIO.name)
# What its component shows is not in the script: that is told instead.
TELLS_COMPONENT = ("boxes",)
# What a thumb's width holds.
SHORT = {"export": "Take it"}

_loading = st.components.v2.component(
    "thaw_ahead", js=read_assets("components/figure/load_plotly.js", "page/preload.js")
)
_presenting = st.components.v2.component(
    "thaw_presenting", js=read_assets("components/typing.js", "page/presenting.js")
)
_news = st.components.v2.component("thaw_news", js=read_assets("components/typing.js", "components/news.js"))
_bar_styles = st.components.v2.component(
    "thaw_bottom_bar",
    html="<i hidden></i>",
    css=read_assets("page/bottom_bar.css", "page/everyone.css"),
    isolate_styles=False,
)


@cache
def find_modules() -> list[str]:
    """Return the addresses of the widgets' modules, whose file names have a hash that changes with each release."""
    return [address(f"static/js/{path.name}") for name in WIDGETS for path in sorted(MODULES.glob(f"{name}.*.js"))]


def load_ahead() -> None:
    """Have them loaded; nothing is seen of it."""
    _loading(key="ahead", data={"library": library_url(), "modules": find_modules()})


def draw() -> None:
    """Draw the bar, and have the browser listen to the keys: F makes the page large for a room, the space bar goes on
    to the next page of the story."""
    # The first page of the story lies at the empty address.
    story = ["", *(step.name for step in list(steps.STORY)[1:])]
    # Told of each page, or the browser would not hear of a new address.
    _presenting(key="presenting", data={"story": story, "page": selection.place()})
    _draw_bar()


def _draw_bar() -> None:
    """Draw the four pages of the story under the thumb of whoever holds a phone; wider windows have the menu."""
    _bar_styles(key="bottom bar styles")
    with st.container(key="bottom-bar", horizontal=True):
        for step, (icon, file) in steps.STORY.items():
            st.page_link(
                steps.make(step, icon, file),
                label=SHORT.get(step.name, step.title),
                icon=f":material/{icon}:",
                query_params=selection.as_query(),
            )


def ask_for_news(pulse: Pulse | None) -> None:
    """Have the browser ask once a second whether all still stands as `pulse` says, which was read before the page read
    anything, and have the page drawn again where it does not; None, where it could not be read, asks nothing."""
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
