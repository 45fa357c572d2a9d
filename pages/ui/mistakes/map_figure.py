"""Draws the map of a run's images: a point an image, coloured by what is asked for."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go

from pages.ui.components.expert import expert
from pages.ui.components.figure.lasso import Marking, inside
from pages.ui.figures.basics import SHARE_TICKS, UNFROZEN, VALIDATION, plain
from pages.ui.mistakes.map_points import MOST_DRAWN, UNJUDGED, MapPoints
from pages.ui.words.names import in_figure
from thaw.datasets.run_split import SIDES

HEIGHT_PX = 560
# Of points, up to so many of them.
SIZES_PX = {2000: 7, MOST_DRAWN: 5, math.inf: 4}
BY_CLASS, BY_ERROR, BY_CONFIDENCE, BY_SIDE = "class", "right or wrong", "how sure", "training or judging"
COLOURINGS = (BY_CLASS, BY_ERROR, BY_CONFIDENCE, BY_SIDE)
MOST_CLASSES = 20
# Each is told from the next by its lightness or its shape too, and stands out from white and from black alike.
COLOURS = ("#1f8ca3", "#d9772b", "#8f6fd0", "#4d9b62", "#d0507a", "#a07f1f")
SYMBOLS = ("circle", "diamond", "square", "triangle-up")
FAINT = "#8799a0"
MISTAKE = "#e0403a"
# From unsure to sure, by lightness as much as by hue.
SURENESS = [[0, "#e8a33d"], [0.5, "#b0628a"], [1, "#3a5fb0"]]
SIDE_WORDS = {"training": "training", "validation": "validation", "later": "newest photos", "holdout": "holdout"}
PLAIN_SIDES = {"validation": "exam photos", "holdout": "extra exam photos (holdout)"}


def name_colouring(colouring: str) -> str:
    """Return what the points can be coloured by, in the words of the depth that is chosen."""
    return expert.kinds(colouring)


def draw_map(points: MapPoints, rows: np.ndarray, colouring: str, revision: str) -> go.Figure:
    """Draw the points at `rows` with their numbers as `customdata`; mistakes have a ring.

    A mark that a person made stays while `revision` does, the zoom for as long as the figure is there.
    """
    # So few are drawn quickly without WebGL, which is slow where there is no graphics card, and save as true SVG.
    kind = go.Scatter if len(rows) <= MOST_DRAWN else go.Scattergl
    size = next(size for most, size in SIZES_PX.items() if len(rows) <= most)
    figure = go.Figure()
    for name, members, marker in _parts(points, rows, colouring):
        figure.add_trace(_trace(kind, points, members, name, {"size": size, "opacity": 0.8} | marker))
    wrong = rows[points.wrong[rows]]
    if len(wrong) and colouring != BY_ERROR:
        ring = {"symbol": "circle-open", "size": size + 6, "color": MISTAKE, "line": {"width": 1.5}}
        figure.add_trace(_trace(kind, points, wrong, "mistake", ring))
    figure.update_xaxes(visible=False, range=[-1.05, 1.05])
    figure.update_yaxes(visible=False, range=[-1.05, 1.05])
    figure.update_layout(
        dragmode="lasso",
        uirevision="map",
        selectionrevision=revision,
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 0, "yanchor": "top", "itemsizing": "constant"},
    )
    return plain(figure, HEIGHT_PX, top=36)


def marked_rows(points: MapPoints, rows: np.ndarray, drawn: np.ndarray, colouring: str, marking: Marking) -> np.ndarray:
    """Return the rows that are marked, int: the drawn ones that the browser names, and of the others those within the
    outlines, unless the part that they belong to is hidden."""
    named = drawn[np.isin(drawn, marking.numbers)]
    others = np.setdiff1d(rows, drawn, assume_unique=True)
    within = others[inside(points.places[others], marking.outlines)]
    seen = [members for name, members, _ in _parts(points, within, colouring) if name not in marking.hidden]
    return np.concatenate([named, *seen])


def _parts(points: MapPoints, rows: np.ndarray, colouring: str) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    """Yield the parts that the legend names, those beneath first: name, rows, marker."""
    judged = points.predicted[rows] != UNJUDGED
    if colouring == BY_CLASS:
        yield from _classes(points, rows)
        return
    if colouring == BY_SIDE:
        for number, side in enumerate(SIDES):
            marker = {"color": FAINT if number == 0 else COLOURS[number - 1], "symbol": SYMBOLS[number]}
            yield (
                expert.either(PLAIN_SIDES.get(side, SIDE_WORDS[side]), SIDE_WORDS[side]),
                rows[points.side[rows] == number],
                marker,
            )
        return
    yield "not judged (training)", rows[~judged], {"color": FAINT, "opacity": 0.35}
    if colouring == BY_CONFIDENCE:
        shown = rows[judged]
        bar = {"title": {"text": "sure"}, "tickformat": SHARE_TICKS, "thickness": 12, "len": 0.6, "outlinewidth": 0}
        scale = {"colorscale": SURENESS, "cmin": 0, "cmax": 1, "colorbar": bar, "showscale": True}
        yield "judged", shown, {"color": points.confidence[shown].astype(np.float32)} | scale
        return
    wrong = points.wrong[rows]
    yield "right", rows[judged & ~wrong], {"color": VALIDATION}
    yield "wrong", rows[wrong], {"color": UNFROZEN, "symbol": "x", "size": 9, "opacity": 1}


def _classes(points: MapPoints, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    """Yield the classes with a colour and a shape each, the smallest of very many together as others."""
    # By all points: a class keeps its colour whichever rows are drawn.
    counts = np.bincount(points.true, minlength=len(points.labels))
    most = MOST_CLASSES if len(points.labels) <= MOST_CLASSES else MOST_CLASSES - 1
    named = sorted(np.argsort(-counts, kind="stable")[:most])
    others = rows[~np.isin(points.true[rows], named)]
    if len(others):
        yield expert.kinds("other classes"), others, {"color": FAINT, "opacity": 0.5}
    for place, number in enumerate(named):
        colour, lap = place % len(COLOURS), place // len(COLOURS)
        marker = {"color": COLOURS[colour], "symbol": SYMBOLS[(place + lap) % len(SYMBOLS)]}
        yield in_figure(points.labels[number], 24), rows[points.true[rows] == number], marker


def _trace(
    kind: type[go.Scatter | go.Scattergl], points: MapPoints, members: np.ndarray, name: str, marker: dict[str, Any]
) -> go.Scatter | go.Scattergl:
    places = points.places[members].round(3)
    return kind(
        x=places[:, 0],
        y=places[:, 1],
        customdata=members.astype(np.int32),
        hovertext=points.words[members],
        hoverinfo="text",
        mode="markers",
        name=name,
        marker=marker,
        unselected={"marker": {"opacity": 0.15}},
    )
