"""Draws the figures: classes, learning curve, claims of accuracy, blocks of a backbone."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui.components.expert import expert
from pages.ui.words.names import in_figure
from thaw.storage.facts import Accuracy
from tlcore.training.history import Epoch

TRAINING = "#8799a0"
VALIDATION = "#1f9bb3"
UNFROZEN = "#d9772b"
FROZEN = "#a9b8be"
INK_ON_BLOCK = "#12191c"
BATCH_NORM = "#8f78c8"
BLOCK_EDGE = "rgba(128,128,128,0.5)"
TALL, LOW = 0.8, 0.35
BOUNDARY = "#d9772b"
MOST_BARS = 40
LEAST_EPOCHS = 10
# Percent with as many digits as the ticks need (d3-format): with none, a narrow range has several of the same name.
SHARE_TICKS = "~%"
# An axis of shares fits itself to them, but no further than a marker's half beyond 0 and 100%: of one value alone, or
# of several that are the same, Plotly makes an axis that is 200% long.
SHARE_AXIS: dict[str, Any] = {
    "tickformat": SHARE_TICKS,
    "autorangeoptions": {"clipmin": -0.02, "clipmax": 1.02},
}


def class_counts(classes: Mapping[str, int]) -> go.Figure:
    """Draw the number of images of each class as bars, the largest `MOST_BARS` classes at most."""
    shown = sorted(classes.items(), key=lambda item: -item[1])[:MOST_BARS]
    figure = go.Figure(
        go.Bar(
            x=[number for _, number in shown],
            y=list(range(len(shown))),
            orientation="h",
            marker_color=VALIDATION,
            text=[f"{number:,}" for _, number in shown],
            textposition="auto",
            hovertext=[f"{in_figure(name)}: {number:,}" for name, number in shown],
            hoverinfo="text",
        )
    )
    figure.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=[in_figure(name, 24) for name, _ in shown],
        autorange="reversed",
    )
    figure.update_xaxes(title_text="images", rangemode="tozero")
    return plain(figure, height=90 + 26 * len(shown))


def describe_counts(classes: Mapping[str, int]) -> str:
    """Say in words what `class_counts` shows: from how many images to how many, and of which classes."""
    told = f"Images of each of {len(classes):,} {expert.kinds('classes')}"
    if not classes:
        return told
    least, most = min(classes, key=classes.__getitem__), max(classes, key=classes.__getitem__)
    return f"{told}, from {classes[least]:,} ({least}) to {classes[most]:,} ({most})"


def learning_curve(epochs: Sequence[Epoch], score: str = "accuracy") -> go.Figure:
    """Draw accuracy, or the `score` in its place, above loss, epoch by epoch; where phase 2 begins a dashed line says
    so.

    `uirevision` stays the same, so that a new epoch keeps the zoom that the person has chosen.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.07)
    numbers = [epoch.epoch for epoch in epochs]
    lines = (
        (1, "training", TRAINING, [epoch.accuracy for epoch in epochs]),
        (1, "validation", VALIDATION, [epoch.val_accuracy for epoch in epochs]),
        (2, "training", TRAINING, [epoch.loss for epoch in epochs]),
        (2, "validation", VALIDATION, [epoch.val_loss for epoch in epochs]),
    )
    for row, name, colour, values in lines:
        form = ":.1%" if row == 1 else ":.4f"
        figure.add_trace(
            go.Scatter(
                x=numbers,
                y=values,
                name=name,
                legendgroup=name,
                showlegend=row == 1,
                mode="lines+markers" if len(numbers) <= 60 else "lines",
                line={"color": colour, "width": 2.5},
                marker={"size": 5},
                hovertemplate=f"%{{y{form}}}",
            ),
            row=row,
            col=1,
        )
    for first in _phase_two_starts(epochs):
        figure.add_vline(x=first - 0.5, line={"dash": "dash", "color": BOUNDARY, "width": 1.5})
        figure.add_annotation(
            x=first - 0.5,
            y=1,
            yref="paper",
            text="fine-tuning",
            showarrow=False,
            xanchor="left" if first < 0.7 * len(numbers) else "right",
            yanchor="bottom",
            font_color=BOUNDARY,
        )
    figure.update_yaxes(title_text=score, **SHARE_AXIS, row=1, col=1)
    figure.update_yaxes(title_text="loss", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title_text="epoch", row=2, col=1)
    # Not a range of our own: one that grows would undo the zoom.
    figure.update_xaxes(autorangeoptions={"include": [0.5, LEAST_EPOCHS + 0.5]})
    figure.update_layout(hovermode="x unified", legend={"orientation": "h", "y": 1.1, "x": 0}, uirevision="curve")
    return plain(figure, height=460, top=48)


def claims(naive: Accuracy, grouped: Accuracy) -> go.Figure:
    """Draw what a random split claims and what holds: `mean` with `low` and `high` of each, accuracies in 0..1."""
    figure = go.Figure()
    rows = (("random split", naive, TRAINING), ("kept together", grouped, VALIDATION))
    for place, (name, estimate, colour) in enumerate(rows):
        mean, low, high = estimate.mean, estimate.low, estimate.high
        figure.add_trace(
            go.Scatter(
                x=[mean],
                y=[place],
                mode="markers+text",
                marker={"color": colour, "size": 13},
                error_x={
                    "array": [high - mean],
                    "arrayminus": [mean - low],
                    "color": colour,
                    "thickness": 3,
                    "width": 7,
                },
                text=[f"{mean:.1%}"],
                textposition="top center",
                hovertext=[f"{name}: {mean:.1%}, 95% interval {low:.1%} to {high:.1%}"],
                hoverinfo="text",
            )
        )
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[name for name, _, _ in rows],
        range=[len(rows) - 0.5, -0.7],
        showgrid=False,
        zeroline=False,
        fixedrange=True,
    )
    figure.update_xaxes(title_text="accuracy, with its 95% interval", fixedrange=True, zeroline=False, **SHARE_AXIS)
    figure.update_layout(showlegend=False)
    return plain(figure, height=190)


def blocks(layers: Sequence[Mapping[str, Any]], top: int) -> go.Figure:
    """Draw the backbone from its output (left) to its input: a strip with one bar a layer above its blocks.

    The layers that train stand tall, the frozen ones low, so that colour is not needed to tell them apart;
    BatchNormalization has a colour of its own and never stands tall, since it stays frozen.
    """
    figure = go.Figure()
    upwards = list(reversed(layers))
    trains = [index < top and not layer.get("batch_norm") for index, layer in enumerate(upwards)]
    norms = [bool(layer.get("batch_norm")) for layer in upwards]
    strips = (
        ("trains", UNFROZEN, TALL, trains),
        ("stays frozen", FROZEN, LOW, [not any(each) for each in zip(trains, norms, strict=True)]),
        ("BatchNormalization, always frozen", BATCH_NORM, LOW, norms),
    )
    for name, colour, height, shown in strips:
        figure.add_trace(_layer_bars(upwards, name, colour, height, [n for n, each in enumerate(shown) if each]))
    start = 0
    for name, members in groupby(upwards, key=lambda layer: layer["block"]):
        number = len(list(members))
        unfrozen = min(max(top - start, 0), number)
        for part, colour in ((unfrozen, UNFROZEN), (number - unfrozen, FROZEN)):
            if part:
                base = start if colour == UNFROZEN else start + unfrozen
                # A block that the slider cuts in two bears its name in the larger part.
                figure.add_trace(_block_bar(str(name), base, part, colour, start, number, 2 * part >= number))
        start += number
    figure.add_vline(x=top, line={"color": BOUNDARY, "width": 2})
    figure.update_layout(
        barmode="overlay",
        bargap=0,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        uniformtext={"minsize": 9, "mode": "hide"},
    )
    figure.update_xaxes(range=[0, len(layers)], showgrid=False, title_text="layers from the output", fixedrange=True)
    figure.update_yaxes(visible=False, fixedrange=True, range=[0, 1 + TALL])
    return plain(figure, height=250, top=64)


def _layer_bars(
    upwards: Sequence[Mapping[str, Any]], name: str, colour: str, height: float, places: Sequence[int]
) -> go.Bar:
    return go.Bar(
        x=[place + 0.5 for place in places],
        y=[height] * len(places),
        base=1.08,
        width=0.86,
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        hovertext=[f"{place + 1}: {in_figure(str(upwards[place].get('name', '')))} {name}" for place in places],
        hoverinfo="text",
    )


def _block_bar(name: str, base: int, part: int, colour: str, start: int, whole: int, named: bool) -> go.Bar:
    return go.Bar(
        x=[part],
        y=[0.5],
        base=base,
        width=1,
        orientation="h",
        showlegend=False,
        marker={"color": colour, "line": {"width": 1, "color": BLOCK_EDGE}},
        text=[in_figure(name) if named else ""],
        textposition="inside",
        insidetextanchor="middle",
        textangle=-90,
        insidetextfont={"color": INK_ON_BLOCK},
        hovertext=[f"{in_figure(name)}: {whole} layers, {start + 1} to {start + whole} from the output"],
        hoverinfo="text",
    )


def _phase_two_starts(epochs: Sequence[Epoch]) -> list[int]:
    firsts = [epoch.epoch for epoch in epochs if epoch.phase == 2]
    return firsts[:1] if any(epoch.phase == 1 for epoch in epochs) else []


def plain(figure: go.Figure, height: int, top: int = 8) -> go.Figure:
    """Give a figure its height and margins in pixels, and no colours of its own for page and axes."""
    figure.update_xaxes(automargin=True, title_standoff=8)
    figure.update_yaxes(automargin=True, title_standoff=8)
    # The colours of the page are put on in the browser, which knows them.
    return figure.update_layout(template="none", height=height, margin={"l": 8, "r": 8, "t": top, "b": 8})
