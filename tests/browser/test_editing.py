"""Photos put right in the browser: dropped, excluded with the keyboard, undone, moved, renamed and added to."""

import random
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect
from sklearn.datasets import load_sample_images

from tests.browser.conftest import CLASS_SIZE, SIDE_PX, crop
from tests.browser.harness import IDLE, PATIENCE_S, Server, drop, wait_until
from tests.browser.journey import JOB_MS, be_expert, see_page
from thaw.storage.records import Dataset
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

ADDED, HELD_OUT = 6, 4
ADD, HOLD_OUT = "Add to my photos", "Holdout of my photos"
TITLES = {ADD: "Drop photos here to add them", HOLD_OUT: "Drop the holdout photos here"}


def test_photos_are_dropped_put_right_and_undone(page: Page, server: Server, photos: Path, tmp_path: Path) -> None:
    see_page(page, "data")
    be_expert(page)
    drop(page, photos)
    expect(page.get_by_role("heading", name="my photos")).to_be_visible(timeout=JOB_MS)
    before = kept(server)
    page.get_by_test_id("stButtonGroup").get_by_text("Edit", exact=True).click()
    exclude_with_the_keyboard(page)
    # The grid takes them away before the server has heard of it.
    wait_until(lambda: kept(server).excluded == 2, PATIENCE_S, "two images to be excluded")
    undo(page, "excluded 2 images")
    expect(page.locator(".tile")).to_have_count(3 * CLASS_SIZE)
    assert kept(server).classes == before.classes
    move_to_a_new_class(page)
    assert kept(server).classes["garden"] == 1
    undo(page, "moved 1 image to garden")
    rename(page, "temple", "pagoda")
    assert kept(server).classes["pagoda"] == CLASS_SIZE
    add(page, ADD, new_photos(tmp_path / "more", ADDED, turn=90), ADDED)
    assert kept(server).accepted == before.accepted + ADDED
    # The folder keeps its old name, and joins the class by its new one.
    assert kept(server).classes["pagoda"] == CLASS_SIZE + ADDED
    other_day = new_photos(tmp_path / "other day", HELD_OUT, turn=270)
    add(page, HOLD_OUT, other_day, HELD_OUT)
    assert kept(server).accepted == before.accepted + ADDED + HELD_OUT
    assert kept(server).holdout == HELD_OUT
    undo(page, f"added {HELD_OUT} images")
    assert (kept(server).holdout, kept(server).excluded) == (0, HELD_OUT)
    undo(page, f"added {ADDED} images")
    undo(page, "renamed temple to pagoda")
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    assert kept(server).classes == before.classes


def kept(server: Server) -> Dataset:
    return Store(open_workspace(server.workspace)).datasets()[0]


def exclude_with_the_keyboard(page: Page) -> None:
    expect(page.locator(".tile")).to_have_count(3 * CLASS_SIZE)
    page.locator(".tile").first.focus()
    for key in ("Space", "ArrowRight", "Space", "x"):
        page.keyboard.press(key)
    expect(page.locator(".tile")).to_have_count(3 * CLASS_SIZE - 2)
    # The keyboard goes on at the next picture.
    page.keyboard.press("Space")
    expect(page.locator(".tile").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    page.wait_for_selector(IDLE)


def undo(page: Page, change: str) -> None:
    expect(page.get_by_text(f"Last change: {change}")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text(f"Undone: {change}").last).to_be_visible()
    expect(page.get_by_text(f"Last change: {change}")).to_have_count(0)
    page.wait_for_selector(IDLE)


def move_to_a_new_class(page: Page) -> None:
    field = page.get_by_role("textbox", name="New class to move pictures to")
    field.fill("garden")
    field.press("Enter")
    expect(page.get_by_text("garden stands first there")).to_be_visible()
    page.wait_for_selector(IDLE)
    page.locator(".tile").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("m")
    expect(page.locator(".choices").get_by_role("option").first).to_have_text("garden")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Last change: moved 1 image to garden")).to_be_visible()


def rename(page: Page, old: str, new: str) -> None:
    shelf = page.get_by_role("combobox", name="Show")
    shelf.fill(old)
    page.get_by_role("option", name=old, exact=True).click()
    expect(page.locator(".tile")).to_have_count(CLASS_SIZE)
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="New name").fill(new)
    page.get_by_role("button", name="Rename this class").click()
    expect(page.get_by_text(f"Last change: renamed {old} to {new}")).to_be_visible()
    page.wait_for_selector(IDLE)


def add(page: Page, place: str, folder: Path, number: int) -> None:
    accepted = page.get_by_test_id("stMetric").filter(has_text="Images accepted")
    total = int(accepted.get_by_test_id("stMetricValue").inner_text()) + number
    page.get_by_role("button", name="Where they go").click()
    choice = page.get_by_test_id("stRadio")
    choice.get_by_text(place).click()
    expect(page.locator("#drop-title")).to_have_text(TITLES[place])
    page.keyboard.press("Escape")
    expect(choice).to_be_hidden()
    drop(page, folder)
    expect(accepted).to_contain_text(str(total), timeout=JOB_MS)
    # The last that the page draws of it: what is opened before would be closed again.
    expect(page.get_by_text(f"Last change: added {number} images")).to_be_visible()
    page.wait_for_selector(IDLE)


def new_photos(folder: Path, number: int, turn: int) -> Path:
    """Photos of the class "temple", none of them like those dropped first or in the other folder."""
    china = Image.fromarray(load_sample_images().images[0]).rotate(turn, expand=True)
    chance = random.Random(turn)
    (folder / "temple").mkdir(parents=True)
    for place in range(number):
        crop(china, chance, SIDE_PX).save(folder / "temple" / f"{place}.jpg")
    return folder
