"""How pictures look in numbers: photos lie within what is published of photos, drawings and noise do not."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures.corpus import photo
from thaw.sources.samples import write_digits
from tlcore.images.looks import (
    PHOTO_DEVIATION,
    PHOTO_MEAN,
    PHOTO_SLOPES,
    Looks,
    measure_looks,
    measure_slope,
    tell_unlike,
)

LIKE = Looks(10, PHOTO_MEAN, PHOTO_DEVIATION, 0.0, -1.2)


def spectrum(slope, side=128):
    """Return a picture whose amplitudes follow f to the power `slope`, with phases drawn by chance."""
    axis = np.fft.fftfreq(side, 1 / side)
    radius = np.hypot(*np.meshgrid(axis, axis))
    radius[0, 0] = 1
    phases = np.fft.fft2(np.random.default_rng(0).normal(size=(side, side)))
    return np.real(np.fft.ifft2(phases / np.abs(phases) * radius**slope))


@pytest.mark.parametrize("slope", [-2.0, -1.5, -1.2, -0.8])
def test_a_slope_is_that_of_the_spectrum_that_a_picture_was_made_of(slope):
    assert measure_slope(spectrum(slope)) == pytest.approx(slope, abs=0.2)


def test_what_is_too_small_or_even_has_no_slope():
    assert measure_slope(np.zeros((15, 200))) is None
    assert measure_slope(np.full((64, 64), 7.0)) is None


def test_the_figures_of_pictures_are_those_of_their_pixels(tmp_path):
    for number, colour in enumerate([(255, 0, 0), (255, 0, 0), (128, 128, 128)]):
        Image.new("RGB", (32, 20 + number), colour).save(tmp_path / f"{number}.png")
    looks = measure_looks(sorted(tmp_path.iterdir()))
    assert (looks.images, looks.grey, looks.slope) == (3, pytest.approx(1 / 3), None)
    assert looks.mean == pytest.approx(((2 + 128 / 255) / 3, 128 / 765, 128 / 765))
    assert looks.deviation[1] == pytest.approx(np.std([0, 0, 128 / 255]))


def test_photos_look_like_photos_and_digits_do_not(tmp_path):
    for number in range(12):
        photo(number, 200, 160).save(tmp_path / f"{number}.jpg", quality=92)
    assert "no colour" not in " ".join(tell_unlike(measure_looks(sorted(tmp_path.glob("*.jpg")))))
    digits = sorted(write_digits(tmp_path / "digits").rglob("*.png"))[::30]
    assert tell_unlike(measure_looks(digits)) == ["they have no colour", "they are far smoother"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"grey": 0.51}, ["they have no colour"]),
        ({"mean": (0.9, 0.9, 0.9)}, ["they are far brighter"]),
        ({"mean": (0.1, 0.1, 0.1)}, ["they are far darker"]),
        ({"deviation": (0.05, 0.05, 0.05)}, ["they have far less contrast"]),
        ({"deviation": (0.48, 0.48, 0.48)}, ["they have far more contrast"]),
        ({"slope": PHOTO_SLOPES[0] - 0.01}, ["they are far smoother"]),
        ({"slope": PHOTO_SLOPES[1] + 0.01}, ["they are far busier in their finest detail"]),
        ({"slope": None}, []),
    ],
)
def test_what_is_unlike_photos_is_told_in_words(change, words):
    assert tell_unlike(replace(LIKE, **change)) == words
