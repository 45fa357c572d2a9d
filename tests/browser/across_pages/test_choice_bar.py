"""The bar above every page in the browser: one quiet row on a desktop and a phone, by mouse and by keyboard."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.harness import DESKTOP, PHONE, Server, settle, wait_in_page
from tests.browser.journey import open_page, see_page
from tests.support.pages import add_many_classes
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.settings import HeadSettings

pytestmark = [pytest.mark.made_up, pytest.mark.kept_profile]

ROW_PX = 40
OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def chooser(page: Page, label: str) -> Locator:
    return page.locator(".st-key-choice-bar").get_by_role("combobox", name=label)


def test_either_is_switched_in_one_row_that_adds_no_entry_and_keeps_the_focus(page: Page, server: Server) -> None:
    store = Store(open_workspace(server.workspace))
    first = store.run(add_many_classes(store, 31))
    newer = store.add_run(first.dataset_id, "efficientnet-lite1", HeadSettings().to_json())
    other = store.run(add_many_classes(store, 32))
    page.goto(f"{server.url}/disk?run={other.id}")
    see_page(page, "disk")
    settle(page)
    entries = page.evaluate("history.length")
    chooser(page, "Photos").click()
    listed = page.get_by_role("option")
    # The newest comes first, so the one before it is the next.
    listed.nth(1).click()
    expect(page).to_have_url(re.compile(f"dataset={first.dataset_id}.*run={newer}|run={newer}.*dataset="))
    expect(chooser(page, "Photos")).to_be_focused()
    expect(chooser(page, "Run")).to_have_value(re.compile("EfficientNet-Lite1$"))
    chooser(page, "Run").press("ArrowDown")
    expect(listed.first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"run={first.id}"))
    assert page.evaluate("history.length") == entries
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        box = page.locator(".st-key-choice-bar").bounding_box()
        assert box
        assert box["height"] <= ROW_PX
        for label in ("Photos", "Run"):
            expect(chooser(page, label)).to_be_in_viewport(ratio=1)
        assert not page.evaluate(OVERFLOWS)
    page.set_viewport_size(DESKTOP)
    open_page(page, "history")
    expect(chooser(page, "Run")).to_have_value(re.compile("EfficientNet-Lite0$"))
    expect(page).to_have_url(re.compile(f"run={first.id}"))


def test_a_room_does_not_see_it(page: Page, server: Server) -> None:
    run_id = add_many_classes(Store(open_workspace(server.workspace)), 33)
    page.goto(f"{server.url}/disk?run={run_id}")
    see_page(page, "disk")
    expect(page.locator(".st-key-choice-bar")).to_be_visible()
    wait_in_page(page, "document.documentElement.hasAttribute('data-hears-keys')")
    page.keyboard.press("f")
    expect(page.locator(".st-key-choice-bar")).to_be_hidden()
    page.keyboard.press("f")
    expect(page.locator(".st-key-choice-bar")).to_be_visible()
