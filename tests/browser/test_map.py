"""The map in the browser: a lasso drawn with the mouse shows exactly the photos inside it, a click shows one large."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright, expect

from tests.browser.harness import Server, settle
from tests.browser.journey import see_page
from tests.test_map_page import make_map
from tests.test_pages import add_many_classes
from tlcore.store import Store
from tlcore.workspace import open_workspace

IMAGES = 40
# Of every point: its number, and where it lies on the screen.
POINTS = """() => {
    const plot = document.querySelector('.js-plotly-plot');
    const { xaxis, yaxis } = plot._fullLayout;
    const { left, top } = plot.getBoundingClientRect();
    const found = {};
    for (const trace of plot._fullData) {
        trace.x.forEach((x, at) => {
            const place = [left + xaxis._offset + xaxis.l2p(x), top + yaxis._offset + yaxis.l2p(trace.y[at])];
            found[trace.customdata[at]] = place;
        });
    }
    return found;
}"""


@pytest.fixture
def server(chromium: Playwright, tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "map-workspace")
    started.start()
    yield started
    started.stop()


def shown(page: Page) -> set[str]:
    """Return the names of the photos in the gallery."""
    return set(page.locator(".tile .name").all_inner_texts())


def test_a_lasso_shows_what_is_inside_it_and_a_click_shows_one_large(page: Page, server: Server) -> None:
    store = Store(open_workspace(server.workspace))
    run_id = add_many_classes(store, IMAGES)
    make_map(store, run_id)
    page.goto(f"{server.url}/map?run={run_id}")
    see_page(page, "map")
    settle(page)
    places = page.evaluate(POINTS)
    assert len(places) == IMAGES
    columns, lines = (sorted(place[axis] for place in places.values()) for axis in (0, 1))
    left, top, bottom = columns[0], lines[0], lines[-1]
    # A line halfway between two points that lie far apart, so that none lies on the lasso.
    edge = sum(max(pairwise(columns[10:30]), key=lambda pair: pair[1] - pair[0])) / 2
    inside = {f"{number}.png" for number, (x, _) in places.items() if x < edge}
    assert 10 < len(inside) < 30

    page.mouse.move(left - 8, top - 8)
    page.mouse.down()
    for x, y in ((edge, top - 8), (edge, bottom + 8), (left - 8, bottom + 8), (left - 8, top)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    expect(page.locator(".tile")).to_have_count(len(inside))
    assert shown(page) == inside

    settle(page)
    number, (x, y) = max(page.evaluate(POINTS).items(), key=lambda item: item[1][0])
    assert x > edge
    page.mouse.click(x, y)
    expect(page.locator(".tile")).to_have_count(1)
    assert shown(page) == {f"{number}.png"}
    expect(page.locator(".thaw-large img")).to_be_visible()
