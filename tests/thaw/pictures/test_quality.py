import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from sklearn.datasets import load_sample_image

from tests.support.pictures.corpus import encoded, photo
from thaw.pictures.quality import measure, sharpness_of

SCENES = {name: Image.fromarray(load_sample_image(f"{name}.jpg")) for name in ("china", "flower")}


def bits_apart(one, other):
    assert len(one) == len(other) == 64
    return (int(one, 16) ^ int(other, 16)).bit_count()


def grey_of(rows):
    return Image.fromarray(np.array(rows, np.uint8))


def test_a_plain_picture_has_its_level_no_contrast_and_no_fingerprint():
    plain = measure(Image.new("RGB", (64, 48), (90, 90, 90)))
    assert (plain.brightness, plain.contrast, plain.sharpness, plain.fingerprint) == (90, 0, 0, "")


def test_half_black_half_white_has_known_figures():
    halves = Image.new("RGB", (64, 48))
    halves.paste((255, 255, 255), (32, 0, 64, 48))
    measured = measure(halves)
    assert measured.brightness == pytest.approx(127.5)
    assert measured.contrast == pytest.approx(127.5)


def test_sharpness_is_the_variance_of_the_laplacian_within_the_border():
    # One bright pixel: the Laplacian is -80 there, 20 at its four neighbours and 0 at the other four.
    dot = np.full((5, 5), 100)
    dot[2, 2] = 120
    dot[0, 0] = 255
    answers = np.array([-80] + [20] * 4 + [0] * 4)
    assert sharpness_of(grey_of(dot)) == pytest.approx(answers.var())


@pytest.mark.parametrize("width", [320, 500, 640])
@pytest.mark.parametrize("name", SCENES)
def test_a_blurred_photo_is_far_less_sharp_at_any_size(name, width):
    photo = SCENES[name].resize((width, width * 2 // 3), Image.Resampling.LANCZOS)
    blurred = photo.filter(ImageFilter.GaussianBlur(width / 100))
    assert measure(blurred).sharpness < measure(photo).sharpness / 5


@pytest.mark.parametrize("name", SCENES)
def test_sharpness_compares_between_sizes(name):
    at = [measure(SCENES[name].resize((w, w * 2 // 3), Image.Resampling.LANCZOS)).sharpness for w in (400, 500, 640)]
    assert max(at) < 1.5 * min(at)


def test_a_nearly_uniform_picture_has_no_fingerprint():
    noise = np.random.default_rng(0).normal(128, 3, (60, 80, 1)).repeat(3, axis=2)
    assert measure(Image.fromarray(noise.astype(np.uint8))).fingerprint == ""
    assert measure(Image.fromarray((3 * (noise - 128) + 128).astype(np.uint8))).fingerprint != ""


@pytest.mark.parametrize("name", SCENES)
def test_a_brighter_smaller_poorer_copy_has_nearly_the_same_fingerprint(name):
    original = SCENES[name]
    copy = ImageEnhance.Brightness(original).enhance(1.03).resize((350, 233), Image.Resampling.BICUBIC)
    poorer = Image.open(io.BytesIO(encoded(copy, "JPEG", quality=60))).convert("RGB")
    assert bits_apart(measure(original).fingerprint, measure(poorer).fingerprint) <= 8


def test_other_pictures_have_other_fingerprints():
    prints = [measure(photo(seed)).fingerprint for seed in range(6)]
    apart = [bits_apart(one, other) for at, one in enumerate(prints) for other in prints[:at]]
    assert min(apart) > 60
