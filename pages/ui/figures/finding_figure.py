"""Draws how a detector counts: what it counts on each photo beside what there is, and what it takes for what."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from pages.ui.figures import confusion_figure
from pages.ui.figures.basics import FROZEN, INK_ON_BLOCK, UNFROZEN, VALIDATION, plain
from pages.ui.words import amounts

NOTHING, MISSED = "nothing there", "missed"
HEIGHT_PX = 340
SMALLEST_PX, LARGEST_PX = 12, 40
# So far an axis goes at least: a figure of single things is not one of halves of them.
LEAST_SPAN = 4


def counted_against(there: np.ndarray, counted: np.ndarray) -> go.Figure:
    """Draw for each photo how many things there are, int (photos,), and how many were counted, int (photos,).

    Photos of the same two numbers share a dot, as large as they are many; on the line both are the same.
    """
    dots = Counter(zip(there.tolist(), counted.tolist(), strict=True))
    most = max(LEAST_SPAN, int(there.max(initial=0)), int(counted.max(initial=0)))
    figure = go.Figure(
        go.Scatter(
            x=[-0.5, most + 0.5],
            y=[-0.5, most + 0.5],
            mode="lines",
            line={"color": FROZEN, "dash": "dash", "width": 1.5},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[each for each, _ in dots],
            y=[each for _, each in dots],
            mode="markers+text",
            text=[f"{photos:,}" if photos > 1 else "" for photos in dots.values()],
            textposition="middle center",
            textfont={"color": INK_ON_BLOCK},
            marker={
                "size": [_size_px(photos, max(dots.values())) for photos in dots.values()],
                "color": [VALIDATION if real == said else UNFROZEN for real, said in dots],
                # By shape as well as by colour: right, and off.
                "symbol": ["circle" if real == said else "diamond" for real, said in dots],
                "opacity": 0.85,
            },
            hovertext=[
                f"{amounts.count(photos, 'photo')}: {said:,} counted, {real:,} there"
                for (real, said), photos in dots.items()
            ],
            hoverinfo="text",
        )
    )
    ends = {"range": [-0.5, most + 0.5], "fixedrange": True, "zeroline": False, "tickformat": ",d"}
    ends |= {"dtick": 1} if most <= 2 * LEAST_SPAN else {}
    figure.update_xaxes(title_text="there are", **ends)
    figure.update_yaxes(title_text="counted", **ends)
    figure.update_layout(showlegend=False)
    return plain(figure, HEIGHT_PX)


def describe_counted(there: np.ndarray, counted: np.ndarray) -> str:
    """Say in words what `counted_against` shows: on how many photos it counts right, too few and too many."""
    off = counted - there
    parts = [
        f"{number:,} {words}"
        for number, words in (
            (int((off == 0).sum()), "exactly right"),
            (int((off < 0).sum()), "too few"),
            (int((off > 0).sum()), "too many"),
        )
    ]
    farthest = f"; at most {int(np.abs(off).max()):,} off" if off.any() else ""
    return f"of {amounts.count(len(off), 'exam photo')} it counts {', '.join(parts)}{farthest}"


def taken_for(labels: Sequence[str], taken: np.ndarray) -> go.Figure:
    """Draw how often each kind was taken for each, int (kinds + 1, kinds + 1), as `Judged.taken` returns it."""
    figure = confusion_figure.confusion([*labels, NOTHING], taken)
    figure.update_traces(
        selector={"type": "heatmap"}, hovertemplate="there: %{y}<br>it says: %{x}<br>times: %{z:,}<extra></extra>"
    )
    ends = [*figure.layout.xaxis.ticktext[:-1], MISSED]
    figure.update_xaxes(title_text="what it says", ticktext=ends)
    figure.update_yaxes(title_text="what there is")
    return figure


def describe_taken(labels: Sequence[str], taken: np.ndarray) -> str:
    """Say in words what `taken_for` shows: how many are found, taken for another kind, missed and seen in vain."""
    nothing = len(labels)
    known = taken[:nothing, :nothing]
    found = int(np.trace(known))
    return (
        f"Mix-up table of {amounts.count(nothing, 'kind')}: of {int(taken[:nothing].sum()):,} things {found:,} found, "
        f"{int(known.sum()) - found:,} taken for another kind, {int(taken[:nothing, nothing].sum()):,} missed; "
        f"{amounts.count(int(taken[nothing].sum()), 'false alarm')}"
    )


def _size_px(photos: int, most: int) -> float:
    """Return a dot's diameter: its area goes with the photos."""
    return SMALLEST_PX + (LARGEST_PX - SMALLEST_PX) * ((photos - 1) / max(1, most - 1)) ** 0.5
