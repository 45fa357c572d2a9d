"""The Data page in the browser: its photos on the first screen, one line that takes more, the next step in sight."""

import re
import shutil
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from tests.browser.harness import CONTENT_HEIGHT, PHONE, Server, drop, settle
from tests.browser.journey import JOB_MS, see_page
from tests.support.pages import add_many_classes
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

pytestmark = [pytest.mark.made_up, pytest.mark.kept_profile]

SCREEN = {"width": 1280, "height": 900}
LINE_PX = 56
OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
TO_THE_TOP = "document.querySelector('[data-testid=\"stMain\"]').scrollTo(0, 0)"
NEXT = "On to step 2: choose an eye (backbone)"


def open_data(page: Page, server: Server, classes: int) -> None:
    """Open the page with a data set of two photos a class, which can be taught."""
    store = Store(open_workspace(server.workspace))
    dataset_id = store.run(add_many_classes(store, classes)).dataset_id
    firsts = store.images(dataset_id)
    others = [replace(each, id=f"{each.id[:-8]}{n:08x}", content=f"{n:064x}") for n, each in enumerate(firsts, 5_000)]
    for first, other in zip(firsts, others, strict=True):
        shutil.copy(store.workspace.thumbnail(dataset_id, first.id), store.workspace.thumbnail(dataset_id, other.id))
    store.add_to_dataset(dataset_id, "folder", Arrival(others))
    page.set_viewport_size(SCREEN)
    page.goto(f"{server.url}/data?dataset={dataset_id}")
    see_page(page, "data")
    settle(page)


def height(page: Page) -> float:
    box = page.locator(".zone").bounding_box()
    assert box
    return box["height"]


def test_photos_are_on_the_first_screen_and_the_next_step_is_always(page: Page, server: Server) -> None:
    open_data(page, server, 34)
    for size in (SCREEN, PHONE):
        page.set_viewport_size(size)
        page.evaluate(TO_THE_TOP)
        settle(page)
        assert height(page) < LINE_PX
        strips = page.locator(".thaw-strip")
        expect(strips.first).to_be_in_viewport(ratio=1)
        step = page.get_by_role("link", name=NEXT)
        expect(step).to_be_in_viewport(ratio=1)
        step.click(trial=True)
        assert page.evaluate(CONTENT_HEIGHT) > 2 * size["height"]
        strips.nth(15).scroll_into_view_if_needed()
        expect(step).to_be_in_viewport(ratio=1)
        step.click(trial=True)
        assert not page.evaluate(OVERFLOWS)
    page.get_by_role("link", name=NEXT).click()
    see_page(page, "backbone")


def test_the_line_takes_a_drop_and_opens_the_choice_of_a_folder(page: Page, server: Server, photos) -> None:
    open_data(page, server, 35)
    with page.expect_file_chooser() as asked:
        page.locator("#drop-title").click()
    assert asked.value.is_multiple()
    drop(page, photos)
    expect(page.get_by_role("combobox", name="Photos")).to_have_value(re.compile("^my photos"), timeout=JOB_MS)
    expect(page.get_by_role("heading", name="my photos")).to_be_visible(timeout=JOB_MS)
