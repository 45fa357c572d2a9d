"""The Disk page by keyboard alone, and a data set taken away by a click: what a real browser does with both."""

import zipfile

import pytest
from playwright.sync_api import Page, expect

from tests.browser.harness import PHONE, Server, settle
from tests.browser.journey import open_page, save, see_page
from tests.support.keepings import furnish, snapshot

pytestmark = pytest.mark.kept_profile

# Around its name a button has those of its icons.
FOCUSED_BUTTON = "document.activeElement?.closest('button')?.querySelector('p')?.innerText"
WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def server(chromium, tmp_path_factory):
    """A server of its own: the furnished workspace is none that other tests may meet."""
    started = Server(tmp_path_factory.mktemp("disk-workspace"), unasked=False)
    started.furnished = furnish(started.workspace)
    started.start()
    yield started
    started.stop()


def press_until(page: Page, key: str, name: str, limit: int = 40) -> None:
    """Press a key until the button of that name has the focus."""
    for _ in range(limit):
        if page.evaluate(FOCUSED_BUTTON) == name:
            return
        page.keyboard.press(key)
    pytest.fail(f"the keyboard does not reach {name!r}")


def test_a_thing_is_deleted_and_brought_back_by_keyboard(page, server):
    store, *_ = server.furnished
    before = snapshot(store)
    open_page(page, "disk")
    settle(page)
    table = page.get_by_test_id("data-grid-canvas")
    # What a screen reader reads of the table.
    expect(table.get_by_text("Pets").first).to_be_attached()
    table.focus()
    for key in ("ArrowDown", "Shift+Space"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Delete this…")).to_be_visible()
    press_until(page, "Tab", "Delete this…")
    page.keyboard.press("Enter")
    really = page.get_by_role("button", name="Delete", exact=True)
    expect(really).to_be_visible()
    press_until(page, "Tab", "Delete")
    page.keyboard.press("Enter")
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    assert len(store.trash()) == 1
    assert snapshot(store) != before
    undo.focus()
    page.keyboard.press("Enter")
    expect(undo).to_be_hidden()
    assert store.trash() == []
    assert snapshot(store) == before


def test_the_page_fits_a_phone(page, server):
    page.set_viewport_size(PHONE)
    page.goto(f"{server.url}/disk")
    see_page(page, "disk")
    settle(page)
    assert page.evaluate(WIDTH) <= PHONE["width"]
    for name in ("Kept by Thaw", "Free on this disk", "In the trash"):
        expect(page.get_by_text(name, exact=True)).to_be_visible()


def test_a_data_set_is_taken_away_by_a_click(page, server, tmp_path):
    store, *_ = server.furnished
    page.get_by_text("Take the cleaned data away").click()
    link = page.get_by_role("link", name="Download 6 pictures")
    expect(link).to_be_visible()
    path = save(page, link, tmp_path)
    assert path.name == "Pets.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 8
    kept = {path.parent.name for path in store.workspace.root.rglob("*.zip")}
    assert kept == {"projects"}
