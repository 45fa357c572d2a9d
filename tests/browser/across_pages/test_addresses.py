"""The address bar and the browser's history: one entry a page, whatever is chosen there, and what Back brings."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.harness import Server, settle
from tests.browser.journey import open_page, see_page
from tests.support.pages import add_many_classes
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

pytestmark = [pytest.mark.made_up, pytest.mark.kept_profile]

SHARE = "Validation share"


def entries(page: Page) -> int:
    return page.evaluate("history.length")


def test_back_goes_from_page_to_page(page: Page, server: Server) -> None:
    add_many_classes(Store(open_workspace(server.workspace)), 21)
    page.goto(f"{server.url}/data")
    see_page(page, "data")
    settle(page)
    first = entries(page)
    for number, name in enumerate(("backbone", "head", "history"), 1):
        open_page(page, name)
        settle(page)
        assert entries(page) == first + number, page.url
    for name in ("head", "backbone", "data"):
        page.go_back()
        see_page(page, name)
        settle(page)
    page.go_forward()
    see_page(page, "backbone")


def test_choices_add_no_entries_and_outlive_a_reload(page: Page, server: Server) -> None:
    run_id = add_many_classes(Store(open_workspace(server.workspace)), 22)
    page.goto(f"{server.url}/data?run={run_id}&expert=1")
    see_page(page, "data")
    settle(page)
    first = entries(page)
    slider = page.get_by_role("slider", name=SHARE)
    for share in ("0.25", "0.3"):
        slider.press("ArrowRight")
        expect(page).to_have_url(re.compile(f"(?=.*run={run_id})(?=.*validation={share}(&|$))"))
        settle(page)
    assert entries(page) == first
    page.reload()
    see_page(page, "data")
    expect(page.get_by_role("slider", name=SHARE)).to_have_value("0.3")
