"""Draws the figures of the rounds of fixes: accuracy over the rounds, and what each class gained or lost."""

from collections.abc import Sequence

import plotly.graph_objects as go

from pages.ui.figures.basics import SHARE_AXIS, TRAINING, VALIDATION, plain
from pages.ui.words.names import in_figure
from thaw.retraining.fix_history import ClassChange, HeadAccuracy

HEIGHT_PX, ROW_PX, LEAST_PX = 260, 28, 150
MOST_CLASSES = 20


def levels(found: Sequence[HeadAccuracy]) -> go.Figure:
    """Draw the accuracy of each head in turn, with 95% intervals; round 0 is the head before the first round."""
    figure = go.Figure()
    shares = [level.accuracy for level in found]
    figure.add_trace(
        go.Scatter(
            x=list(range(len(found))),
            y=[share.value for share in shares],
            mode="lines+markers",
            line={"color": VALIDATION, "width": 2},
            marker={"size": 9},
            error_y={
                "symmetric": False,
                "array": [share.high - share.value for share in shares],
                "arrayminus": [share.value - share.low for share in shares],
                "color": VALIDATION,
                "thickness": 1.2,
            },
            hovertemplate="round %{x}: %{y:.1%}<extra></extra>",
        )
    )
    names = ["before", *(str(number) for number in range(1, len(found)))]
    figure.update_xaxes(
        title="round", tickvals=list(range(len(found))) if len(found) <= MOST_CLASSES else None, fixedrange=True
    )
    if len(found) <= MOST_CLASSES:
        figure.update_xaxes(ticktext=names)
    figure.update_yaxes(**SHARE_AXIS, fixedrange=True)
    return plain(figure, HEIGHT_PX)


def class_changes(classes: Sequence[ClassChange]) -> go.Figure:
    """Draw by how many percentage points the share found of each class changed, the largest change at the top."""
    names = [in_figure(each.label) for each in classes]
    points = [each.points for each in classes]
    figure = go.Figure(
        go.Bar(
            x=points,
            y=list(range(len(classes))),
            orientation="h",
            marker={"color": [VALIDATION if each >= 0 else TRAINING for each in points]},
            text=[f"{each:+.1f}" for each in points],
            hovertext=[
                f"{name}: {each.before.value:.1%} before, {each.after.value:.1%} after, of {each.after.of:,}"
                for name, each in zip(names, classes, strict=True)
            ],
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    furthest = 1.25 * max(1.0, *map(abs, points))
    figure.update_xaxes(title="percentage points", range=[-furthest, furthest], fixedrange=True)
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.5, -0.5], fixedrange=True
    )
    return plain(figure, max(LEAST_PX, 80 + ROW_PX * len(classes)))
