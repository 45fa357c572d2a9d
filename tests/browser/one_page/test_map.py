"""The map in the browser: a lasso drawn with the mouse shows exactly the photos inside it, a click shows one large."""

from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from pages.ui.mistakes.map_points import MOST_DRAWN
from tests.browser.harness import Server, settle, wait_in_page
from tests.browser.journey import see_page
from tests.support.maps import add_large_map, make_map
from tests.support.pages import add_many_classes
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

pytestmark = [pytest.mark.made_up, pytest.mark.kept_profile]

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
# Where a place of the map lies on the screen.
ON_SCREEN = """(places) => {
    const plot = document.querySelector('.js-plotly-plot');
    const { xaxis, yaxis } = plot._fullLayout;
    const { left, top } = plot.getBoundingClientRect();
    return places.map(([x, y]) => [left + xaxis._offset + xaxis.l2p(x), top + yaxis._offset + yaxis.l2p(y)]);
}"""


def shown(page: Page) -> set[str]:
    """Return the names of the photos in the gallery."""
    return set(page.locator(".tile .name").all_inner_texts())


def draw_around(page: Page, corners: list[tuple[float, float]]) -> None:
    """Draw a lasso through some places of the screen."""
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=4)
    page.mouse.up()


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

    left, top, bottom = left - 8, top - 8, bottom + 8
    draw_around(page, [(left, top), (edge, top), (edge, bottom), (left, bottom), (left, top + 8)])
    expect(page.locator(".tile")).to_have_count(len(inside))
    assert shown(page) == inside

    settle(page)
    number, (x, y) = max(page.evaluate(POINTS).items(), key=lambda item: item[1][0])
    assert x > edge
    page.mouse.click(x, y)
    expect(page.locator(".tile")).to_have_count(1)
    assert shown(page) == {f"{number}.png"}
    expect(page.locator(".thaw-large img")).to_be_visible()


def test_a_lasso_on_a_large_map_takes_in_what_is_not_drawn_and_leaves_out_a_hidden_class(
    page: Page, server: Server
) -> None:
    store = Store(open_workspace(server.workspace))
    run_id = add_large_map(store, 5_000)
    page.goto(f"{server.url}/map?run={run_id}")
    see_page(page, "map")
    settle(page)
    assert len(page.evaluate(POINTS)) == MOST_DRAWN
    # Thirty columns and ten rows of a hundred and fifty lie within, each by half a step.
    right, top = 29.5 / 50 - 0.99, 9.5 / 50 - 0.99
    page.locator(".thaw-save").scroll_into_view_if_needed()
    group = page.get_by_role("combobox", name="Photos below")
    corners = page.evaluate(ON_SCREEN, [[-1, -1], [right, -1], [right, top], [-1, top], [-1, -0.99]])
    draw_around(page, corners)
    expect(group).to_have_value("What I mark on the map")
    expect(page.get_by_text("300 photos", exact=True)).to_be_visible()
    settle(page)
    page.locator(".legendtoggle").first.click()
    # A second click within this time would be a double click, which hides all others.
    wait_in_page(page, "document.querySelector('.js-plotly-plot')._fullData[0].visible === 'legendonly'")
    draw_around(page, corners)
    # Half of them, and one of the other class whose ring is still there.
    expect(page.get_by_text("151 photos", exact=True)).to_be_visible()
