"""Draws the figures: classes, the learning curve, the blocks of a backbone, the confusion matrix."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui.names import in_figure
from tlcore.records import Epoch

TRAINING = "#8799a0"
VALIDATION = "#1f9bb3"
UNFROZEN = "#d9772b"
FROZEN = "#a9b8be"
INK_ON_BLOCK = "#12191c"
BOUNDARY = "#d9772b"
FAINT_INK = "#8a9aa1"
DARK_SHARE = 0.5
MOST_BARS = 40
MOST_COUNTS = 20
MOST_TICKS = 40
MODE_BAR: dict[str, Any] = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "png", "scale": 2, "filename": "thaw"},
}


def class_counts(classes: Mapping[str, int]) -> go.Figure:
    """Draw the number of images of each class as bars, the largest `MOST_BARS` classes at most."""
    shown = sorted(classes.items(), key=lambda item: -item[1])[:MOST_BARS]
    figure = go.Figure(
        go.Bar(
            x=[number for _, number in shown],
            y=list(range(len(shown))),
            orientation="h",
            marker_color=VALIDATION,
            text=[f"{number:,}" for _, number in shown],
            textposition="auto",
            hovertext=[f"{in_figure(name)}: {number:,}" for name, number in shown],
            hoverinfo="text",
        )
    )
    figure.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=[in_figure(name, 24) for name, _ in shown],
        autorange="reversed",
        automargin=True,
    )
    figure.update_xaxes(title_text="images", rangemode="tozero")
    return _plain(figure, height=90 + 26 * len(shown))


def learning_curve(epochs: Sequence[Epoch]) -> go.Figure:
    """Draw accuracy above loss, epoch by epoch; where phase 2 begins a dashed line says so.

    `uirevision` stays the same, so that a new epoch keeps the zoom that the person has chosen.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.07)
    numbers = [epoch.epoch for epoch in epochs]
    lines = (
        (1, "training", TRAINING, [epoch.accuracy for epoch in epochs]),
        (1, "validation", VALIDATION, [epoch.val_accuracy for epoch in epochs]),
        (2, "training", TRAINING, [epoch.loss for epoch in epochs]),
        (2, "validation", VALIDATION, [epoch.val_loss for epoch in epochs]),
    )
    for row, name, colour, values in lines:
        form = ":.1%" if row == 1 else ":.4f"
        figure.add_trace(
            go.Scatter(
                x=numbers,
                y=values,
                name=name,
                legendgroup=name,
                showlegend=row == 1,
                mode="lines+markers" if len(numbers) <= 60 else "lines",
                line={"color": colour, "width": 2.5},
                marker={"size": 5},
                hovertemplate=f"%{{y{form}}}",
            ),
            row=row,
            col=1,
        )
    for first in _phase_two_starts(epochs):
        figure.add_vline(x=first - 0.5, line={"dash": "dash", "color": BOUNDARY, "width": 1.5})
        figure.add_annotation(
            x=first - 0.5,
            y=1,
            yref="paper",
            text="fine-tuning",
            showarrow=False,
            xanchor="left" if first < 0.7 * len(numbers) else "right",
            yanchor="bottom",
            font_color=BOUNDARY,
        )
    figure.update_yaxes(title_text="accuracy", tickformat=".0%", row=1, col=1)
    figure.update_yaxes(title_text="loss", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title_text="epoch", row=2, col=1)
    figure.update_xaxes(range=[0.5, max(10, len(numbers)) + 0.5])
    figure.update_layout(hovermode="x unified", legend={"orientation": "h", "y": 1.1, "x": 0}, uirevision="curve")
    return _plain(figure, height=460, top=48)


def blocks(layers: Sequence[Mapping[str, Any]], top: int) -> go.Figure:
    """Draw the backbone from its output (left) to its input, one bar a block, the unfrozen layers in colour."""
    figure = go.Figure()
    start = 0
    for name, members in groupby(reversed(layers), key=lambda layer: layer["block"]):
        number = len(list(members))
        unfrozen = min(max(top - start, 0), number)
        for part, colour in ((unfrozen, UNFROZEN), (number - unfrozen, FROZEN)):
            if part:
                figure.add_trace(_segment(str(name), part, number, colour, start))
        start += number
    figure.update_layout(barmode="stack", bargap=0, showlegend=False, uniformtext={"minsize": 9, "mode": "hide"})
    figure.update_xaxes(range=[0, len(layers)], showgrid=False, title_text="layers from the output", fixedrange=True)
    figure.update_yaxes(visible=False, fixedrange=True)
    return _plain(figure, height=130)


def confusion(labels: Sequence[str], matrix: np.ndarray) -> go.Figure:
    """Draw how often each true class (row) was taken for each class (column); colour is the share of the row.

    Streamlit reports clicks on points but not on the cells of a heat map, so clear squares lie over the cells
    that hold images; their customdata is [true, predicted] as numbers into `labels`.
    """
    numbers = list(range(len(labels)))
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = max(300, min(620, 34 * len(labels)))
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=numbers,
            y=numbers,
            zmin=0,
            zmax=1,
            colorscale=[[0, "rgba(31,155,179,0.04)"], [1, "rgba(31,155,179,0.95)"]],
            showscale=False,
            hoverinfo="skip",
            xgap=1,
            ygap=1,
        )
    )
    figure.add_trace(_clear_squares(labels, matrix, share, side / max(len(labels), 1)))
    ticks: dict[str, Any] = {"tickvals": numbers, "ticktext": [in_figure(label, 16) for label in labels]}
    if len(labels) > MOST_TICKS:
        ticks = {"showticklabels": False}
    ends = [-0.5, len(labels) - 0.5]
    figure.update_xaxes(
        title_text="predicted class", range=ends, fixedrange=True, showgrid=False, zeroline=False, **ticks
    )
    figure.update_yaxes(
        title_text="true class",
        range=ends[::-1],
        fixedrange=True,
        showgrid=False,
        zeroline=False,
        automargin=True,
        **ticks,
    )
    figure.update_layout(dragmode=False, showlegend=False)
    return _plain(figure, height=side + 110)


def _clear_squares(labels: Sequence[str], matrix: np.ndarray, share: np.ndarray, side: float) -> go.Scatter:
    cells = [(int(true), int(predicted)) for true, predicted in np.argwhere(matrix > 0)]
    return go.Scatter(
        x=[predicted for _, predicted in cells],
        y=[true for true, _ in cells],
        mode="markers+text" if len(labels) <= MOST_COUNTS else "markers",
        text=[f"{matrix[cell]:,}" for cell in cells],
        textfont={"color": ["#ffffff" if share[cell] > DARK_SHARE else FAINT_INK for cell in cells]},
        customdata=[list(cell) for cell in cells],
        marker={"symbol": "square", "size": side * 0.85, "opacity": 0, "color": UNFROZEN},
        selected={"marker": {"opacity": 0.35}},
        unselected={"marker": {"opacity": 0}, "textfont": {"color": FAINT_INK}},
        hovertext=[
            f"true {in_figure(labels[true])}<br>predicted {in_figure(labels[predicted])}<br>"
            f"{matrix[true, predicted]:,} images"
            for true, predicted in cells
        ],
        hoverinfo="text",
    )


def _segment(name: str, part: int, whole: int, colour: str, start: int) -> go.Bar:
    return go.Bar(
        x=[part],
        y=[0],
        orientation="h",
        marker={"color": colour, "line": {"width": 1, "color": "rgba(128,128,128,0.5)"}},
        text=[in_figure(name)],
        textposition="inside",
        insidetextanchor="middle",
        textangle=-90,
        insidetextfont={"color": INK_ON_BLOCK},
        hovertext=[f"{in_figure(name)}: {whole} layers, {start + 1} to {start + whole} from the output"],
        hoverinfo="text",
    )


def _phase_two_starts(epochs: Sequence[Epoch]) -> list[int]:
    firsts = [epoch.epoch for epoch in epochs if epoch.phase == 2]
    return firsts[:1] if any(epoch.phase == 1 for epoch in epochs) else []


def _plain(figure: go.Figure, height: int, top: int = 8) -> go.Figure:
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": top, "b": 8})
    return figure
