"""Recipes: as text and back, within their ranges, and each refusal says what is allowed."""

import pytest

from tlcore.errors import SettingsError
from tlcore.images.recipes import LARGEST, LIGHT, PRESETS, Recipe, find_recipe


def test_every_preset_is_found_by_its_name_and_by_its_spelling():
    for name, recipe in PRESETS.items():
        assert find_recipe(name) == find_recipe(recipe.spell()) == recipe
    assert len({recipe.spell() for recipe in PRESETS.values()}) == len(PRESETS)


def test_a_recipe_by_hand_comes_back_from_its_text():
    recipe = Recipe(mirror=True, upright=True, crop=0.05, rotation=12, brightness=0.2, contrast=0.1, zoom=0.3)
    assert recipe.spell() == "mirror,upright,crop=0.05,rotation=12,brightness=0.2,contrast=0.1,zoom=0.3"
    assert find_recipe(recipe.spell()) == recipe
    assert find_recipe("upright, crop=0.1") == Recipe(upright=True, crop=0.1)


def test_what_changes_nothing_is_plain():
    assert Recipe().plain
    assert find_recipe("crop=0").plain
    assert not LIGHT.plain
    # A key of the cache is one word a line.
    assert all(len(recipe.spell().split()) == 1 for recipe in PRESETS.values())


def test_the_strong_presets_go_further_than_the_light_ones():
    for name in LARGEST:
        assert getattr(PRESETS["strong"], name) >= getattr(PRESETS["light"], name)
    assert not PRESETS["strong-unmirrored"].mirror
    assert not PRESETS["light-unmirrored"].mirror


@pytest.mark.parametrize("name", LARGEST)
def test_a_range_is_held_at_both_ends(name):
    assert getattr(Recipe(**{name: LARGEST[name]}), name) == LARGEST[name]
    for bad in (LARGEST[name] * 1.01, -0.01, True, "1", float("nan")):
        with pytest.raises(SettingsError, match=f"Expected the augmentation's {name} between 0 and"):
            Recipe(**{name: bad})


@pytest.mark.parametrize("text", ["wild", "", "crop", "crop=much", "mirror=1", "mirror,,crop=0.1", "crop=nan"])
def test_text_that_is_no_recipe_is_refused(text):
    with pytest.raises(SettingsError, match="Expected"):
        find_recipe(text)
