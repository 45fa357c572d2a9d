"""The list of backbones in the browser: a click anywhere in a row picks it, an arrow key does, an address does."""

import re

from playwright.sync_api import Page, expect

from tests.browser.harness import Server, settle
from tests.browser.journey import click_row, see_page

MARK_PX = 20
ROWS = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2", "mobilenet-v2")


def test_a_row_is_picked_by_a_click_by_its_mark_by_keys_and_by_the_address(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/backbone?backbone={ROWS[3]}")
    see_page(page, "backbone")
    settle(page)
    expect(page.get_by_text("MobileNetV2 sees")).to_be_visible()
    assert page.get_by_test_id("stDataFrame").count() == 1
    click_row(page, 1)
    expect(page.get_by_text("EfficientNet-Lite1 sees")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_text("EfficientNet-Lite2 sees")).to_be_visible()
    page.keyboard.press("ArrowRight")
    click_row(page, 0, MARK_PX)
    expect(page.get_by_text("EfficientNet-Lite0 sees")).to_be_visible()
    expect(page).to_have_url(re.compile(f"backbone={ROWS[0]}(&|$)"))
    click_row(page, 2)
    expect(page.get_by_text("EfficientNet-Lite2 sees")).to_be_visible()
    expect(page).to_have_url(re.compile(f"backbone={ROWS[2]}(&|$)"))
    page.reload()
    see_page(page, "backbone")
    expect(page.get_by_text("EfficientNet-Lite2 sees")).to_be_visible()
