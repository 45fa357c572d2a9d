"""Draws the gallery of mistakes as one picture with the labels burned in, to download and show around."""

import bisect
import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

TILE = 220
TEXT_HEIGHT = 66
MARGIN = 14
MOST_CHARACTERS = 300
BACKGROUND, INK, MUTED = (255, 255, 255), (28, 28, 34), (110, 110, 120)
TRUE_INK, WRONG_INK = (0, 105, 60), (180, 30, 30)


@dataclass(frozen=True)
class GalleryCard:
    """One picture of the gallery: the file to draw and its three lines of text."""

    picture: Path
    true: str
    predicted: str
    confidences: str


def draw_gallery(title: str, cards: Sequence[GalleryCard], columns: int = 4) -> bytes:
    """Draw `cards` row by row under `title`; return a PNG."""
    rows = -(-len(cards) // columns)
    width = columns * (TILE + MARGIN) + MARGIN
    sheet = Image.new("RGB", (width, 64 + rows * (TILE + TEXT_HEIGHT + MARGIN) + MARGIN), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    _draw_text(pen, (MARGIN, 18), title, width - 2 * MARGIN, 24, INK)
    for number, card in enumerate(cards):
        left = MARGIN + number % columns * (TILE + MARGIN)
        top = 64 + number // columns * (TILE + TEXT_HEIGHT + MARGIN)
        _draw_card(sheet, pen, card, left, top)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _draw_card(sheet: Image.Image, pen: ImageDraw.ImageDraw, card: GalleryCard, left: int, top: int) -> None:
    with Image.open(card.picture) as picture:
        thumbnail = ImageOps.contain(picture.convert("RGB"), (TILE, TILE))
    sheet.paste(thumbnail, (left + (TILE - thumbnail.width) // 2, top + (TILE - thumbnail.height) // 2))
    pen.rectangle((left, top, left + TILE - 1, top + TILE - 1), outline=(210, 210, 216))
    lines = (
        (f"is {card.true}", TRUE_INK, 17),
        (f"taken for {card.predicted}", WRONG_INK, 17),
        (card.confidences, MUTED, 14),
    )
    for line, (text, ink, size) in enumerate(lines):
        _draw_text(pen, (left, top + TILE + 6 + 20 * line), text, TILE, size, ink)


def _draw_text(
    pen: ImageDraw.ImageDraw, position: tuple[int, int], text: str, width: int, size: int, ink: tuple[int, int, int]
) -> None:
    """Draw one line of text, shortened with an ellipsis until it fits in `width` pixels."""
    # A name is data: line breaks and control characters would otherwise move the drawing.
    shown = "".join(character if character.isprintable() else "?" for character in text[:MOST_CHARACTERS])
    font = find_font(shown, size)
    if pen.textlength(shown, font) > width:
        fitting = bisect.bisect_right(
            range(len(shown)), float(width), key=lambda length: pen.textlength(shown[:length] + "...", font)
        )
        shown = shown[: max(fitting - 1, 0)] + "..."
    pen.text(position, shown, ink, font=font)


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Pillow looks for these in the system's font folders. Its own font comes first, since it is there on every machine,
# but it has little beyond ASCII; the others cover more, the last ones Chinese, Japanese and Korean.
CANDIDATES = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "segoeui.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "DroidSansFallbackFull.ttf",
    "wqy-zenhei.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "PingFang.ttc",
)
# A code point that is reserved for ever, so that what a font draws for it is its sign for a missing character.
NEVER_A_CHARACTER = "\uffff"


def find_font(text: str, size: int) -> Font:
    """Return a font of `size` pixels that has every character of `text`, or the one that lacks the fewest."""
    fonts = _fonts(size)
    return min(fonts, key=lambda font: sum(not has_character(font, character) for character in set(text)))


@functools.lru_cache(maxsize=10_000)
def has_character(font: Font, character: str) -> bool:
    """Say whether a font can draw a character."""
    if character.isspace():
        return True
    drawn, missing = font.getmask(character), font.getmask(NEVER_A_CHARACTER)
    return (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))


@functools.lru_cache(maxsize=8)
def _fonts(size: int) -> list[Font]:
    found: list[Font] = [ImageFont.load_default(size)]
    for name in CANDIDATES:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return found
