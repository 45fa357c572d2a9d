"""What a picture's alpha channel means, and what is laid under its transparent parts."""

from PIL import Image, ImageChops

PAPER, GREY_GROUND = (255, 255, 255), (128, 128, 128)
WHITE_FROM = 245
"""A visible pixel whose every channel is at least this would vanish on white paper."""
VANISHING_SHARE = 0.9


def find_ground(image: Image.Image) -> tuple[int, int, int] | None:
    """Return the colour to lay under an RGBA picture; None where its alpha says nothing and is to be dropped.

    Alpha that is the same everywhere shows no shape; mostly it is 0 because nobody set it. Else the picture is laid on
    white, as on paper; but where nine tenths of what is visible, weighed by its alpha, is as white as the paper, on a
    middle grey that shows it.
    """
    alpha = image.getchannel("A")
    least, most = alpha.getextrema()
    if least == most:
        return None
    red, green, blue = (image.getchannel(name) for name in "RGB")
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    white = darkest.point([0] * WHITE_FROM + [255] * (256 - WHITE_FROM))
    return GREY_GROUND if _weigh(alpha, white) >= VANISHING_SHARE * _weigh(alpha) else PAPER


def describe_ground(image: Image.Image, ground: tuple[int, int, int] | None) -> str:
    """Say what `find_ground` has decided for an RGBA picture, "" where it was opaque."""
    if ground is None:
        least, _ = image.getchannel("A").getextrema()
        return "" if least == 255 else f"its alpha is {least} everywhere and was dropped"
    return "transparency laid on white" if ground == PAPER else "white on transparent, laid on grey"


def lay_on(image: Image.Image, ground: tuple[int, int, int]) -> Image.Image:
    """Return an RGBA picture laid on one colour, as RGB."""
    laid = Image.new("RGB", image.size, ground)
    laid.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return laid


def _weigh(alpha: Image.Image, mask: Image.Image | None = None) -> int:
    return sum(value * count for value, count in enumerate(alpha.histogram(mask)))
