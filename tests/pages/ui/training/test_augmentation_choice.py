"""The choice of an augmentation on the Head page: what it sets, what it says, and what its preview shows."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image as Picture
from streamlit.testing.v1 import AppTest

from pages.ui.training.augmentation_choice import PREVIEW_PX, WORDS, draw_sheet
from tests.support.pages import DATASET, add_dataset, visit, words
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from tlcore.images.augmentation import draw_view
from tlcore.images.pixels import load_pixels
from tlcore.images.recipes import PRESETS, find_recipe
from tlcore.settings import HeadSettings


def choose(page: AppTest, name: str) -> AppTest:
    box = next(box for box in page.selectbox if box.label == "Augmentation")
    return box.set_value(name).run()


def previews(page: AppTest) -> list[bytes]:
    """Return the pictures in the preview, decoded from the page."""
    drawn = "\n".join(element.proto.body for element in page.get("html"))
    return [base64.b64decode(text) for text in re.findall(r"data:image/jpeg;base64,([^\"]+)", drawn)]


def started(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> HeadSettings:
    """Press Start, without the process that it would start; return the settings that it was asked for."""
    asked = []
    monkeypatch.setattr(
        "thaw.jobs.starts.start_head", lambda store, dataset, settings: asked.append(settings) or "run-1"
    )
    next(button for button in page.button if button.label == "Start training").click().run()
    return asked[0]


def test_every_choice_but_by_hand_is_a_preset():
    assert [*WORDS][:-1] == [*PRESETS]


def test_without_augmentation_there_is_nothing_to_preview(store):
    add_dataset(store)
    page = visit("head")
    assert not previews(page)
    assert "digits" not in words(page)


@pytest.mark.usefixtures("expert")
def test_the_preview_is_drawn_by_the_function_that_training_uses(store):
    add_dataset(store)
    (image,) = store.images(DATASET, limit=1)
    page = choose(visit("head"), "strong")
    assert "never where left and right matter: digits" in words(page)
    shown = previews(page)
    assert len(shown) == HeadSettings().views
    pixels = load_pixels(store.workspace.image(image.folder, image.id, image.suffix), PREVIEW_PX)
    for number, jpeg in enumerate(shown):
        expected = draw_view(pixels, image.content, number, PRESETS["strong"], 0).astype(int)
        found = np.asarray(Picture.open(io.BytesIO(jpeg))).astype(int)
        assert found.shape == (PREVIEW_PX, PREVIEW_PX, 3)
        assert np.abs(found - expected).mean() < 4


@pytest.mark.usefixtures("expert")
def test_the_preview_follows_the_sliders_and_the_recipe_is_what_training_gets(store, monkeypatch):
    add_dataset(store)
    page = choose(visit("head"), "by hand")
    before = previews(page)
    knob = next(slider for slider in page.slider if slider.label.startswith("Brightness"))
    knob.set_value(0.5).run()
    after = previews(page)
    assert before[0] == after[0]
    assert before[1:] != after[1:]
    settings = started(page, monkeypatch)
    assert settings.recipe == find_recipe("mirror,crop=0.15,brightness=0.5,contrast=0.15")
    assert (settings.views, settings.exact) == (4, False)


@pytest.mark.usefixtures("expert")
def test_the_exact_mode_tells_what_it_costs_and_is_passed_on(store, monkeypatch):
    add_dataset(store)
    page = choose(visit("head"), "light-unmirrored")
    next(box for box in page.checkbox if "every epoch" in box.label).check().run()
    assert "about 10 times the work of 4 cached views" in words(page)
    settings = started(page, monkeypatch)
    assert (settings.augmentation, settings.draws_anew) == ("light-unmirrored", True)


@pytest.mark.usefixtures("expert")
def test_another_photo_is_shown_on_request(store):
    add_dataset(store)
    page = choose(visit("head"), "light")
    before = previews(page)
    next(button for button in page.button if button.label == "Another photo").click().run()
    assert previews(page)[0] != before[0]


def test_the_views_can_be_saved_as_one_picture():
    views = [np.full((8, 8, 3), 50 * number, np.uint8) for number in range(3)]
    with Picture.open(io.BytesIO(draw_sheet(views))) as sheet:
        assert (sheet.format, sheet.size) == ("PNG", (24, 8))
        assert [sheet.getpixel((8 * number + 4, 4))[0] for number in range(3)] == [0, 50, 100]
