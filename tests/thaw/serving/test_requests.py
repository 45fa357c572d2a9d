"""What a service reads of the pictures that it is sent."""

import asyncio

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures.corpus import encoded, jpeg, photo
from thaw.serving.engine import ClassifierEngine
from thaw.serving.limits import Refused
from thaw.serving.requests import Sent, open_reader


def model(side, grey_range):
    return ClassifierEngine("run-1", ["a", "b"], side, 0.0, lambda pixels: pixels, grey_range)


def read(reader, *contents):
    """Return what the model sees of pictures: uint8 (n, side, side, 3)."""
    sent = [Sent(f"{place}.png", content) for place, content in enumerate(contents)]
    return np.stack([look.pixels for look in asyncio.run(reader.read(sent))])


@pytest.mark.parametrize("grey_range", [4095, 65535])
def test_deep_pictures_are_read_by_the_range_of_the_model(grey_range):
    grey = np.asarray(photo(1, 32, 32).convert("L"))
    deep = Image.fromarray((grey.astype(float) * grey_range / 255).round().astype(np.uint16))
    with open_reader(model(32, grey_range)) as reader:
        (pixels,) = read(reader, encoded(deep, "PNG"))
    assert np.array_equal(pixels[..., 0], grey)


def test_files_and_pixels_come_in_their_order_and_a_bad_one_refuses_all():
    given = np.full((24, 24, 3), 7, np.uint8)
    with open_reader(model(24, 65535)) as reader:
        pixels = read(reader, jpeg(1), given, jpeg(2))
        assert pixels.shape == (3, 24, 24, 3)
        assert np.array_equal(pixels[1], given)
        with pytest.raises(Refused, match=r"picture 2 of 2 \('1.png'\) that cannot"):
            read(reader, jpeg(1), b"no picture")
