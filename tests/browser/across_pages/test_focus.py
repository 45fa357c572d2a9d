"""Whether who goes by keyboard sees where they are: through each page by Tab, Streamlit's own parts and Thaw's."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, Playwright, expect

from tests.browser.harness import DESKTOP, Server, settle
from tests.support.pages import add_dataset, add_run
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

pytestmark = pytest.mark.kept_profile

MOST_STOPS = 80
WIDE_PX, CONTRAST = 2, 3
# What has the focus, and what is wrong with its ring: it may lie around a part of what holds it, such as a label.
LOOK = """async ([wide, contrast]) => {
    // A ring that is still on its way is nobody's.
    for (let frames = 0; frames < 3; frames += 1) await new Promise(requestAnimationFrame);
    const above = (each) => each.parentElement ?? each.getRootNode().host;
    let focused = document.activeElement;
    while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
    if (!focused || focused === document.body) return null;
    const styles = (each) => getComputedStyle(each);
    const isRinged = (each) => styles(each).outlineStyle !== "none" && parseFloat(styles(each).outlineWidth) >= wide;
    const scrolls = (each) => styles(each).overflowX !== "visible" || styles(each).overflowY !== "visible";
    let ringed = focused;
    for (let steps = 0; steps < 5 && ringed && !isRinged(ringed); steps += 1) ringed = above(ringed);
    const told = focused.outerHTML.slice(0, 150);
    if (!ringed || !isRinged(ringed)) return [told, "no ring"];
    const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
        const linear = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05;
    };
    const paper = light(styles(document.querySelector("[data-testid=stApp]")).backgroundColor);
    const ring = light(styles(ringed).outlineColor);
    if (Math.max(paper, ring) / Math.min(paper, ring) < contrast) return [told, styles(ringed).outlineColor];
    const { left, right, top, bottom, width, height } = ringed.getBoundingClientRect();
    if (Math.min(width, height) <= 1) return [told, "a ring around nothing"];
    const out = parseFloat(styles(ringed).outlineOffset) < 0 ? 0 : 1;
    for (let each = above(ringed); each && each !== document.body; each = above(each)) {
        const box = each.getBoundingClientRect();
        const sides = [left - out < box.left, right + out > box.right, top - out < box.top, bottom + out > box.bottom];
        const isCut = (sides[0] && sides[1]) || (sides[2] && sides[3]);
        if (scrolls(each) && isCut) return [told, `a ring that is cut off by ${each.outerHTML.slice(0, 100)}`];
    }
    return [told, ""];
}"""


@pytest.fixture(scope="module")
def server(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("focus-workspace"), unasked=False)
    store = Store(open_workspace(started.workspace))
    add_run(store, add_dataset(store))
    started.start()
    yield started
    started.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["", "data", "head", "mistakes", "evaluation", "compare"])
def test_all_that_tab_reaches_has_a_ring_that_is_seen(
    page: Page, server: Server, name: str, scheme: Literal["light", "dark"]
) -> None:
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{server.url}/{name}?expert=1")
    expect(page.get_by_role("heading", level=1)).to_be_attached()
    settle(page)
    stops: list[list[str]] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        found = page.evaluate(LOOK, [WIDE_PX, CONTRAST])
        if found is None:
            break
        stops.append(found)
    assert len(stops) > 10
    assert [stop for stop in stops if stop[1]] == []
