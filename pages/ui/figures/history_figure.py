"""Draws the accuracy of runs against when they were made, or against how much of the backbone they trained."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import plotly.graph_objects as go

from pages.ui.components.expert import expert
from pages.ui.figures.basics import SHARE_AXIS
from pages.ui.figures.comparison_figure import COLOURS, MARKERS
from pages.ui.words import amounts
from pages.ui.words.names import in_figure
from thaw.storage.experiments import Experiment
from tlcore.models.backbones import BACKBONES

TIME, SHARE = "time", "share"
PLAIN_SIDES = {"validation": "exam photos", "holdout": "extra exam photos"}
LEGEND_LINE_PX = 22
RIM = 2


def trainable_share(row: Experiment) -> float | None:
    """Return the share (0..1) of the backbone's Keras layers that phase 2 unfroze; None for an unknown backbone."""
    known = BACKBONES.get(row.base_architecture)
    layers = row.frozen_layers_count + row.unfrozen_layers_count if row.frozen_layers_count is not None else None
    total = layers or (known.layers if known else None)
    return row.unfrozen_layers_count / total if total else None


def accuracies(rows: Sequence[Experiment], against: str, titles: Mapping[str, str]) -> go.Figure:
    """Draw validation accuracy, filled, and holdout accuracy, open, one colour and marker a backbone.

    `against` is `TIME` or `SHARE`; `titles` name backbones.
    """
    figure = go.Figure()
    names = list(dict.fromkeys(row.base_architecture for row in rows))
    for place, name in enumerate(names):
        own = [row for row in rows if row.base_architecture == name]
        for side, symbol in (("validation", ""), ("holdout", "-open")):
            points = [row for row in own if getattr(row, f"final_accuracy_{side}") is not None]
            if points:
                figure.add_trace(_trace(points, against, titles[name], side, place, symbol))
    figure.update_xaxes(automargin=True, title_standoff=8)
    figure.update_yaxes(automargin=True, title_standoff=8, title_text="accuracy", **SHARE_AXIS)
    if against == SHARE:
        figure.update_xaxes(
            title_text=expert.either(
                "share of the eye's layers that adapted", "share of the backbone's layers unfrozen"
            ),
            **SHARE_AXIS,
            rangemode="tozero",
        )
    return figure.update_layout(
        template="none",
        height=360 + LEGEND_LINE_PX * len(figure.data),
        margin={"l": 8, "r": 8, "t": LEGEND_LINE_PX * len(figure.data) + 16, "b": 8},
        legend={"orientation": "v", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"},
        showlegend=True,
        uirevision=against,
    )


def _trace(rows: list[Experiment], against: str, title: str, side: str, place: int, symbol: str) -> go.Scatter:
    moments = [datetime.fromisoformat(row.created_at).timestamp() for row in rows]
    across = [datetime.fromtimestamp(moment) for moment in moments] if against == TIME else map(trainable_share, rows)
    upwards = [getattr(row, f"final_accuracy_{side}") for row in rows]
    told = expert.either(PLAIN_SIDES[side], side)
    return go.Scatter(
        x=list(across),
        y=upwards,
        name=in_figure(f"{title}, {told}"),
        mode="markers",
        marker={
            "size": 11,
            "symbol": f"{MARKERS[place % len(MARKERS)]}{symbol}",
            "color": COLOURS[place % len(COLOURS)],
            "line": {"width": RIM if symbol else 0, "color": COLOURS[place % len(COLOURS)]},
        },
        hovertext=[
            f"{in_figure(row.dataset_name)}<br>{amounts.moment(moment)}<br>{told} "
            f"{'AP50 ' if row.task == 'detect' else ''}{amounts.percent(accuracy)}, "
            f"{row.unfrozen_layers_count} layers {expert.either('adapted', 'unfrozen')}"
            for row, moment, accuracy in zip(rows, moments, upwards, strict=True)
        ],
        hoverinfo="text",
    )
