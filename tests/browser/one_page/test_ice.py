"""The block of ice in the browser: warm as it is dragged, told once it is let go, by mouse, touch and keys."""

import json

import numpy as np
import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from tests.browser.harness import IDLE, PATIENCE_MS, PHONE, Server, settle, wait_in_page
from tests.browser.journey import FINE_TUNE, be_expert, see_page
from tests.support.pages import add_many_classes
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.training.history import Epoch

pytestmark = pytest.mark.kept_profile

CLASSES = 26
BLOCKS = {"stem": 4, "block 0": 6, "block 1": 10, "head": 2}
LAYERS = sum(BLOCKS.values())
FIRST_SCREEN = {"width": 1280, "height": 900}
# How many layers each slab shows as warm, from the photo to the head.
WARM = """(input) => [...input.getRootNode().querySelectorAll('.slab .warm')].map((part) => +part.style.flexGrow)"""
HALF_A_HANDLE = 14


@pytest.fixture(scope="module")
def address(made_up: Server) -> str:
    """The page of a run whose head is trained."""
    store = Store(open_workspace(made_up.workspace))
    run_id = add_many_classes(store, CLASSES)
    for number in range(1, 9):
        store.add_epochs(run_id, [Epoch(number, 1, 0.5, 0.9, 0.5, 0.9, 0.1)])
    measured = {"seconds_per_image": 0.01, "image_size": 224, "training_images": 200, "validation_images": CLASSES}
    store.add_facts(run_id, measured | {"head": {"best_epoch": 3}})
    store.update_job(store.add_job("head", {}, store.run(run_id).dataset_id, run_id), status="finished")
    layer = {"kind": "Conv2D", "parameters": 10, "trainable_parameters": 10, "batch_norm": False}
    layer |= {"flops": 10, "activation_bytes": 4, "channels": 8, "cut_bytes": 100}
    layers = [layer | {"name": f"{block} {n}", "block": block} for block, size in BLOCKS.items() for n in range(size)]
    folder = store.workspace.run(run_id)
    (folder / "layers.json").write_text(json.dumps(layers))
    np.savez(folder / "head.npz", **{"head/0": np.zeros((4, 2))})
    return f"{made_up.url}/finetune?run={run_id}"


@pytest.fixture
def shown(page: Page, address: str) -> Page:
    page.set_viewport_size(FIRST_SCREEN)
    page.goto(address)
    see_page(page, "finetune")
    expect(ice(page)).to_be_visible()
    settle(page)
    return page


def ice(page: Page) -> Locator:
    return page.get_by_role("slider", name="Top layers of the eye")


def field(page: Page) -> Locator:
    return page.get_by_role("spinbutton", name="Layers that adapt")


def box(element: Locator) -> FloatRect:
    found = element.bounding_box()
    assert found
    return found


def place(page: Page, top: int) -> tuple[float, float]:
    """Return where on the page the handle stands at `top` layers."""
    found = box(ice(page))
    share = 1 - top / LAYERS
    left = found["x"] + HALF_A_HANDLE + share * (found["width"] - 2 * HALF_A_HANDLE)
    return left, found["y"] + found["height"] / 2


def test_it_turns_warm_while_it_is_dragged_and_the_page_hears_when_it_is_let_go(shown: Page) -> None:
    field(shown).fill("2")
    field(shown).press("Enter")
    expect(ice(shown)).to_have_value("2")
    assert ice(shown).evaluate(WARM) == [0, 0, 0, 2]
    shown.mouse.move(*place(shown, 2))
    shown.mouse.down()
    for top in (5, 9, 14):
        shown.mouse.move(*place(shown, top))
        assert sum(ice(shown).evaluate(WARM)) == top
    assert ice(shown).evaluate(WARM) == [0, 2, 10, 2]
    assert ice(shown).get_attribute("aria-valuetext") == (
        "14 of 22 layers will adapt, from the middle of block 0 up to the head; 8 stay frozen"
    )
    expect(shown.get_by_text("14 layers and the head will adapt")).to_be_visible()
    shown.wait_for_selector(IDLE)
    expect(field(shown)).to_have_value("2")
    shown.mouse.up()
    expect(field(shown)).to_have_value("14")
    expect(ice(shown)).to_have_value("14")


def test_keys_move_by_layers_and_by_blocks_and_a_typed_number_moves_the_ice(shown: Page) -> None:
    handle = ice(shown)
    for key, top in (
        ("Home", 0),
        ("PageUp", 2),
        ("PageUp", 12),
        ("ArrowLeft", 13),
        ("ArrowUp", 14),
        ("ArrowRight", 13),
        ("PageDown", 12),
        ("ArrowDown", 11),
        ("End", LAYERS),
    ):
        handle.press(key)
        expect(handle).to_have_value(str(top))
        expect(field(shown)).to_have_value(str(top))
    assert handle.get_attribute("aria-valuetext") == f"All {LAYERS} layers will adapt"
    handle.press("Home")
    assert "the head alone goes on learning" in str(handle.get_attribute("aria-valuetext"))
    expect(field(shown)).to_have_value("0")
    field(shown).fill("12")
    field(shown).press("Enter")
    expect(handle).to_have_value("12")
    assert handle.evaluate(WARM) == [0, 0, 10, 2]


def test_a_key_that_is_held_down_tells_the_page_once(shown: Page) -> None:
    field(shown).fill("0")
    field(shown).press("Enter")
    expect(ice(shown)).to_have_value("0")
    ice(shown).focus()
    for _ in range(9):
        shown.keyboard.down("ArrowUp")
    expect(ice(shown)).to_have_value("9")
    shown.wait_for_selector(IDLE)
    expect(field(shown)).to_have_value("0")
    shown.keyboard.up("ArrowUp")
    expect(field(shown)).to_have_value("9")


def test_ice_minutes_and_start_are_on_the_first_screen(shown: Page) -> None:
    start, minutes = shown.get_by_role("button", name=FINE_TUNE), shown.get_by_text("at most, mostly less")
    for part in (ice(shown), start, minutes):
        assert box(part)["y"] + box(part)["height"] <= FIRST_SCREEN["height"]
    middles = [box(part)["y"] + box(part)["height"] / 2 for part in (start, minutes)]
    assert abs(middles[0] - middles[1]) < box(start)["height"] / 2, "side by side"
    assert box(ice(shown))["width"] > 0.85 * FIRST_SCREEN["width"]
    expect(shown.get_by_text("Expert settings")).to_have_count(0)
    be_expert(shown)
    expect(shown.get_by_text("Usual depths")).to_be_hidden()
    shown.get_by_text("Expert settings").click()
    expect(shown.get_by_text("Usual depths")).to_be_visible()


def test_reduced_motion_stands_still(shown: Page) -> None:
    moves = "(input) => getComputedStyle(input.getRootNode().querySelector('.slab .warm')).transitionDuration"
    assert ice(shown).evaluate(moves) != "0s"
    shown.emulate_media(reduced_motion="reduce")
    assert ice(shown).evaluate(moves) == "0s"


def test_a_finger_sets_it_on_a_phone_where_nothing_scrolls_sideways(program: Browser, address: str) -> None:
    page = program.new_page(viewport=PHONE, has_touch=True, is_mobile=True)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    expect(ice(page)).to_be_visible()
    settle(page)
    wait_in_page(page, "document.querySelector('[data-testid=\"stMain\"]').scrollWidth <= innerWidth")
    assert box(ice(page))["height"] >= 44
    page.touchscreen.tap(*place(page, 12))
    expect(field(page)).to_have_value("12")
    expect(ice(page)).to_have_value("12")
    page.close()
