"""Draws pictures with boxes burned in: what a person drew, and what a detector found, missed or only thought to see."""

import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageOps

from thaw.runs.gallery import find_font
from tlcore.detection.evaluation import Judged, Outcome

SIDE_PX = 640
TEXT_PX = 17
PADDING_PX = 3
DASH_PX = 10
MOST_CHARACTERS = 40


class Standing(Enum):
    """How a box stands, and the colour that says so; each is told by its line as well, solid, double or dashed."""

    FOUND = (0, 158, 96)
    MISSED = (230, 159, 0)
    FALSE_ALARM = (213, 50, 70)
    DRAWN = (86, 180, 233)


@dataclass(frozen=True)
class Mark:
    """A box to be drawn: `edges` (4,) as shares of the picture, the words beside it, and how it stands."""

    edges: Any
    words: str
    standing: Standing


def rank_wrong(judged: Judged) -> list[tuple[int, list[Outcome]]]:
    """Return the photos with something wrong, by their place in the list, with all outcomes on each; the worst first.

    An object that is not found counts 1, a false alarm as much as it was sure of.
    """
    by_photo: defaultdict[int, list[Outcome]] = defaultdict(list)
    for each in judged.outcomes:
        by_photo[each.photo].append(each)
    badness = {place: _badness(each) for place, each in by_photo.items()}
    return [(place, by_photo[place]) for place in sorted(badness, key=lambda place: -badness[place]) if badness[place]]


def list_marks(outcome: Outcome, labels: Sequence[str]) -> list[Mark]:
    """Return the boxes that show what became of one object, or a false alarm."""
    marks = []
    if outcome.kind is not None and outcome.kind != outcome.said:
        marks.append(Mark(outcome.drawn, labels[outcome.kind], Standing.MISSED))
    if outcome.said is not None:
        standing = Standing.FOUND if outcome.said == outcome.kind else Standing.FALSE_ALARM
        marks.append(Mark(outcome.seen, f"{labels[outcome.said]} {outcome.score or 0:.0%}", standing))
    return marks


def _badness(outcomes: Sequence[Outcome]) -> float:
    lost = sum(each.kind is not None and each.said != each.kind for each in outcomes)
    return lost + sum(each.score or 0.0 for each in outcomes if each.kind is None)


def burn_boxes(picture: Path | bytes, marks: Sequence[Mark], side: int = SIDE_PX) -> bytes:
    """Draw `marks` on a picture whose longer side is then at most `side` pixels; return a JPEG."""
    with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as opened:
        image = ImageOps.contain(opened.convert("RGB"), (side, side))
    pen = ImageDraw.Draw(image)
    for mark in marks:
        _draw_box(pen, image.size, mark)
    for mark in marks:
        _draw_words(pen, image.size, mark)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def _draw_box(pen: ImageDraw.ImageDraw, size: tuple[int, int], mark: Mark) -> None:
    left, top, right, bottom = _pixels(mark, size)
    colour = mark.standing.value
    # A dark line below each bright one: on every background one of the two is seen.
    pen.rectangle((left, top, right, bottom), outline=(0, 0, 0), width=5)
    if mark.standing is Standing.MISSED:
        for start in range(int(left), int(right), 2 * DASH_PX):
            for y in (top, bottom):
                pen.line((start, y, min(start + DASH_PX, right), y), fill=colour, width=3)
        for start in range(int(top), int(bottom), 2 * DASH_PX):
            for x in (left, right):
                pen.line((x, start, x, min(start + DASH_PX, bottom)), fill=colour, width=3)
        return
    pen.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline=colour, width=3)
    if mark.standing is Standing.FALSE_ALARM:
        pen.rectangle((left + 7, top + 7, max(left + 7, right - 7), max(top + 7, bottom - 7)), outline=colour, width=2)


def _draw_words(pen: ImageDraw.ImageDraw, size: tuple[int, int], mark: Mark) -> None:
    # A name is data: control characters would move the drawing.
    words = "".join(each if each.isprintable() else "?" for each in mark.words[:MOST_CHARACTERS])
    font = find_font(words, TEXT_PX)
    left, top, _, _ = _pixels(mark, size)
    width = pen.textlength(words, font) + 2 * PADDING_PX
    height = TEXT_PX + 2 * PADDING_PX
    x = max(0.0, min(left, size[0] - width))
    y = top - height if top >= height else top
    pen.rectangle((x, y, x + width, y + height), fill=(0, 0, 0))
    pen.text((x + PADDING_PX, y + PADDING_PX - 1), words, mark.standing.value, font=font)


def _pixels(mark: Mark, size: tuple[int, int]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(edge) for edge in mark.edges)
    return left * (size[0] - 1), top * (size[1] - 1), right * (size[0] - 1), bottom * (size[1] - 1)
