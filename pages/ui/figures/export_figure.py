"""Draws what each exported file costs: how long one image takes, and how large the file is."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

import plotly.graph_objects as go

from pages.ui.figures.basics import UNFROZEN, VALIDATION
from pages.ui.figures.speed_figure import SIDES, TICKS_MS

ROOM_AROUND = 2.5


@dataclass(frozen=True)
class Cost:
    """One file that may be used: milliseconds for one image, megabytes, and whether it passed without a warning."""

    title: str
    milliseconds: float
    megabytes: float
    passed: bool


def size_against_latency(costs: Sequence[Cost]) -> go.Figure:
    """Draw a labelled point for each file; those to be used with care are diamonds. The best lie at the lower left."""
    ordered = sorted(costs, key=lambda cost: cost.milliseconds)
    figure = go.Figure(
        go.Scatter(
            x=[cost.milliseconds for cost in ordered],
            y=[cost.megabytes for cost in ordered],
            mode="markers+text",
            marker={
                "size": 11,
                "symbol": ["circle" if cost.passed else "diamond" for cost in ordered],
                "color": [VALIDATION if cost.passed else UNFROZEN for cost in ordered],
            },
            text=[cost.title for cost in ordered],
            textposition=[SIDES[number % len(SIDES)] for number in range(len(ordered))],
            cliponaxis=False,
            hovertext=[f"{cost.title}: {cost.milliseconds:.1f} ms, {cost.megabytes:.1f} MB" for cost in ordered],
            hoverinfo="text",
        )
    )
    still = {"fixedrange": True, "zeroline": False, "automargin": True, "title_standoff": 8}
    figure.update_xaxes(
        type="log",
        title_text="milliseconds for one image",
        range=[log10(ordered[0].milliseconds / ROOM_AROUND), log10(ordered[-1].milliseconds * ROOM_AROUND)],
        tickvals=TICKS_MS,
        **still,
    )
    figure.update_yaxes(title_text="megabytes", range=[0, 1.25 * max(cost.megabytes for cost in ordered)], **still)
    # The colours of the page are put on in the browser, which knows them.
    return figure.update_layout(
        template="none", height=340, margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False, dragmode=False
    )
