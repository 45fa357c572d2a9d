"""Draws what a run's phases say of one image: the likeliest classes with their shares."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from pages.ui.components.expert import expert
from pages.ui.figures.basics import SHARE_TICKS, TRAINING, VALIDATION
from pages.ui.words.names import in_figure
from thaw.prediction.answers import list_likeliest

ROW_PX = 26
COLOURS = {1: TRAINING, 2: VALIDATION}
PHASES = {1: "head (phase 1)", 2: "fine-tuned (phase 2)"}
PLAIN_PHASES = {1: "head", 2: "adapted eye"}


def name_phase(phase: int) -> str:
    """Return what the model of a phase is called."""
    return expert.either(PLAIN_PHASES[phase], PHASES[phase])


def likeliest_classes(
    labels: list[str], said: Mapping[int, np.ndarray], phase: int, true: str | None = None
) -> go.Figure:
    """Draw the shares (0..1) of the likeliest classes as bars, one colour for each phase of `said`.

    Which classes are drawn is for `phase` to say; `true`, where it is known, is marked.
    """
    shown = list_likeliest(said[phase])
    figure = go.Figure()
    for each, shares in sorted(said.items()):
        figure.add_trace(
            go.Bar(
                x=[float(shares[number]) for number in shown],
                y=list(range(len(shown))),
                orientation="h",
                name=name_phase(each),
                marker_color=COLOURS[each],
                text=[f"{shares[number]:.0%}" for number in shown],
                textposition="auto",
                hovertext=[f"{in_figure(labels[number])}: {shares[number]:.1%}" for number in shown],
                hoverinfo="text",
            )
        )
    figure.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=[f"{in_figure(labels[number], 24)}{' (true)' if labels[number] == true else ''}" for number in shown],
        autorange="reversed",
        automargin=True,
        fixedrange=True,
    )
    figure.update_xaxes(range=[0, 1], tickformat=SHARE_TICKS, fixedrange=True)
    figure.update_layout(
        barmode="group",
        showlegend=len(said) > 1,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    )
    # The colours of the page are put on in the browser, which knows them.
    height = 60 + ROW_PX * len(shown) * len(said)
    return figure.update_layout(template="none", height=height, margin={"l": 8, "r": 8, "t": 32, "b": 24})
