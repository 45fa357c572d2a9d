"""Draws the figures of what was tried before phase 2: accuracy against depth, and loss against learning rate."""

from collections.abc import Sequence

import plotly.graph_objects as go

from pages.ui.figures.basics import FROZEN, SHARE_AXIS, TRAINING, UNFROZEN, VALIDATION
from thaw.tuning.probe_record import Depth
from thaw.tuning.rate_curve import RateCurve, smooth


def accuracy_by_depth(depths: Sequence[Depth], layers: int, recommended: Depth | None) -> go.Figure:
    """Draw the accuracy at each depth with one standard error either way; a band shows what is as good as the best.

    `layers` is how many the backbone has, where the axis ends; the recommended depth has its own colour.
    """
    figure = go.Figure()
    if recommended:
        best = max(depths, key=lambda depth: depth.accuracy)
        figure.add_hrect(
            y0=best.accuracy - best.standard_error, y1=best.accuracy, fillcolor=FROZEN, opacity=0.25, line_width=0
        )
    colours = [UNFROZEN if depth == recommended else VALIDATION for depth in depths]
    figure.add_trace(
        go.Scatter(
            x=[depth.top for depth in depths],
            y=[depth.accuracy for depth in depths],
            mode="lines+markers",
            line={"color": TRAINING, "width": 1.5, "dash": "dot"},
            marker={"color": colours, "size": 12},
            error_y={"array": [depth.standard_error for depth in depths], "color": VALIDATION, "thickness": 2.5},
            hovertext=[
                f"top {depth.top} layers: {depth.accuracy:.1%} ± {depth.standard_error:.1%}<br>folds: "
                + ", ".join(f"{accuracy:.1%}" for accuracy in depth.accuracies)
                for depth in depths
            ],
            hoverinfo="text",
        )
    )
    figure.update_xaxes(title_text="top layers unfrozen", range=[-0.03 * layers, 1.03 * layers], automargin=True)
    figure.update_yaxes(title_text="accuracy, held out", **SHARE_AXIS, automargin=True)
    return _plain(figure)


def loss_by_rate(curve: RateCurve) -> go.Figure:
    """Draw the loss of each batch and the smoothed loss against the learning rate, and mark the suggestion."""
    figure = go.Figure()
    smoothed = smooth(curve.losses).tolist()
    for name, values, colour, width in (
        ("each batch", curve.losses, TRAINING, 1),
        ("smoothed", smoothed, VALIDATION, 3),
    ):
        figure.add_trace(
            go.Scatter(
                x=curve.rates,
                y=values,
                name=name,
                mode="lines",
                line={"color": colour, "width": width},
                hovertemplate="%{x:.1e}: %{y:.3f}",
            )
        )
    if curve.suggestion:
        figure.add_vline(x=curve.suggestion, line={"color": UNFROZEN, "dash": "dash", "width": 2})
    if curve.cap:
        figure.add_vrect(x0=curve.cap, x1=10 * curve.cap, fillcolor=FROZEN, opacity=0.25, line_width=0)
    figure.update_xaxes(title_text="learning rate", type="log", exponentformat="power", dtick=1, automargin=True)
    figure.update_yaxes(title_text="loss", rangemode="tozero", automargin=True)
    figure.update_layout(legend={"orientation": "h", "y": 1.15, "x": 0})
    return _plain(figure)


def _plain(figure: go.Figure) -> go.Figure:
    # The colours of the page are put on in the browser, which knows them.
    return figure.update_layout(template="none", height=320, margin={"l": 8, "r": 8, "t": 32, "b": 8})
