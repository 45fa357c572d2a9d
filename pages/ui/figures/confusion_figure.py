"""Draws the confusion matrix: what is taken for what, as counts or as shares of the true class."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from pages.ui.components.expert import expert
from pages.ui.figures.basics import UNFROZEN, plain
from pages.ui.words.names import in_figure

# Of one hue, laid over the page: weak enough at its strongest that the page's own ink is read on it, by day and by
# night, and strong enough at its weakest to be told from a cell that holds nothing.
HUE = "31,155,179"
NOTHING, WEAKEST, STRONGEST = 0.05, 0.3, 0.7
STEPS = 9
# The side of a cell: a few are large, many are as small as lets their names stand beside one another.
LARGEST_PX, SMALLEST_PX = 34, 16
LEAST_SIDE_PX, MANY_SIDE_PX = 300, 620
ROOM_FOR_NAMES_PX = 150
SMALL_LETTERS_PX, LETTER_PX = 10, 6
LONGEST_NAME = 20
MOST_NUMBERS = 2000
# Beyond this the figure is wider and higher than anyone scrolls, and says nothing.
MOST_CLASSES = 200


def confusion(
    labels: Sequence[str], matrix: np.ndarray, chosen: tuple[int, int] | None = None, rates: bool = False
) -> go.Figure:
    """Draw how often each true class (row) was taken for each class (column), every class with its name.

    `matrix` is int (n, n), of at most `MOST_CLASSES` classes to be of use. The cell `chosen`, (true, predicted) as
    numbers into `labels`, gets a frame. The cells say how many images they stand for, or with `rates` which share of
    the true class. What they say has the same shade wherever it stands: there is one scale for all rows, by the
    logarithm of the images, so that one image is seen beside a thousand, or by the share.
    """
    numbers = list(range(len(labels)))
    share = (matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)).astype(np.float32)
    cell = _cell_px(len(labels))
    shown, beside = (share, matrix) if rates else (matrix, share)
    counted, shared = ("customdata", "z") if rates else ("z", "customdata")
    figure = go.Figure(
        go.Heatmap(
            z=shown,
            x=numbers,
            y=numbers,
            zmin=0,
            zmax=1 if rates else max(int(matrix.max()), 1),
            colorscale=_share_scale(share) if rates else _count_scale(int(matrix.max())),
            showscale=False,
            # The names come from the ticks: words for every cell would weigh megabytes.
            customdata=beside,
            hovertemplate=f"true %{{y}}<br>predicted %{{x}}<br>images: %{{{counted}:,}}<br>"
            f"of the {expert.kinds('true class')}: %{{{shared}:.1%}}<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    small = {"size": SMALL_LETTERS_PX} if cell < LARGEST_PX / 2 else {}
    words = [f"{number:{'.0%' if rates else ','}}" for number in shown[matrix > 0]]
    if len(words) <= MOST_NUMBERS and max(map(len, words), default=0) * LETTER_PX <= cell:
        rows, columns = np.nonzero(matrix)
        figure.add_trace(go.Scatter(x=columns, y=rows, mode="text", text=words, textfont=small, hoverinfo="skip"))
    if chosen:
        true, predicted = chosen
        corners = {"x0": predicted - 0.5, "x1": predicted + 0.5, "y0": true - 0.5, "y1": true + 0.5}
        figure.add_shape(type="rect", line={"color": UNFROZEN, "width": 3}, **corners)
    ends = [-0.5, len(labels) - 0.5]
    still = {"fixedrange": True, "showgrid": False, "zeroline": False, "tickfont": small} | {
        "tickvals": numbers,
        "ticktext": [in_figure(label, LONGEST_NAME) for label in labels],
    }
    # A name that leans to the other side runs out of the figure below the last column, where Plotly drops it.
    figure.update_xaxes(title_text=expert.kinds("predicted class"), range=ends, autotickangles=[0, -45, -90], **still)
    figure.update_yaxes(title_text=expert.kinds("true class"), range=ends[::-1], **still)
    figure.update_layout(dragmode=False, showlegend=False)
    return plain(figure, height=max(LEAST_SIDE_PX, round(cell * len(labels))) + 110)


def least_width_px(classes: int) -> int:
    """Return how wide a matrix of so many classes has to be for its names to stand beside one another."""
    return ROOM_FOR_NAMES_PX + SMALLEST_PX * classes


def _cell_px(classes: int) -> float:
    return max(SMALLEST_PX, min(LARGEST_PX, MANY_SIDE_PX / max(classes, 1)))


def _count_scale(most: int) -> list[tuple[float, str]]:
    """Return the colours of 0 to `most` images: a step at the first one, and the same step again at each doubling."""
    first = 0.5 / max(most, 1)
    if most <= 1:
        return [(0, _shade(NOTHING)), (first, _shade(NOTHING)), (first, _shade(STRONGEST)), (1, _shade(STRONGEST))]
    counts = np.geomspace(1, most, STEPS)
    stops = zip(counts / most, np.linspace(WEAKEST, STRONGEST, STEPS), strict=True)
    return [
        (0, _shade(NOTHING)),
        (first, _shade(NOTHING)),
        (first, _shade(WEAKEST)),
        *((min(float(place), 1.0), _shade(float(strength))) for place, strength in stops),
    ]


def _share_scale(share: np.ndarray) -> list[tuple[float, str]]:
    """Return the colours of shares of 0 to 1: a step at the least one that there is."""
    first = float(share[share > 0].min(initial=1)) / 2
    return [(0, _shade(NOTHING)), (first, _shade(NOTHING)), (first, _shade(WEAKEST)), (1, _shade(STRONGEST))]


def _shade(strength: float) -> str:
    return f"rgba({HUE},{strength:.3f})"
