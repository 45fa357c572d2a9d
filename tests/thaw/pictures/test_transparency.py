import struct

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.support.pictures.corpus import encoded, photo
from tests.support.pictures.deep_pictures import deep_tiff, ramp
from thaw.pictures.decode import normalise


def written(folder, content):
    path = folder / "file"
    path.write_bytes(content)
    return path


def with_alpha(image: Image.Image, alpha: int | Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    image.putalpha(alpha)
    return image


def bmp_with_alpha(image: Image.Image) -> bytes:
    """Write RGBA as a BMP that declares its alpha, which Pillow does not write."""
    masks = struct.pack("<4L", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    pixels = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).tobytes("raw", "BGRA")
    colours = struct.pack("<LllHHLLllLL", 124, *image.size, 1, 32, 3, len(pixels), 2835, 2835, 0, 0) + masks
    header = colours.ljust(124, b"\0")
    return b"BM" + struct.pack("<LHHL", 14 + 124 + len(pixels), 0, 0, 14 + 124) + header + pixels


ENCODED = {
    "PNG": lambda image: encoded(image, "PNG"),
    "BMP": bmp_with_alpha,
    "TIFF": lambda image: encoded(image, "TIFF"),
    "WEBP": lambda image: encoded(image, "WEBP", lossless=True, exact=True),
}


@pytest.mark.parametrize("kind", ENCODED)
@pytest.mark.parametrize("alpha", [0, 1, 200])
def test_alpha_of_one_value_everywhere_is_dropped(kind, alpha, tmp_path):
    read = normalise(written(tmp_path, ENCODED[kind](with_alpha(photo(1), alpha))))
    assert np.array_equal(np.asarray(read.image), np.asarray(photo(1)))
    assert read.notes == [f"its alpha is {alpha} everywhere and was dropped"]


@pytest.mark.parametrize("kind", ENCODED)
def test_opaque_alpha_is_not_worth_a_note(kind, tmp_path):
    read = normalise(written(tmp_path, ENCODED[kind](with_alpha(photo(1), 255))))
    assert np.array_equal(np.asarray(read.image), np.asarray(photo(1)))
    assert read.notes == []


def test_alpha_of_0_that_colours_count_as_multiplied_by_is_dropped_too(tmp_path):
    values = np.concatenate([ramp(65535, 3), np.zeros((24, 32, 1), np.uint16)], axis=2)
    read = normalise(written(tmp_path, deep_tiff(values, "<", extra=1)))
    assert np.array_equal(np.asarray(read.image), values[..., :3] >> 8)


def symbol(colour: tuple[int, int, int], under: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Draw a disc with a soft rim on a transparent ground."""
    large = Image.new("L", (384, 384))
    ImageDraw.Draw(large).ellipse([80, 80, 300, 300], fill=255)
    alpha = large.resize((96, 96), Image.Resampling.BICUBIC)
    image = Image.new("RGB", (96, 96), under)
    image.paste(colour, mask=alpha.point(lambda value: 255 if value else 0))
    return with_alpha(image, alpha)


@pytest.mark.parametrize("kind", ENCODED)
def test_white_on_transparent_is_laid_on_a_ground_that_shows_it(kind, tmp_path):
    read = normalise(written(tmp_path, ENCODED[kind](symbol((255, 255, 255)))))
    assert read.notes == ["white on transparent, laid on grey"]
    assert read.image.getpixel((2, 2)) == (128, 128, 128)
    assert read.image.getpixel((48, 48)) == (255, 255, 255)


@pytest.mark.parametrize("colour", [(0, 0, 0), (200, 30, 30), (235, 235, 235), (255, 255, 200), (128, 128, 128)])
def test_what_shows_on_white_is_laid_on_white(colour, tmp_path):
    read = normalise(written(tmp_path, encoded(symbol(colour), "PNG")))
    assert read.notes == ["transparency laid on white"]
    assert read.image.getpixel((2, 2)) == (255, 255, 255)
    assert read.image.getpixel((48, 48)) == colour


def test_colours_under_what_is_transparent_do_not_count(tmp_path):
    assert normalise(written(tmp_path, encoded(symbol((255, 255, 255), under=(0, 0, 0)), "PNG"))).notes == [
        "white on transparent, laid on grey"
    ]
    assert normalise(written(tmp_path, encoded(symbol((0, 0, 0), under=(255, 255, 255)), "PNG"))).notes == [
        "transparency laid on white"
    ]


def test_a_large_symbol_is_laid_as_a_small_one_is(tmp_path):
    large = symbol((255, 255, 255)).resize((1200, 900))
    read = normalise(written(tmp_path, encoded(large, "PNG")))
    assert max(read.image.size) == 640
    assert read.notes == ["white on transparent, laid on grey"]
    assert read.image.getpixel((5, 5)) == (128, 128, 128)
