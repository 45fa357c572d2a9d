"""The switch Expert in the browser: by keyboard, at once, over a reload and in another tab, and in no page's way."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.harness import DESKTOP, PHONE, Server, settle
from tests.browser.journey import await_depth


def test_the_choice_survives_a_reload_and_holds_in_a_new_tab(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/disk?expert=0")
    switch = page.get_by_role("switch", name="Expert")
    expect(switch).not_to_be_checked()
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_be_checked()
    await_depth(page, "1")
    expect(page).not_to_have_url(re.compile("expert="))
    page.reload()
    expect(switch).to_be_checked()
    tab = page.context.new_page()
    tab.goto(f"{server.url}/backbone")
    expect(tab.get_by_role("switch", name="Expert")).to_be_checked()
    tab.get_by_text("Expert", exact=True).click()
    expect(tab.get_by_role("switch", name="Expert")).not_to_be_checked()
    await_depth(tab, "0")
    page.reload()
    expect(switch).not_to_be_checked()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_switch_stands_in_the_header_and_its_list_opens(
    page: Page, server: Server, viewport: dict[str, int]
) -> None:
    page.set_viewport_size(viewport)
    page.goto(f"{server.url}/disk")
    place = page.locator(".st-key-expert-place")
    expect(place).to_be_visible()
    settle(page)
    box, header = place.bounding_box(), page.get_by_test_id("stHeader").bounding_box()
    assert box is not None
    assert header is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= header["y"] + header["height"]
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= viewport["width"]
    page.get_by_role("button", name="Words").click()
    expect(page.get_by_text("rounds (epochs): ")).to_be_visible()
