"""Draws the validation curves of several runs on one figure, told apart by letter, dash and marker as by colour."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui.figures.basics import SHARE_AXIS
from pages.ui.words.names import in_figure
from tlcore.training.history import Epoch

COLOURS = ("#1f9bb3", "#d9772b", "#8c6fd1", "#4f9a54", "#c8577f", "#8799a0", "#b08f1a", "#5b83d6")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash")
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "star")
MOST_MARKERS = 60
LEGEND_LETTERS = 60
LEGEND_LINE_PX = 22


@dataclass(frozen=True)
class Line:
    """One run's line: its letter, what tells it from the others, and its epochs."""

    letter: str
    about: str
    epochs: Sequence[Epoch]


def validation_curves(lines: Sequence[Line], loss: bool = True, detects: bool = False) -> go.Figure:
    """Draw validation accuracy above validation loss by epoch, one line a run; without `loss` the accuracy alone, under
    plain words. `detects` says that the runs' are detectors, whose AP50 stands in its place."""
    rows = 2 if loss else 1
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.07)
    for place, line in enumerate(lines):
        accuracy = [epoch.val_accuracy for epoch in line.epochs]
        losses = [epoch.val_loss for epoch in line.epochs]
        for row, values, form in ((1, accuracy, ":.1%"), (2, losses, ":.4f"))[:rows]:
            figure.add_trace(_trace(place, line, values, form, named=row == 1), row=row, col=1)
    figure.update_xaxes(automargin=True, title_standoff=8)
    figure.update_yaxes(automargin=True, title_standoff=8)
    score = ("AP50 on the exam photos", "validation AP50") if detects else ("exam photos right", "validation accuracy")
    figure.update_yaxes(title_text=score[loss], **SHARE_AXIS, row=1, col=1)
    if loss:
        figure.update_yaxes(title_text="validation loss", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title_text="epoch" if loss else "rounds (epochs)", row=rows, col=1)
    legend = LEGEND_LINE_PX * len(lines)
    return figure.update_layout(
        template="none",
        height=(460 if loss else 280) + legend,
        margin={"l": 8, "r": 8, "t": legend + 16, "b": 8},
        hovermode="x unified",
        legend={"orientation": "v", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"},
        uirevision=f"comparison {rows}",
    )


def _trace(place: int, line: Line, values: list[float], form: str, named: bool) -> go.Scatter:
    colour = COLOURS[place % len(COLOURS)]
    return go.Scatter(
        x=[epoch.epoch for epoch in line.epochs],
        y=values,
        name=in_figure(f"{line.letter}: {line.about}" if line.about else line.letter, LEGEND_LETTERS),
        legendgroup=line.letter,
        showlegend=named,
        mode="lines+markers" if len(values) <= MOST_MARKERS else "lines",
        line={"color": colour, "width": 2.5, "dash": DASHES[place % len(DASHES)]},
        marker={"size": 7, "symbol": MARKERS[place % len(MARKERS)]},
        customdata=[epoch.phase for epoch in line.epochs],
        hovertemplate=f"{line.letter} %{{y{form}}}, phase %{{customdata}}<extra></extra>",
    )
