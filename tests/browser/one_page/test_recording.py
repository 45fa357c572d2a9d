"""A kind that is recorded with the camera in the Studio, which learns it meanwhile."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Playwright, expect

from tests.browser.harness import Server, Watch, drop, open_browser
from tests.browser.journey import JOB_MS
from tests.browser.studio import FAKE_CAMERA, LEARNT, await_learnt
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

RECORDINGS = 2
# A recording ends after 600 frames; one that is to go on until a model has learnt takes them at leisure.
AT_LEISURE = """() => {
    const take = HTMLCanvasElement.prototype.toBlob;
    HTMLCanvasElement.prototype.toBlob = function (...given) { setTimeout(() => take.apply(this, given), 300); };
}"""


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    started = Server(tmp_path / "workspace")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def page(chromium: Playwright, server: Server, tmp_path) -> Iterator[Page]:
    with open_browser(chromium, tmp_path / "profile", *FAKE_CAMERA) as context:
        watch = Watch(context)
        tab = context.pages[0]
        tab.set_viewport_size({"width": 1280, "height": 900})
        tab.goto(server.url)
        expect(tab.locator(".studio")).to_be_visible()
        yield tab
        assert not watch.foreign
        assert not watch.dialogs
        assert not watch.errors


@contextmanager
def holding(page: Page, label: str) -> Iterator[None]:
    """Hold a kind's button to record while the body runs."""
    button = page.locator(f'[data-name="{label}"] .record')
    button.scroll_into_view_if_needed()
    button.hover()
    page.mouse.down()
    yield
    page.mouse.up()


def test_a_kind_is_learnt_while_it_is_recorded_and_kept_on_one_side(page, server, tiny_photos):
    store = Store(open_workspace(server.workspace))
    page.get_by_label("Learn by itself when photos change").check()
    drop(page, tiny_photos)
    expect(page.locator(".learning .state")).to_have_text(LEARNT, timeout=JOB_MS)
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("video")).to_have_js_property("paused", False)
    page.get_by_label("Another kind").fill("cups")
    page.get_by_role("button", name="Add", exact=True).click()
    count = page.locator('[data-name="cups"] .count')
    page.evaluate(AT_LEISURE)
    with holding(page, "cups"):
        # Known before the recording has ended, and the photos of it are on the wall.
        expect(page.locator(".try .bars li")).to_have_count(4, timeout=JOB_MS)
        expect(page.locator('[data-name="cups"] .strip img').first).to_be_attached()
        expect(count).to_contain_text("recording")
        column, wall = page.locator(".column.photos").bounding_box(), page.locator('[data-name="cups"]').bounding_box()
        assert column["x"] < wall["x"]
        assert wall["x"] + wall["width"] < column["x"] + column["width"]
    before = await_learnt(page, store, "cups")
    with holding(page, "cups"):
        expect(count).to_have_text(re.compile(r"^recording: ([3-9]|\d\d)"))
    assert await_learnt(page, store, "cups") > before
    frames = store.images(store.datasets()[0].id, "cups")
    assert len({frame.recording for frame in frames}) == RECORDINGS
    expect(page.locator(".try .bars li")).to_have_count(4, timeout=JOB_MS)
