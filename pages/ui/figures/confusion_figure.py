"""Draws the confusion matrix: what is taken for what, as counts or as shares of the true class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from pages.ui.figures.basics import UNFROZEN, plain
from pages.ui.words.names import in_figure

INK_ON_DARK_CELL = "#ffffff"
DARK_SHARE = 0.7
# The step at DARK_SHARE keeps every number readable: ink of the theme on pale cells, white on dark ones.
CELL_COLOURS = [
    [0, "rgba(23,105,122,0.04)"],
    [DARK_SHARE, "rgba(23,105,122,0.5)"],
    [DARK_SHARE, "rgba(23,105,122,0.85)"],
    [1, "rgba(23,105,122,1)"],
]
MOST_COUNTS = 20
MOST_TICKS = 40
# Beyond this a cell is smaller than two pixels, and the figure says nothing.
MOST_CLASSES = 200


def confusion(
    labels: Sequence[str], matrix: np.ndarray, chosen: tuple[int, int] | None = None, rates: bool = False
) -> go.Figure:
    """Draw how often each true class (row) was taken for each class (column); colour is the share of the row.

    `matrix` is int (n, n), of at most `MOST_CLASSES` classes to be of use. The cell `chosen`, (true, predicted) as
    numbers into `labels`, gets a frame. The cells say how many images they stand for, or with `rates` that share.
    """
    numbers = list(range(len(labels)))
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = max(300, min(620, 34 * len(labels)))
    figure = go.Figure(
        go.Heatmap(
            z=share.astype(np.float32),
            x=numbers,
            y=numbers,
            zmin=0,
            zmax=1,
            colorscale=CELL_COLOURS,
            showscale=False,
            # The names come from the ticks: words for every cell would weigh megabytes.
            customdata=matrix,
            hovertemplate="true %{y}<br>predicted %{x}<br>images: %{customdata:,}<br>of the true class: %{z:.1%}"
            "<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    if len(labels) <= MOST_COUNTS:
        shown, form = (share, ".0%") if rates else (matrix, ",")
        figure.add_trace(_numbers(shown, form, (matrix > 0) & (share <= DARK_SHARE), {}))
        figure.add_trace(_numbers(shown, form, share > DARK_SHARE, {"color": INK_ON_DARK_CELL}))
    if chosen:
        true, predicted = chosen
        corners = {"x0": predicted - 0.5, "x1": predicted + 0.5, "y0": true - 0.5, "y1": true + 0.5}
        figure.add_shape(type="rect", line={"color": UNFROZEN, "width": 3}, **corners)
    named = len(labels) <= MOST_TICKS
    names = [in_figure(label, 20) if named else in_figure(label) for label in labels]
    ticks: dict[str, Any] = {"tickvals": numbers, "ticktext": names, "showticklabels": named}
    ends = [-0.5, len(labels) - 0.5]
    still = {"fixedrange": True, "showgrid": False, "zeroline": False} | ticks
    figure.update_xaxes(title_text="predicted class", range=ends, **still)
    figure.update_yaxes(title_text="true class", range=ends[::-1], **still)
    figure.update_layout(dragmode=False, showlegend=False)
    return plain(figure, height=side + 110)


def _numbers(values: np.ndarray, form: str, cells: np.ndarray, font: dict[str, str]) -> go.Scatter:
    """Draw the numbers of some cells in the ink that they bear; no font means the ink of the page."""
    rows, columns = np.nonzero(cells)
    return go.Scatter(
        x=columns,
        y=rows,
        mode="text",
        text=[f"{number:{form}}" for number in values[cells]],
        textfont=font,
        hoverinfo="skip",
    )
