"""Draws where the bytes go: one bar of all that Thaw keeps, cut by kind."""

from collections.abc import Mapping

import plotly.graph_objects as go

from pages.ui.components.expert import expert
from pages.ui.figures.basics import plain
from pages.ui.figures.comparison_figure import COLOURS
from pages.ui.words import amounts

KINDS = {
    "dataset": "Photos of data sets",
    "run": "Runs",
    "export": "Exports",
    "project": "Saved projects",
    "features": "Cached features",
    "downloads": "Downloads",
    "speed": "Measured speeds",
    "records": "Records and logs",
    "trash": "Trash",
}
LEGEND_LINE_PX = 24
COLOUR_OF = dict(zip(KINDS, (*COLOURS, "#5d6f75"), strict=True))
LEAST_NAMED = 0.12


def name_kind(kind: str) -> str:
    """Return what a kind of thing on the disk is called."""
    return expert.either("Impressions", KINDS[kind]) if kind == "features" else KINDS[kind]


def where_bytes_go(by_kind: Mapping[str, int]) -> go.Figure:
    """Draw bytes by kind as one stacked bar, each part told by the legend with its size."""
    whole = sum(by_kind.values())
    scale, unit = (1e9, "GB") if whole >= 1e9 else (1e6, "MB")
    figure = go.Figure()
    shown = [kind for kind in KINDS if by_kind.get(kind)]
    for kind in shown:
        size = by_kind[kind]
        figure.add_trace(
            go.Bar(
                x=[size / scale],
                y=[0],
                orientation="h",
                name=f"{name_kind(kind)}, {amounts.size(size)}",
                marker={"color": COLOUR_OF[kind], "line": {"width": 1}},
                text=[amounts.size(size) if size >= LEAST_NAMED * whole else ""],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                hovertext=[f"{name_kind(kind)}: {amounts.size(size)}"],
                hoverinfo="text",
            )
        )
    figure.update_layout(
        barmode="stack",
        showlegend=True,
        legend={"orientation": "v", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    )
    figure.update_yaxes(visible=False, fixedrange=True)
    figure.update_xaxes(title_text=unit, fixedrange=True, rangemode="tozero", zeroline=False)
    legend = LEGEND_LINE_PX * len(shown)
    return plain(figure, height=150 + legend, top=legend + 16)
