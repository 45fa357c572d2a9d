"""Draws the score round by round: while the head learns, and while the backbone thaws, from the head's score on."""

from collections.abc import Sequence

import plotly.graph_objects as go

from pages.ui.figures.basics import FROZEN, SHARE_AXIS, TRAINING, UNFROZEN, VALIDATION, plain
from tlcore.training.history import Epoch

HEIGHT_PX = 320
LEAST_ROUNDS = 10
MOST_MARKED = 60
MARKER_PX, HEAD_PX = 7, 12
# So much either way of the head's score is always in sight: one point alone would stand between 0 and 100%.
AROUND = 0.1


def score_curve(head: Epoch, epochs: Sequence[Epoch], images: int | None) -> go.Figure:
    """Draw the share of exam photos that are right: the head's at round 0, then that of each epoch of phase 2.

    A dashed line goes on at the head's score, which is to be beaten. `images` is how many exam photos there are, None
    where a run does not say. `uirevision` stays the same, so that a new epoch keeps the zoom.
    """
    scores = [head.val_accuracy, *(epoch.val_accuracy for epoch in epochs)]
    sizes = [HEAD_PX, *[MARKER_PX if len(epochs) <= MOST_MARKED else 0] * len(epochs)]
    figure = go.Figure(
        go.Scatter(
            x=list(range(len(scores))),
            y=scores,
            mode="lines+markers",
            line={"color": UNFROZEN, "width": 3},
            marker={"size": sizes, "color": [FROZEN, *[UNFROZEN] * len(epochs)], "opacity": 1},
            hovertext=[
                f"{'the head' if place == 0 else f'round {place}'}: {tell_score(score, images)}"
                for place, score in enumerate(scores)
            ],
            hoverinfo="text",
            showlegend=False,
        )
    )
    figure.add_hline(y=head.val_accuracy, line={"color": FROZEN, "dash": "dash", "width": 1.5})
    figure.add_annotation(
        x=0,
        y=head.val_accuracy,
        text=f"the head: {tell_score(head.val_accuracy, images)}",
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        xshift=10,
        yshift=4,
    )
    figure.update_xaxes(
        title="rounds (epochs)",
        rangemode="tozero",
        # Not a range of our own: one that grows would undo the zoom.
        autorangeoptions={"include": [-0.3, LEAST_ROUNDS]},
    )
    around = [max(0.0, head.val_accuracy - AROUND), min(1.0, head.val_accuracy + AROUND)]
    fitted = SHARE_AXIS["autorangeoptions"] | {"include": around}
    figure.update_yaxes(title="exam photos right", **SHARE_AXIS | {"autorangeoptions": fitted})
    figure.update_layout(uirevision="score")
    return plain(figure, HEIGHT_PX)


def learning_score(epochs: Sequence[Epoch], what: str = "photos right") -> go.Figure:
    """Draw the share of photos that are right, or `what` is in its place, epoch by epoch: of the exam, and of those
    that are learnt from."""
    figure = go.Figure()
    for name, colour, values in (
        ("exam photos", VALIDATION, [epoch.val_accuracy for epoch in epochs]),
        ("photos it learns from", TRAINING, [epoch.accuracy for epoch in epochs]),
    ):
        figure.add_trace(
            go.Scatter(
                x=[epoch.epoch for epoch in epochs],
                y=values,
                name=name,
                mode="lines+markers" if len(epochs) <= MOST_MARKED else "lines",
                line={"color": colour, "width": 3},
                marker={"size": MARKER_PX},
                hovertemplate="%{y:.1%}",
            )
        )
    figure.update_xaxes(title="rounds (epochs)", autorangeoptions={"include": [0.5, LEAST_ROUNDS + 0.5]})
    figure.update_yaxes(title=what, **SHARE_AXIS)
    figure.update_layout(
        hovermode="x unified", legend={"orientation": "h", "y": 1.1, "x": 0}, uirevision="learning score"
    )
    return plain(figure, HEIGHT_PX, top=40)


def tell_score(accuracy: float, images: int | None) -> str:
    """Say an accuracy (0..1) as so many of the exam photos, or as a percentage where their number is not known."""
    return f"{accuracy:.1%}" if images is None else f"{round(accuracy * images):,} of {images:,}"
