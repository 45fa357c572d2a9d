"""One figure on a page: a component that draws it in place, keeps the zoom as data comes in, and saves it.

`st.plotly_chart` of Streamlit 1.67 puts a new chart in the old one's place whenever the data change, one with a `key`
and a constant `uirevision` too, which loses the zoom and flickers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.components.figure.lasso import Marking, read_marking
from pages.ui.server.addresses import library_url
from pages.ui.words.names import visible

_component = st.components.v2.component(
    "thaw_figure",
    html=read_assets("components/figure/figure.html"),
    css=read_assets("components/figure/figure.css"),
    js=read_assets("components/figure/load_plotly.js", "components/figure/cells.js", "components/figure/figure.js"),
    # Plotly adds its own styles to the document, where a shadow root would not see them.
    isolate_styles=False,
)


@dataclass(frozen=True)
class Cells:
    """The cells of a matrix, for the keyboard: the classes of its rows and columns, and the images of each, int
    (n, n)."""

    labels: Sequence[str]
    images: np.ndarray


def figure(
    drawing: go.Figure,
    key: str,
    name: str,
    alt: str,
    zoom: bool = False,
    least_width_px: int = 0,
    on_click: Callable[[int, int], None] | None = None,
    on_select: Callable[[Marking], None] | None = None,
    cells: Cells | None = None,
) -> None:
    """Draw a figure with links that save it as PNG and SVG.

    `name` is the saved file's without its ending, `alt` says what is seen to those who cannot see it. Where the page is
    narrower than `least_width_px`, the figure scrolls sideways. `on_click` is called with the x and y of a cell or
    point that is clicked. With `on_select` points can be marked by lasso, by box or by a click; it is called with what
    is marked, the points by their `customdata`, which are numbers, or with nothing once the mark is taken away. Traces
    of "scattergl" are drawn without WebGL where a browser has none. With `cells` the keyboard goes from cell to
    cell, and Enter is a click.
    """

    def clicked() -> None:
        point = st.session_state[key].clicked
        if on_click and point:
            on_click(*point)

    def selected() -> None:
        said = st.session_state[key].selected
        if on_select and said is not None:
            on_select(read_marking(said))

    data: dict[str, Any] = {"drawing": drawing.to_json(), "library": library_url(), "name": name, "alt": visible(alt)}
    _component(
        key=key,
        data=data
        | {"zoom": zoom, "least": least_width_px, "select": on_select is not None}
        | ({"cells": {"labels": list(map(visible, cells.labels)), "images": cells.images.tolist()}} if cells else {}),
        on_clicked_change=clicked,
        on_selected_change=selected,
    )
