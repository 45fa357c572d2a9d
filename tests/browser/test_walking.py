"""The walk through the mistakes in the browser, by keyboard: forth and back, relabelled, excluded, undone."""

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.harness import Server, settle
from tests.browser.journey import click_cell, open_page, see_page
from tests.support.pages import add_many_classes
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

WRONG = 14


@pytest.fixture
def browser(kept_profile: BrowserContext) -> BrowserContext:
    return kept_profile


@pytest.fixture(scope="module")
def server(made_up: Server) -> Server:
    return made_up


def add_mistakes(server: Server, classes: int) -> tuple[Store, str]:
    """A run that takes the first fourteen of its images for the last class, surer of each than of the next."""
    store = Store(open_workspace(server.workspace))
    run_id = add_many_classes(store, classes)
    path = store.workspace.run(run_id) / "predictions-1.npz"
    with np.load(path) as kept:
        ids = kept["image_ids"]
    shares = np.eye(classes, dtype=np.float32)
    for number in range(WRONG):
        shares[number, -1] = 1 - number / 100
        shares[number, number] = number / 100
    np.savez(path, image_ids=ids, probabilities=shares)
    return store, run_id


def test_arrow_keys_move_and_letters_fix_what_is_shown(page: Page, server: Server) -> None:
    store, run_id = add_mistakes(server, 16)
    dataset_id = store.run(run_id).dataset_id
    page.goto(f"{server.url}/mistakes?run={run_id}")
    see_page(page, "mistakes")
    settle(page)
    bar, place, large = page.locator(".walk"), page.locator(".walk .place"), page.locator(".thaw-large img")
    expect(place).to_have_text(f"{WRONG} pictures")
    bar.scroll_into_view_if_needed()
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text(f"1 of {WRONG}")
    expect(bar).to_be_focused()
    for number in range(2, 14):
        page.keyboard.press("ArrowRight")
        expect(place).to_have_text(f"{number} of {WRONG}")
    expect(page.locator(".thaw-card")).to_have_count(WRONG - 12)
    expect(large).to_have_attribute("src", f"/thaw/image/{dataset_id}/img-{16:04x}{12:08x}")
    expect(page.locator(".walk .spoken")).to_have_text("13 of 14: 12.png, class 012 taken for class 015")
    page.keyboard.press("ArrowLeft")
    expect(place).to_have_text(f"12 of {WRONG}")
    expect(bar).to_be_focused()
    assert not store.edits(dataset_id), "an x outside the buttons does nothing"

    page.keyboard.press("p")
    expect(page.get_by_text("1 fix since this run saw the data set: 1 photo moved")).to_be_visible()
    expect(page.locator(".walk .spoken")).to_contain_text("moved to class 015 since")
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text(f"13 of {WRONG}")
    page.keyboard.press("x")
    expect(page.get_by_text("1 photo moved to another class and 1 photo excluded.")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_text("1 fix since this run saw the data set: 1 photo moved")).to_be_visible()
    assert store.dataset(dataset_id).excluded == 0

    field = page.get_by_role("combobox", name="Look closer")
    field.focus()
    field.press_sequentially("xpu")
    field.press("ArrowLeft")
    field.press("Escape")
    settle(page)
    expect(place).to_have_text(f"13 of {WRONG}")
    assert [edit.kind for edit in store.edits(dataset_id) if edit.undone_at is None] == ["move"]


def test_arrow_keys_move_for_those_who_have_come_by_the_menu(page: Page, server: Server) -> None:
    _, run_id = add_mistakes(server, 17)
    page.goto(f"{server.url}/evaluation?run={run_id}")
    see_page(page, "evaluation")
    open_page(page, "mistakes")
    settle(page)
    assert page.evaluate("document.activeElement.matches('a[href]')")
    page.locator(".walk").scroll_into_view_if_needed()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".walk .place")).to_have_text(f"1 of {WRONG}")


def test_a_cell_on_the_evaluation_page_leads_to_its_mistakes(page: Page, server: Server) -> None:
    _, run_id = add_mistakes(server, 18)
    page.goto(f"{server.url}/evaluation?run={run_id}")
    see_page(page, "evaluation")
    settle(page)
    click_cell(page, true=3, predicted=17)
    see_page(page, "mistakes")
    expect(page.locator(".thaw-card")).to_have_count(1)
    expect(page.locator(".thaw-card")).to_contain_text("class 003")
