"""A pile in the browser: a flat folder is dropped, groups are named, keys name the rest, undone, and out as a CSV."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect
from sklearn.datasets import load_sample_images

from tests.browser.harness import DESKTOP, PATIENCE_S, PHONE, drop, settle, wait_until
from tests.browser.journey import JOB_MS, save, see_page
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

EACH, SIDE_PX = 12, 160
TALL = {"width": 1280, "height": 2600}
FIELD = "Such as cats; press Enter"


def write_flat(folder: Path) -> Path:
    """Write crops of a palace and of a flower under names that say nothing, by turns, into one folder."""
    folder.mkdir()
    scenes, chance = load_sample_images().images, np.random.default_rng(3)
    for number in range(2 * EACH):
        scene = scenes[number % 2]
        top, left = (int(chance.integers(0, length - SIDE_PX)) for length in scene.shape[:2])
        Image.fromarray(scene[top : top + SIDE_PX, left : left + SIDE_PX]).save(folder / f"IMG_{number:04}.jpg")
    return folder


def test_from_a_flat_folder_to_classes_by_names_and_keys(page: Page, server, tmp_path: Path) -> None:
    page.goto(f"{server.url}/data")
    see_page(page, "data")
    drop(page, write_flat(tmp_path / "holiday"))
    expect(page.get_by_role("heading", name="holiday")).to_be_visible(timeout=JOB_MS)
    store = Store(open_workspace(server.workspace))
    dataset = store.datasets()[0]
    assert (dataset.pile, dataset.classes, dataset.set_aside) == (2 * EACH, {}, 0)

    page.goto(f"{server.url}/pile?dataset={dataset.id}")
    see_page(page, "pile")
    field = page.get_by_placeholder(FIELD).first
    expect(field).to_be_visible(timeout=JOB_MS)
    settle(page)
    # What is to be named is seen beside its field, on a phone too.
    page.set_viewport_size(PHONE)
    settle(page)
    expect(page.locator(".tile").first).to_be_in_viewport(ratio=0.5)
    # Both in sight: a page that scrolls meanwhile would have another picture under the mouse.
    page.set_viewport_size(TALL)
    stray, home = (page.locator(".pick").nth(place).locator(".tile").last for place in (0, 1))
    moved, there = stray.get_attribute("data-id"), home.get_attribute("data-id")
    stray.drag_to(home)
    wall = page.locator(".pick").filter(has=page.locator(f'[data-id="{there}"]'))
    expect(wall.locator(f'[data-id="{moved}"]')).to_be_visible()
    page.set_viewport_size(DESKTOP)
    settle(page)
    first = page.locator(".tile").first
    number = int(first.get_attribute("aria-label")[4:8])
    name = ("palace", "flower")[number % 2]
    field.fill(name)
    field.press("Enter")
    wait_until(lambda: store.dataset(dataset.id).classes.get(name), PATIENCE_S, "the name")
    named = store.dataset(dataset.id).classes[name]
    expect(page.get_by_text(f"{named} of {2 * EACH} named")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text(f"0 of {2 * EACH} named")).to_be_visible()
    settle(page)
    field.fill(name)
    field.press("Enter")
    expect(page.get_by_text(f"{named} of {2 * EACH} named")).to_be_visible()

    page.get_by_role("radio", name="One at a time").click()
    bar = page.locator(".walk")
    expect(bar.get_by_role("button", name=name).last).to_be_visible()
    # The keys count at once, with the focus where the click has left it.
    page.keyboard.press("1")
    expect(page.get_by_text(f"{named + 1} of {2 * EACH} named")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_text(f"{named} of {2 * EACH} named")).to_be_visible()
    settle(page)
    other = page.get_by_label("Another kind")
    other.press_sequentially("1yxu")
    expect(other).to_have_value("1yxu")
    other.fill("something else")
    other.press("Enter")
    expect(page.get_by_text(f"{named + 1} of {2 * EACH} named")).to_be_visible()
    # What was typed was no command.
    assert store.dataset(dataset.id).classes == {name: named, "something else": 1}
    # Its keys are made anew for the new class.
    expect(bar.get_by_role("button", name="something else").last).to_be_visible()
    settle(page)
    bar.get_by_role("button", name="Exclude").focus()
    key = sorted(store.dataset(dataset.id).classes).index(name) + 1
    page.keyboard.press(str(key))
    expect(page.get_by_text(f"{named + 2} of {2 * EACH} named")).to_be_visible()
    assert store.dataset(dataset.id).classes == {name: named + 1, "something else": 1}
    page.keyboard.press("u")
    expect(page.get_by_text(f"{named + 1} of {2 * EACH} named")).to_be_visible()

    path = save(page, page.get_by_role("button", name="Labels as CSV"), tmp_path)
    rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    assert len(rows) == 2 * EACH
    assert sum(row["label"] == name for row in rows) == named
    assert sum(row["label"] == "" for row in rows) == 2 * EACH - named - 1
