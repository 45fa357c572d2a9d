"""Draws accuracy against speed: what a backbone is worth, and what it costs on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

import plotly.graph_objects as go

from pages.ui.components.expert import expert
from pages.ui.figures.basics import UNFROZEN, VALIDATION
from pages.ui.words.names import in_figure

# Labels take turns, so that neighbours on the axis of time do not write over each other.
SIDES = ("top center", "bottom center")
ROOM_AROUND = 1.6
TICKS_MS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


@dataclass(frozen=True)
class Point:
    """One measured backbone: ImageNet accuracy in percent, and milliseconds an image."""

    title: str
    milliseconds: float
    accuracy: float
    chosen: bool


def accuracy_against_speed(points: Sequence[Point]) -> go.Figure:
    """Draw a labelled point for each backbone, quick ones to the left; the chosen one is a larger diamond."""
    ordered = sorted(points, key=lambda point: point.milliseconds)
    figure = go.Figure(
        go.Scatter(
            x=[point.milliseconds for point in ordered],
            y=[point.accuracy for point in ordered],
            mode="markers+text",
            marker={
                "size": [15 if point.chosen else 10 for point in ordered],
                "symbol": ["diamond" if point.chosen else "circle" for point in ordered],
                "color": [UNFROZEN if point.chosen else VALIDATION for point in ordered],
            },
            text=[in_figure(point.title) for point in ordered],
            textposition=[SIDES[number % len(SIDES)] for number in range(len(ordered))],
            cliponaxis=False,
            hovertext=[
                f"{in_figure(point.title)}: {point.accuracy:.1f}%, {point.milliseconds:.1f} ms an image"
                for point in ordered
            ],
            hoverinfo="text",
        )
    )
    quickest, slowest = ordered[0].milliseconds, ordered[-1].milliseconds
    still = {"fixedrange": True, "zeroline": False, "automargin": True, "title_standoff": 8}
    figure.update_xaxes(
        type="log",
        title_text="milliseconds an image",
        range=[log10(quickest / ROOM_AROUND), log10(slowest * ROOM_AROUND)],
        tickvals=TICKS_MS,
        **still,
    )
    lowest, highest = min(point.accuracy for point in ordered), max(point.accuracy for point in ordered)
    figure.update_yaxes(
        title_text=expert.either("right in a contest (ImageNet)", "ImageNet top-1"),
        ticksuffix="%",
        range=[lowest - 3, highest + 3],
        **still,
    )
    # The colours of the page are put on in the browser, which knows them.
    return figure.update_layout(
        template="none", height=360, margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False, dragmode=False
    )
