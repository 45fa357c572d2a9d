"""What is taken for what, in the browser: names and counts on hover, and a table where the classes are very many."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pages.ui.figures import confusion_figure
from pages.ui.page.shell import find_modules
from tests.browser.harness import Server, settle, wait_in_page
from tests.browser.journey import click_cell, click_row, hover_cell, open_matrix, open_page, see_page
from tests.support.pages import add_many_classes
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.settings import HeadSettings
from tlcore.training.history import Epoch

pytestmark = pytest.mark.made_up

MARKER_PX = 20
SECOND_THOUGHTS_MS = 500
COUNT_DRAWINGS = """
window.drawings = 0;
let library;
Object.defineProperty(window, "Plotly", {
    get: () => library,
    set: (loaded) => {
        library = loaded;
        for (const [owner, name] of [[loaded, "react"], [loaded.Plots, "resize"]]) {
            const draw = owner[name];
            owner[name] = (...given) => { window.drawings += 1; return draw(...given); };
        }
    },
});
"""


@pytest.mark.parametrize("classes", [12, 60])
def test_hover_names_the_classes_and_the_count(page: Page, server: Server, classes: int) -> None:
    run_id = add_many_classes(Store(open_workspace(server.workspace)), classes)
    page.goto(f"{server.url}/mistakes?run={run_id}")
    see_page(page, "mistakes")
    assert page.locator(".thaw-plot").count() == 0
    open_matrix(page)
    settle(page)
    hover_cell(page, true=1, predicted=7)
    told = page.locator(".hoverlayer .hovertext")
    for words in ("true class 001", "predicted class 007", "images: 1"):
        expect(told).to_contain_text(words)
    for axis in ("x", "y"):
        expect(page.locator(f".thaw-plot .{axis}tick text")).to_have_count(classes)
    last = page.locator(".thaw-plot .xtick text").last
    expect(last).to_have_text(f"class {classes - 1:03d}")
    name, whole = last.bounding_box(), page.locator(".thaw-plot").bounding_box()
    assert name
    assert whole
    assert name["x"] + name["width"] <= whole["x"] + whole["width"]
    assert name["y"] + name["height"] <= whole["y"] + whole["height"]


def test_a_row_of_the_pairs_filters_the_gallery(page: Page, server: Server) -> None:
    run_id = add_many_classes(Store(open_workspace(server.workspace)), confusion_figure.MOST_CLASSES + 1)
    page.goto(f"{server.url}/mistakes?run={run_id}")
    see_page(page, "mistakes")
    cards = page.locator(".thaw-card")
    expect(cards).to_have_count(2)
    page.get_by_text("confusion matrix").first.click()
    click_row(page, 1, MARKER_PX)
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text("class 001")
    expect(page.locator(".thaw-plot")).to_have_count(0)


def test_what_other_pages_need_is_loaded_before_the_first_of_them_is_opened(page: Page) -> None:
    wait_in_page(page, "window.Plotly")
    assert page.locator(".thaw-plot").count() == 0
    assert page.locator("script[src*='plotly']").count() == 1
    loaded = 'performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname)'
    wait_in_page(page, f"{json.dumps(find_modules())}.every((path) => {loaded}.includes(path))")


def test_figures_are_drawn_once_each_those_below_the_window_too(page: Page, server: Server, tmp_path: Path) -> None:
    run_id = add_many_classes(Store(open_workspace(server.workspace)), 13)
    page.add_init_script(COUNT_DRAWINGS)
    page.goto(f"{server.url}/evaluation?run={run_id}&expert=1")
    see_page(page, "evaluation")
    settle(page)
    figures = page.locator(".thaw-plot").count()
    assert figures > 2
    # Long enough for one that would be drawn again for its size.
    page.wait_for_timeout(SECOND_THOUGHTS_MS)
    assert page.evaluate("window.drawings") == figures
    page.set_viewport_size({"width": 500, "height": 800})
    settle(page)
    assert page.evaluate("window.drawings") >= 2 * figures
    with page.expect_download() as download:
        page.get_by_role("button", name="SVG").last.click()
    download.value.save_as(tmp_path / "last.svg")
    assert (tmp_path / "last.svg").read_text().startswith("<svg")


def test_no_two_ticks_of_a_narrow_range_say_the_same(page: Page, server: Server) -> None:
    store = Store(open_workspace(server.workspace))
    dataset_id = store.run(add_many_classes(store, 14)).dataset_id
    run_id = store.add_run(dataset_id, "efficientnet-lite0", HeadSettings().to_json())
    store.update_job(store.add_job("head", {}, dataset_id, run_id), status="stopped")
    for number, accuracy in enumerate((0.961, 0.97, 0.979), 1):
        store.add_epochs(run_id, [Epoch(number, 1, 0.1, accuracy, 0.1, accuracy, 0.5)])
    page.goto(f"{server.url}/head?run={run_id}")
    see_page(page, "head")
    settle(page)
    ticks = page.locator(".thaw-plot .ytick text")
    expect(ticks.first).to_be_visible()
    shares = [tick for tick in ticks.all_text_contents() if tick.endswith("%")]
    assert len(shares) > 2
    assert len(set(shares)) == len(shares)


def test_the_keyboard_goes_from_cell_to_cell_hears_each_and_opens_it(page: Page, server: Server) -> None:
    run_id = add_many_classes(Store(open_workspace(server.workspace)), 15)
    page.goto(f"{server.url}/mistakes?run={run_id}")
    see_page(page, "mistakes")
    open_matrix(page)
    settle(page)
    cell = page.locator(".thaw-cell")
    page.get_by_role("button", name="PNG", exact=True).press("Shift+Tab")
    expect(cell).to_be_focused()
    expect(cell).to_have_accessible_name("class 000: 0 photos right")
    for key in ("ArrowDown", *7 * ["ArrowRight"]):
        page.keyboard.press(key)
    expect(page.locator(".thaw-spoken")).to_have_text("class 001 taken for class 007: 1 photo")
    ring = cell.bounding_box()
    assert ring
    page.mouse.move(ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2)
    for words in ("true class 001", "predicted class 007"):
        expect(page.locator(".hoverlayer .hovertext")).to_contain_text(words)
    page.keyboard.press("Enter")
    expect(page.locator(".thaw-card")).to_have_count(1)
    expect(page.locator(".thaw-card")).to_contain_text("class 001")


def test_a_cell_opens_after_evaluation_a_pair_and_the_way_back_to_all(page: Page, server: Server) -> None:
    run_id = add_many_classes(Store(open_workspace(server.workspace)), 23)
    page.goto(f"{server.url}/evaluation?run={run_id}&expert=1")
    see_page(page, "evaluation")
    open_page(page, "mistakes")
    open_matrix(page)
    page.get_by_role("button", name="class 000 taken for class 007").click()
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_role("button", name="Show all")).to_have_count(0)
    click_cell(page, true=1, predicted=7)
    expect(page.locator(".thaw-card")).to_have_count(1)
    expect(page.locator(".thaw-card")).to_contain_text("class 001")
