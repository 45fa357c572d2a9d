"""Draws the figures of an evaluation: classes with intervals, reliability, coverage, ROC, precision and recall."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from pages.ui.figures.basics import BATCH_NORM, FROZEN, SHARE_TICKS, TRAINING, UNFROZEN, VALIDATION, plain
from pages.ui.words.names import in_figure
from tlcore.evaluation.calibration import Bin
from tlcore.evaluation.metrics import ClassFigures, Coverage, Curve, Interval

ROW_PX, LEAST_PX, SQUARE_PX = 30, 160, 340
# How far two marks of a row stand from its line, so that neither hides the other.
ASIDE = 0.16
MOST_POINTS = 600
MARKS = ((VALIDATION, "circle"), (UNFROZEN, "diamond"), (BATCH_NORM, "square"))


@dataclass(frozen=True)
class Group:
    """One mark in every row of a figure: what it stands for, and its share in each row, None for a share of nothing."""

    name: str
    shares: list[Interval | None]


def class_intervals(classes: Sequence[ClassFigures]) -> go.Figure:
    """Draw the share found and the share right of each class, with 95% intervals, from the top down."""
    groups = [
        Group("found (recall)", [each.recall for each in classes]),
        Group("right when named (precision)", [each.precision for each in classes]),
    ]
    return _intervals([each.label for each in classes], groups)


def set_intervals(rows: Sequence[str], groups: Sequence[Group]) -> go.Figure:
    """Draw the shares of several sets of photos side by side, row by row, with 95% intervals, from the top down."""
    return _intervals(rows, groups)


def _intervals(rows: Sequence[str], groups: Sequence[Group]) -> go.Figure:
    figure = go.Figure()
    names = [in_figure(row) for row in rows]
    middle = (len(groups) - 1) / 2
    for place, group in enumerate(groups):
        colour, symbol = MARKS[place]
        known = [(row, share) for row, share in enumerate(group.shares) if share]
        figure.add_trace(
            go.Scatter(
                x=[share.value for _, share in known],
                y=[row + 2 * ASIDE * (place - middle) for row, _ in known],
                name=group.name,
                mode="markers",
                marker={"color": colour, "size": 10, "symbol": symbol},
                error_x={
                    "symmetric": False,
                    "array": [share.high - share.value for _, share in known],
                    "arrayminus": [share.value - share.low for _, share in known],
                    "color": colour,
                    "thickness": 1.5,
                },
                hovertext=[f"{names[row]}: {_tell(share)}" for row, share in known],
                hoverinfo="text",
            )
        )
    figure.update_xaxes(range=[None, 1.02], tickformat=SHARE_TICKS, fixedrange=True)
    ticks = {"tickvals": list(range(len(names))), "ticktext": names}
    figure.update_yaxes(**ticks, range=[len(names) - 0.5, -0.5], fixedrange=True, showgrid=False)
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"})
    row_px = ROW_PX + 10 * max(0, len(groups) - 2)
    return plain(figure, max(LEAST_PX, 90 + row_px * len(names)), top=40)


def reliability(told: Sequence[Bin], mended: Sequence[Bin]) -> go.Figure:
    """Draw how often answers are right against how sure they are, before and after the correction; on the diagonal a
    model is right as often as it says. The larger a point, the more images it stands for."""
    figure = go.Figure()
    figure.add_trace(_diagonal([0, 1], "as it should be"))
    most = max((each.images for each in (*told, *mended)), default=1)
    for name, colour, symbol, bins in (
        ("as the model says", UNFROZEN, "circle-open", told),
        ("corrected", VALIDATION, "circle", mended),
    ):
        if not bins:
            continue
        figure.add_trace(
            go.Scatter(
                x=[each.confidence for each in bins],
                y=[each.accuracy for each in bins],
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 1.5},
                marker={
                    "color": colour,
                    "symbol": symbol,
                    "size": [8 + 12 * (each.images / most) ** 0.5 for each in bins],
                    "line": {"width": 2, "color": colour},
                },
                hovertext=[
                    f"{each.images} images, {each.confidence:.1%} sure: {each.accuracy:.1%} right" for each in bins
                ],
                hoverinfo="text",
            )
        )
    return _square(figure, "how sure (confidence)", "how often right (accuracy)")


def coverage(found: Coverage, threshold: float) -> go.Figure:
    """Draw the share of photos that get an answer, and how many of those answers are right, against the threshold."""
    figure = go.Figure()
    for name, colour, dash, values in (
        ("answers right", VALIDATION, "solid", found.accuracy),
        ("photos answered", TRAINING, "dash", found.answered),
    ):
        figure.add_trace(
            go.Scatter(
                x=_thin(found.thresholds),
                y=_thin(values),
                name=name,
                mode="lines",
                line={"color": colour, "dash": dash, "shape": "vh"},
                hovertemplate="from %{x:.1%} on: %{y:.1%}",
            )
        )
    figure.add_vline(x=threshold, line={"color": UNFROZEN, "width": 2})
    return _square(figure, "least confidence that counts", "share")


def curve(found: Curve, across: str, upwards: str, chance: Sequence[float]) -> go.Figure:
    """Draw a curve over all thresholds; `chance` is where one that knows nothing would lie, at the left and right."""
    figure = go.Figure()
    figure.add_trace(_diagonal(chance, "by chance"))
    figure.add_trace(
        go.Scatter(
            x=_thin(found.x),
            y=_thin(found.y),
            name="the model",
            mode="lines",
            line={"color": VALIDATION, "width": 2.5},
            hovertemplate=f"{across} %{{x:.1%}}<br>{upwards} %{{y:.1%}}",
        )
    )
    return _square(figure, across, upwards)


def _thin(values: np.ndarray) -> np.ndarray:
    """Return at most `MOST_POINTS` of the values, from the first to the last: more lie on the same pixels."""
    if len(values) <= MOST_POINTS:
        return values
    return values[np.linspace(0, len(values) - 1, MOST_POINTS).round().astype(int)]


def _tell(share: Interval) -> str:
    return f"{share.value:.1%} of {share.of} ({share.low:.1%} to {share.high:.1%})"


def _diagonal(y: Sequence[float], name: str) -> go.Scatter:
    line = {"color": FROZEN, "dash": "dot", "width": 1.5}
    return go.Scatter(x=[0, 1], y=list(y), name=name, mode="lines", line=line, hoverinfo="skip")


def _square(figure: go.Figure, across: str, upwards: str) -> go.Figure:
    figure.update_xaxes(title_text=across, range=[-0.02, 1.02], tickformat=SHARE_TICKS)
    figure.update_yaxes(title_text=upwards, range=[-0.02, 1.03], tickformat=SHARE_TICKS)
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"})
    return plain(figure, SQUARE_PX, top=40)
