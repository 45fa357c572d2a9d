"""Counting live in the browser, with a camera that the browser makes up and answers that are made up as well."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, Route, expect

from tests.browser.harness import Server, open_browser, settle
from tests.browser.journey import JOB_MS, see_page
from tests.browser.studio import FAKE_CAMERA
from tests.support.boxes.detectors import add_boxed, add_detector_run
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

ANSWER = {
    "boxes": [
        {"label": "apple", "confidence": 0.9, "x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4},
        {"label": "apple", "confidence": 0.8, "x": 0.6, "y": 0.2, "width": 0.2, "height": 0.3},
        {"label": "pear", "confidence": 0.37, "x": 0.4, "y": 0.6, "width": 0.2, "height": 0.3},
    ]
}
VIDEO = "video => [video.offsetWidth, video.offsetHeight]"
# Of what holds them: each answer puts others in their place.
BOXES = "all => [...all.children].map((box) => [box.offsetLeft, box.offsetTop, box.offsetWidth, box.offsetHeight])"


@pytest.fixture(scope="module")
def server(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("counting-workspace"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def browser(chromium: Playwright, tmp_path: Path) -> Iterator[BrowserContext]:
    with open_browser(chromium, tmp_path / "profile", *FAKE_CAMERA) as context:
        yield context


def test_boxes_lie_over_the_camera_kinds_are_counted_and_the_slider_holds_at_once(page: Page, server: Server) -> None:
    store = Store(open_workspace(server.workspace))
    run_id = add_detector_run(store, add_boxed(store))
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.headers["content-type"])
        route.fulfill(status=200, content_type="application/json", body=json.dumps(ANSWER))

    page.route(f"**/thaw/try/{run_id}", answer)
    page.goto(f"{server.url}/find?run={run_id}")
    see_page(page, "find")
    settle(page)
    assert not asked, "the camera is on before anyone pressed a button"

    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator(".box")).to_have_text(["apple 90%", "apple 80%"], timeout=JOB_MS)
    expect(page.locator(".counts li")).to_have_text(["2 apple"])
    assert set(asked) == {"image/jpeg"}
    width, height = page.locator("video").evaluate(VIDEO)
    for place, box in zip(page.locator(".boxes").evaluate(BOXES), ANSWER["boxes"][:2], strict=True):
        wanted = (1 - box["x"] - box["width"], box["y"], box["width"], box["height"])
        sides = (width, height, width, height)
        assert place == pytest.approx([share * side for share, side in zip(wanted, sides, strict=True)], abs=2)

    slider = page.get_by_role("slider", name="How sure it must be")
    slider.focus()
    slider.press("ArrowLeft")
    expect(page.locator(".counts li")).to_have_text(["2 apple", "1 pear"], timeout=JOB_MS)
    expect(page.locator(".box")).to_have_count(3)

    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("video")).to_be_hidden()
    expect(page.locator(".box")).to_have_count(0)
    expect(page.get_by_role("button", name="Start the camera")).to_be_focused()
