"""The same odd pictures for all that decodes: transparency, deep greys, palettes, turns, inks, several frames."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tests.support.pictures.corpus import photo

SMALL, LARGE = (160, 120), (1000, 760)
"""A copy of the small ones is lossless; the large ones are shrunk, and their copies are JPEGs."""


def write_odd_pictures(folder: Path, sizes: tuple[str, ...] = ("small", "large")) -> list[Path]:
    """Write each kind in each size; return the files."""
    written = []
    for size_name in sizes:
        width, height = {"small": SMALL, "large": LARGE}[size_name]
        for number, (name, (picture, options)) in enumerate(_make(width, height).items()):
            stem, _, suffix = name.rpartition(".")
            path = folder / f"{number:02}-{stem}-{size_name}.{suffix}"
            picture.save(path, **options)
            written.append(path)
    return written


def _make(width: int, height: int) -> dict[str, tuple[Image.Image, dict]]:
    base = photo(7, width, height)
    half, fading, cut_out = base.copy(), base.convert("RGBA"), base.convert("RGBA")
    ramp = Image.linear_gradient("L").resize((width, height))
    fading.putalpha(ramp)
    cut_out.putalpha(ramp.point(lambda value: 255 * (value > 99)))
    nothing, even = base.convert("RGBA"), base.convert("RGBA")
    nothing.putalpha(0)
    even.putalpha(90)
    grey = base.convert("L")
    deep = np.asarray(grey, np.uint16)
    few = base.quantize(16)
    pictures = {
        "rgb.png": (base, {}),
        "alpha.png": (fading, {}),
        "cut-out.webp": (cut_out, {"lossless": True}),
        "alpha-0.png": (nothing, {}),
        "alpha-90.png": (even, {}),
        "white-on-transparent.png": (_logo(width, height, (255, 255, 255)), {}),
        "black-on-transparent.png": (_logo(width, height, (0, 0, 0)), {}),
        "grey-and-alpha.png": (fading.convert("LA"), {}),
        "palette.png": (few, {}),
        "palette-with-transparency.png": (few, {"transparency": 3}),
        "rgb-with-transparency.png": (half, {"transparency": half.getpixel((0, 0))}),
        "cmyk.jpg": (base.convert("CMYK"), {"quality": 90}),
        "grey.jpg": (grey, {"quality": 90}),
        "one-bit.png": (grey.convert("1"), {}),
        "16-bit.png": (Image.fromarray(deep * 257), {}),
        "16-bit.tif": (Image.fromarray(deep * 257), {}),
        "12-bit.png": (Image.fromarray(deep * 14 + 200), {}),
        "deep.pgm": (Image.fromarray(deep * 257).convert("I"), {}),
        "float.tif": (Image.fromarray(deep.astype(np.float32) / 300 - 0.2), {}),
        "rgb.tif": (base, {"compression": "tiff_lzw"}),
        "animated.gif": (few, {"save_all": True, "append_images": [few.transpose(Image.Transpose.ROTATE_180)]}),
        "animated.webp": (base, {"save_all": True, "append_images": [photo(8, width, height)], "lossless": True}),
        "camera.jpg": (base, {"quality": 90}),
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        pictures[f"turned-{orientation}.jpg"] = (base, {"quality": 90, "exif": exif})
    return pictures


def _logo(width: int, height: int, colour: tuple[int, int, int]) -> Image.Image:
    """Draw a shape on a transparent ground of its own colour, as drawing programs leave it."""
    logo = Image.new("RGBA", (width, height), (*colour, 0))
    ImageDraw.Draw(logo).ellipse([width // 4, height // 4, width // 2, 3 * height // 4], fill=(*colour, 255))
    return logo
