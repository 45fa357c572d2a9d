"""The page on which boxes are drawn, over a real workspace: what is drawn stays, in whichever window."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.browser.harness import DESKTOP, PATIENCE_MS, PATIENCE_S, Server, wait_until
from tests.browser.journey import draw_box, name_kind
from tests.support.pictures.corpus import jpeg
from thaw.storage.database import new_id
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.boxes import Box

pytestmark = [pytest.mark.kept_profile, pytest.mark.made_up]

PHOTOS = 4
SIZE, THUMBNAIL = (600, 400), (160, 107)
PLAIN = Image("", "", "", "", *SIZE, suffix=".jpg", role="pile")


@pytest.fixture(scope="module")
def store(made_up: Server) -> Store:
    return Store(open_workspace(made_up.workspace))


@pytest.fixture
def dataset(store: Store) -> str:
    """A flat folder of photos on which nobody has drawn, for each test one."""
    return add_photos(store)


def add_photos(store: Store) -> str:
    dataset_id = new_id("data")
    photos = [
        replace(PLAIN, id=new_id("img"), name=f"IMG_{number}.jpg", content=f"{number:064x}", folder=dataset_id)
        for number in range(PHOTOS)
    ]
    store.add_dataset(dataset_id, "orchard", "folder", Arrival(photos))
    for number, photo in enumerate(photos):
        copy = store.workspace.image(dataset_id, photo.id, ".jpg")
        thumbnail = store.workspace.thumbnail(dataset_id, photo.id)
        for path, size in ((copy, SIZE), (thumbnail, THUMBNAIL)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(number, *size))
    return dataset_id


def open_page(page: Page, server: Server, dataset: str) -> Page:
    page.goto(f"{server.url}/boxes?dataset={dataset}")
    expect(page.locator('.stage[aria-label^="IMG_0.jpg, "]')).to_be_visible()
    return page


def labels_on(store: Store, dataset: str) -> list[str] | None:
    """Return what is drawn on the first photo."""
    boxes = store.boxes_on(dataset, store.images(dataset, role="pile")[0].id)
    return None if boxes is None else [box.label for box in boxes]


def expect_kept(store: Store, dataset: str, labels: list[str] | None) -> None:
    wait_until(lambda: labels_on(store, dataset) == labels, PATIENCE_S, f"{labels} on the first photo")


def test_the_studio_offers_to_count_on_photos_of_which_none_has_a_kind(
    page: Page, server: Server, store: Store, dataset: str
) -> None:
    page.goto(f"{server.url}/?dataset={dataset}")
    expect(page.get_by_role("link", name="Sort them")).to_be_visible()
    page.get_by_role("link", name="Find and count things in these photos").click()
    expect(page.locator('.stage[aria-label^="IMG_0.jpg, "]')).to_be_visible()
    store.set_boxes(dataset, store.images(dataset, role="pile")[0].id, [Box("apple", 0.1, 0.1, 0.5, 0.5)], None)
    page.goto(f"{server.url}/?dataset={dataset}")
    expect(page.get_by_role("link", name="Find and count", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Find and count things in these photos")).to_be_hidden()


def test_what_is_drawn_is_there_after_a_reload_and_can_be_undone(
    page: Page, server: Server, store: Store, dataset: str
) -> None:
    open_page(page, server, dataset)
    name_kind(page, "apple")
    draw_box(page, (0.2, 0.2), (0.5, 0.6))
    page.keyboard.press("Escape")
    draw_box(page, (0.6, 0.6), (0.9, 0.9))
    expect_kept(store, dataset, ["apple", "apple"])
    (box, _) = store.boxes_on(dataset, store.images(dataset, role="pile")[0].id) or ()
    assert (box.x, box.y, box.width, box.height) == pytest.approx((0.2, 0.2, 0.3, 0.4), abs=0.01)
    expect(page.locator(".saved")).to_have_text("Saved")
    page.reload()
    expect(page.locator(".done")).to_have_text("1 of 4 photos done")
    expect(page.locator(".box")).to_have_count(2)
    page.locator(".box").first.focus()
    page.keyboard.press("Delete")
    expect_kept(store, dataset, ["apple"])
    page.get_by_role("button", name="Remove").click()
    expect_kept(store, dataset, None)
    expect(page.locator(".done")).to_have_text("0 of 4 photos done")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect_kept(store, dataset, ["apple", "apple"])


def test_a_kind_gets_another_name_on_all_photos(page: Page, server: Server, store: Store, dataset: str) -> None:
    open_page(page, server, dataset)
    name_kind(page, "aple")
    draw_box(page, (0.2, 0.2), (0.5, 0.6))
    expect_kept(store, dataset, ["aple"])
    page.get_by_role("button", name="Rename “aple”…").click()
    field = page.get_by_label("New name for aple")
    expect(field).to_be_focused()
    field.press_sequentially("apple")
    field.press("Enter")
    expect_kept(store, dataset, ["apple"])
    expect(page.locator(".box")).to_have_attribute("aria-label", "apple, box 1 of 1")
    expect(page.locator(".kinds button")).to_have_accessible_name("apple, 1 on this photo")
    page.locator(".box").focus()
    page.keyboard.press("n")
    expect_kept(store, dataset, ["apple", "apple"])


def test_a_second_window_is_told_of_the_first_and_nothing_is_lost(
    page: Page, program: Browser, server: Server, store: Store, dataset: str
) -> None:
    open_page(page, server, dataset)
    # One beside the first: a tab behind it would look anew when it is looked at.
    context = program.new_context(viewport=DESKTOP)
    context.set_default_timeout(PATIENCE_MS)
    # What the first draws is to be unknown here: no news comes through.
    context.route("**/thaw/changes*", lambda route: route.abort())
    second = open_page(context.new_page(), server, dataset)
    name_kind(second, "pear")
    name_kind(page, "apple")
    draw_box(page, (0.1, 0.1), (0.4, 0.4))
    expect_kept(store, dataset, ["apple"])
    draw_box(second, (0.5, 0.5), (0.8, 0.8))
    told = second.get_by_role("alert")
    expect(told).to_contain_text("IMG_0.jpg was changed in another window: 1 box there, 1 here. Nothing is lost yet.")
    assert labels_on(store, dataset) == ["apple"]
    told.get_by_role("button", name="Keep both").click()
    expect_kept(store, dataset, ["pear", "apple"])
    expect(second.locator(".box")).to_have_count(2)
    context.close()


def test_what_one_window_draws_the_other_shows(page: Page, program: Browser, server: Server, dataset: str) -> None:
    open_page(page, server, dataset)
    context = program.new_context(viewport=DESKTOP)
    context.set_default_timeout(PATIENCE_MS)
    second = open_page(context.new_page(), server, dataset)
    name_kind(page, "apple")
    draw_box(page, (0.1, 0.1), (0.4, 0.4))
    expect(second.locator(".box")).to_have_count(1)
    context.close()


def test_boxes_drawn_while_thaw_is_away_are_saved_once_it_is_back(
    program: Browser, chromium: Playwright, tmp_path: Path
) -> None:
    server = Server(tmp_path / "workspace")
    store = Store(open_workspace(server.workspace))
    dataset = add_photos(store)
    context = program.new_context(viewport=DESKTOP)
    context.set_default_timeout(PATIENCE_MS)
    server.start()
    try:
        page = open_page(context.new_page(), server, dataset)
        name_kind(page, "apple")
        server.stop()
        draw_box(page, (0.2, 0.2), (0.5, 0.6))
        expect(page.get_by_role("alert").filter(has_text="Your boxes are kept here meanwhile.")).to_be_visible()
        expect(page.locator(".saved")).to_have_text("Not saved")
        assert labels_on(store, dataset) is None
        server.start()
        # The page has no token of the new server until it is drawn again, which it is by itself.
        expect_kept(store, dataset, ["apple"])
        expect(page.locator(".saved")).to_have_text("Saved")
    finally:
        context.close()
        server.stop()
