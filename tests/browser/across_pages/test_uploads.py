"""Uploads go on while other pages are looked at; a reload that cuts one is told; a drop beside the zone is taken."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.harness import Server, drop, settle
from tests.browser.journey import JOB_MS, open_page, see_page

pytestmark = [pytest.mark.made_up, pytest.mark.kept_profile]

# The files wait in the browser until the test lets them go.
HOLD_FILES = """
    const reach = window.fetch;
    const held = new Promise((go) => { window.letGo = go; });
    window.fetch = async (address, options) => {
        if (/thaw.upload/.test(address)) await held;
        return reach(address, options);
    };
"""


def begin(page: Page, server: Server, photos: Path, zone: str = ".zone", at: str = "data") -> None:
    page.add_init_script(HOLD_FILES)
    page.goto(f"{server.url}/{at}")
    see_page(page, at or "studio")
    settle(page)
    drop(page, photos, zone=zone)
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()


def test_an_upload_goes_on_and_is_told_on_other_pages(page: Page, server: Server, photos: Path) -> None:
    begin(page, server, photos)
    open_page(page, "backbone")
    note = page.get_by_role("status").filter(has_text="Uploading “my photos”")
    expect(note).to_be_visible()
    open_page(page, "data")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(note).to_have_count(0)
    open_page(page, "history")
    page.evaluate("letGo()")
    expect(page.get_by_role("status").filter(has_text="“my photos” is uploaded")).to_be_visible()
    open_page(page, "data")
    expect(page.get_by_role("heading", name="my photos")).to_be_visible(timeout=JOB_MS)


def test_a_reload_that_cuts_an_upload_is_told_once(page: Page, server: Server, photos: Path) -> None:
    begin(page, server, photos)
    # A person would confirm that the page may be left.
    page.evaluate("BeforeUnloadEvent.prototype.preventDefault = () => {}")
    page.reload()
    see_page(page, "data")
    told = page.get_by_role("alert").filter(has_text="The upload of “my photos” was cut off")
    expect(told).to_be_visible()
    page.reload()
    see_page(page, "data")
    settle(page)
    expect(told.filter(visible=True)).to_have_count(0)


def test_an_upload_of_the_studio_goes_on_and_is_told_on_other_pages(page: Page, server: Server, photos: Path) -> None:
    begin(page, server, photos, at="")
    open_page(page, "backbone")
    note = page.get_by_role("status").filter(has_text="Uploading “my photos”")
    expect(note).to_be_visible()
    open_page(page, "data")
    expect(note).to_be_visible()
    drop(page, photos)
    expect(page.get_by_role("alert").filter(has_text="One upload is going on")).to_be_visible()
    open_page(page, "studio")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(note).to_have_count(0)
    open_page(page, "history")
    page.evaluate("letGo()")
    expect(page.get_by_role("status").filter(has_text="“my photos” is uploaded")).to_be_visible()
    open_page(page, "studio")
    expect(page.get_by_test_id("class-wall").first).to_be_visible(timeout=JOB_MS)


def test_a_reload_that_cuts_an_upload_of_the_studio_is_told_once(page: Page, server: Server, photos: Path) -> None:
    begin(page, server, photos, at="")
    page.evaluate("BeforeUnloadEvent.prototype.preventDefault = () => {}")
    page.reload()
    told = page.get_by_role("alert").filter(has_text="The upload of “my photos” was cut off")
    expect(told).to_be_visible()
    page.reload()
    see_page(page, "studio")
    settle(page)
    expect(told.filter(visible=True)).to_have_count(0)


def test_a_drop_beside_the_zone_is_taken(page: Page, server: Server, photos: Path) -> None:
    begin(page, server, photos, zone="h1")
    drop(page, photos, zone="h1")
    expect(page.get_by_role("alert").filter(has_text="One upload is going on")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.evaluate("letGo()")
    expect(page.get_by_role("button", name="Browse folder")).to_be_visible()
