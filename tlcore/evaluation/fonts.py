"""The font in which a text can be drawn: one of this machine's that has all its characters, if there is one."""

import functools

from PIL import ImageFont

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
