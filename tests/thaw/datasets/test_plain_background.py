"""An object before a plain background is found wherever it lies, and cut out it looks the same before any."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import lay_on_plain
from tests.support.pictures.cut_outs import cut_outs, real_tiles
from thaw.datasets.plain_background import NEUTRAL, SMALL_SIDE_PX, find_object, load_object, look_at

SIZE_PX = (320, 240)
WHITE, BLUE = (240, 240, 236), (50, 80, 150)


@pytest.fixture(scope="module")
def thing():
    return cut_outs(1)[0]


def laid(thing, colour, seed):
    return lay_on_plain(thing, colour, np.random.default_rng(seed), SIZE_PX)


def saved(picture, path):
    picture.save(path, quality=90)
    return path


def test_what_differs_from_the_background_is_the_object(thing):
    picture = Image.new("RGB", SIZE_PX, BLUE)
    picture.paste(thing, (100, 60), thing)
    mask = find_object(picture)
    truth = Image.new("L", SIZE_PX)
    truth.paste(thing.getchannel("A"), (100, 60))
    truth = np.asarray(truth.resize(mask.shape[::-1], Image.Resampling.BOX)) > 127
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_light_that_falls_off_and_noise_are_background():
    assert find_object(laid(Image.new("RGBA", (40, 30)), BLUE, 3)) is None


@pytest.mark.parametrize("colour", [(128, 128, 128), (0, 0, 0)])
def test_a_picture_of_one_colour_has_no_object(colour):
    assert find_object(Image.new("RGB", SIZE_PX, colour)) is None


@pytest.mark.parametrize("size", [(8, 8), (8, 160), (160, 8), (9, 10)])
def test_the_smallest_and_the_narrowest_pictures_are_looked_at(tmp_path, size):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    path = saved(noise, tmp_path / "small.png")
    look = look_at(path)
    assert look is None or look.mask is None or look.mask.shape == size[::-1]


def test_photographs_show_no_object_and_are_not_empty(tmp_path):
    for number, tile in enumerate(real_tiles()):
        assert look_at(saved(tile, tmp_path / f"{number}.png")) is None


@pytest.mark.parametrize("colour", [WHITE, BLUE])
def test_where_nothing_stands_out_the_tone_is_kept(tmp_path, colour):
    look = look_at(saved(Image.new("RGB", SIZE_PX, colour), tmp_path / "empty.png"))
    assert look.mask is None
    assert look.small.shape == (SMALL_SIDE_PX, SMALL_SIDE_PX, 3)
    assert np.abs(look.small.astype(int) - colour).max() <= 1


def test_what_is_too_small_to_be_an_object_is_not_nothing(tmp_path):
    picture = Image.new("RGB", SIZE_PX, BLUE)
    picture.paste(WHITE, (100, 100, 112, 112))
    assert look_at(saved(picture, tmp_path / "speck.png")) is None


def test_cut_out_it_looks_the_same_wherever_it_lay_and_before_what(tmp_path, thing):
    views, smalls = [], []
    for seed, colour in enumerate((WHITE, BLUE, (60, 120, 70))):
        path = saved(laid(thing, colour, seed), tmp_path / f"{seed}.jpg")
        look = look_at(path)
        views.append(load_object(path, 64, look.mask).astype(float) - NEUTRAL)
        smalls.append(look.small.astype(float) - NEUTRAL)
        assert np.abs(views[-1][:2]).max() < 4, "the margin is neutral"
    for first, *others in (views, smalls):
        for other in others:
            likeness = (first * other).sum() / np.sqrt((first**2).sum() * (other**2).sum())
            assert likeness > 0.85
