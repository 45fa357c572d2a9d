"""The heat map of a closer look: how it is laid over the picture, its words, and a real one on the Mistakes page."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image as Picture
from streamlit.testing.v1 import AppTest

from pages.ui.components.expert import expert as switch
from pages.ui.mistakes import heat_map
from pages.ui.server import heat_route
from tests.support.judged_runs import add, field, run_of
from tests.support.judged_runs import store as store
from tests.support.mistakes import look_closer
from tests.support.pages import ASKED, TAG, drawn_html, words
from tests.support.pages import expert as expert
from thaw.prediction.client import predictor
from tlcore.evaluation.heat_maps import HeatMap
from tlcore.models.backbones import find_backbone
from tlcore.models.weights import fetch, sha256_of
from tlcore.settings import HeadSettings

WAIT_S = 120


def drawn_page(maps, label="rose"):
    def script():
        import streamlit as st

        from pages.ui.mistakes.heat_map import draw_maps
        from thaw.storage.facts import RunFacts
        from thaw.storage.records import Run
        from tlcore.evaluation.heat_maps import HeatMaps
        from tlcore.settings import HeadSettings

        run = Run("run-1", "data-1", "efficientnet-lite0", HeadSettings(), None, 0.0, 1, RunFacts())
        picture = st.session_state["picture"]
        draw_maps(HeatMaps(picture, 0, *st.session_state["maps"]), run, st.session_state["label"], "img-1")

    page = AppTest.from_function(script, default_timeout=60)
    page.session_state[switch.ON] = "expert" in ASKED
    page.session_state["picture"] = np.full((40, 60, 3), 90, np.uint8)
    page.session_state["maps"], page.session_state["label"] = maps, label
    page.run()
    assert not page.exception
    return page


def map_at(row, column, layer="top"):
    values = np.zeros((3, 3), np.float32)
    values[row, column] = 1
    return HeatMap(values, layer, "block 7")


def alt_of(page):
    return re.search(r'<img src="data:image/jpeg;base64,[^"]+" alt="([^"]*)"', drawn_html(page))[1]


def pixels_of(page):
    (content,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", drawn_html(page))
    return np.asarray(Picture.open(io.BytesIO(base64.b64decode(content))).convert("RGB")).astype(int)


def test_it_is_bright_where_the_map_is_hot_and_as_strong_as_was_asked():
    picture = np.random.default_rng(1).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    values = np.zeros((3, 3), np.float32)
    values[0, 2] = 1
    np.testing.assert_array_equal(heat_route.overlay(picture, values, 0), picture)
    laid = np.asarray(heat_route.overlay(picture, values, 1))
    assert laid.shape == picture.shape
    np.testing.assert_allclose(laid[0, -1], heat_route.COLOURS[-1], atol=3)
    np.testing.assert_allclose(laid[-1, 0], heat_route.COLOURS[0], atol=3)
    half = np.asarray(heat_route.overlay(picture, values, 0.5)).astype(int)
    np.testing.assert_allclose(half, (laid.astype(int) + picture) / 2, atol=1)


def test_the_colours_grow_lighter_step_by_step():
    lightness = heat_route.COLOURS @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > 5).all()


@pytest.mark.usefixtures("expert")
def test_the_slider_and_the_choice_of_layers_change_what_is_drawn():
    page = drawn_page([map_at(2, 0, "lower"), map_at(0, 1, "upper")])
    assert alt_of(page) == "Heat map over the picture: the top speaks most for rose."
    assert "layer **upper**" in words(page)
    strong = pixels_of(page)
    field(page, "slider", "Strength")[0].set_value(0).run()
    assert np.abs(pixels_of(page) - 90).max() < 3
    assert np.abs(strong - 90).max() > 60
    field(page, "radio", "Seen")[0].set_value(heat_map.FROZEN).run()
    assert alt_of(page) == "Heat map over the picture: the bottom left speaks most for rose."
    assert page.get("download_button")


@pytest.mark.usefixtures("expert")
@pytest.mark.parametrize(
    ("maps", "says"),
    [([map_at(1, 1), None], "Only the head was trained"), ([None, map_at(1, 1)], "Every layer of the backbone was")],
)
def test_where_there_is_one_map_it_says_why(maps, says):
    page = drawn_page(maps)
    assert says in words(page)
    assert not page.radio
    assert "the middle speaks most" in alt_of(page)


def test_a_map_without_evidence_is_told_and_names_stay_literal():
    page = drawn_page([HeatMap(np.zeros((3, 3), np.float32), "top", "block 7"), None], TAG)
    assert "Nothing in the picture speaks for" in words(page)
    assert TAG not in drawn_html(page)


def test_a_closer_look_asks_the_predictor_when_it_is_opened(store):
    add(store, each=40)
    settings = HeadSettings(dropout=0.35, seed=4, epochs=7)
    run_id = run_of(store, settings, {"validation": 3})
    folder = store.workspace.run(run_id)
    kernel = np.random.default_rng(1).normal(0, 0.02, (1280, 2)).astype(np.float32)
    np.savez(folder / "head.npz", **{"head/0": kernel, "head/1": np.zeros(2, np.float32)})
    store.add_facts(run_id, {"image_size": 48, "weights_sha256": "0" * 64})
    page = look_closer(store, run_id)
    assert not predictor(store.workspace).running
    page.session_state[f"heat map of {run_id}"] = True
    page.run(timeout=WAIT_S)
    assert "Restore that file" in page.error[0].value

    weights = sha256_of(fetch(find_backbone(settings.backbone)))
    store.add_facts(run_id, {"weights_sha256": weights})
    page.run(timeout=WAIT_S)
    assert not page.exception
    assert not page.error
    (choice,) = field(page, "radio", "What speaks for")
    assert [each.rpartition("(")[2] for each in choice.options] == ["predicted)", "true)"]
    first = re.search(r"Heat map over the picture: [^\"]*", drawn_html(page))[0]
    assert choice.options[0].partition(" ")[0] in first
    choice.set_value(choice.options[1].partition(" ")[0]).run()
    assert choice.options[1].partition(" ")[0] in re.search(r"Heat map over the picture: [^\"]*", drawn_html(page))[0]
    predictor(store.workspace).close()


def test_without_expert_the_map_of_the_adapted_layers_is_drawn_and_nothing_is_asked():
    page = drawn_page([map_at(2, 0, "lower"), map_at(0, 1, "upper")])
    assert alt_of(page) == "Heat map over the picture: the top speaks most for rose."
    assert "upper" not in words(page)
    assert not page.radio
