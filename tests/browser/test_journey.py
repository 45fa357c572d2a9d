"""The main job from a dropped folder to the worst mistakes, in one browser, with pictures for a person to look at."""

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import CLASS_SIZE, HOSTILE_CLASS
from tests.browser.harness import DESKTOP, PHONE, ROOT, Server, drop, photograph, settle
from tests.browser.journey import (
    CURVE,
    JOB_MS,
    TITLES,
    await_end,
    await_epochs,
    be_expert,
    click_cell,
    click_row,
    epochs_drawn,
    open_matrix,
    open_page,
    save,
    see_page,
    set_numbers,
    start_fine_tune,
    start_head,
)
from thaw.runs.results import read_predictions
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.evaluation.predictions import confusion

IMAGE_SIZE = 96
LONG = 1000
LAYERS = 12
# 1,280 features to each of three classes, and a bias.
HEAD_PARAMETERS = "3.8 k"


def test_the_whole_journey(page: Page, server: Server, photos: Path, tmp_path: Path) -> None:
    store = Store(open_workspace(server.workspace))
    add_photos(page, photos)
    choose_backbone(page)
    train_head_and_refresh(page)
    fine_tune(page)
    look_at_mistakes(page, store, tmp_path)
    photograph_all(page)


def add_photos(page: Page, photos: Path) -> None:
    see_page(page, "data")
    # The journey reads what an expert reads.
    be_expert(page)
    drop(page, photos)
    metric = page.get_by_test_id("stMetric")
    expect(metric.filter(has_text="Images accepted")).to_contain_text(str(3 * CLASS_SIZE), timeout=JOB_MS)
    expect(metric.filter(has_text="Classes")).to_contain_text("3")
    expect(metric.filter(has_text="Set aside")).to_contain_text("2")
    expect(page.get_by_role("heading", name="my photos")).to_be_visible()
    expect(page.get_by_text(HOSTILE_CLASS, exact=True).first).to_be_visible()
    slider = page.get_by_role("slider", name="Validation share")
    slider.press("ArrowRight")
    expect(page.get_by_text("45 images to learn from, 15 held out")).to_be_visible()
    page.get_by_role("tab", name="Set aside (2)").click()
    table = page.get_by_test_id("stDataFrame").first
    expect(table.locator("canvas").first).to_be_visible()
    for name in ("notes.jpg", "cut.jpg"):
        expect(table.locator("td", has_text=name)).to_have_count(1)


def choose_backbone(page: Page) -> None:
    open_page(page, "backbone")
    for number, name in ((1, "EfficientNet-Lite1"), (0, "EfficientNet-Lite0")):
        click_row(page, number)
        expect(page.get_by_text(f"{name} sees")).to_be_visible()
    expect(page.get_by_text("Training will run on the")).to_be_visible()


def train_head_and_refresh(page: Page) -> None:
    open_page(page, "head")
    expect(page.get_by_text("25% of each class")).to_have_count(1)
    set_numbers(page, anew=True, Epochs=LONG, Patience=LONG, Image=IMAGE_SIZE)
    start_head(page)
    await_epochs(page, 3)
    zoom_survives(page)
    before = epochs_drawn(page)
    page.reload()
    see_page(page, "head")
    await_epochs(page, before + 2)
    assert "run=run-" in page.url
    second = page.context.new_page()
    second.goto(page.url)
    await_epochs(second, before + 2)
    expect(second.get_by_role("button", name="Pause")).to_be_visible()
    second.close()
    page.get_by_role("button", name="Pause").click()
    await_end(page)
    expect(page.get_by_text("Paused, as you asked")).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_text("The head gets")).to_be_visible()


def zoom_survives(page: Page) -> None:
    """Drag a box over the live curve: new epochs must neither undo the zoom nor draw the figure anew."""
    plot = page.locator(CURVE)
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.4 * box["height"], steps=5)
    page.mouse.up()
    watch = f"""() => {{
        const plot = document.querySelector('{CURVE}');
        plot.seen = 'the same';
        const low = () => {{
            let least = 1;
            for (let node = plot; node; node = node.parentElement) {{
                least = Math.min(least, getComputedStyle(node).opacity);
            }}
            return least;
        }};
        window.least = low();
        const look = () => {{ window.least = Math.min(window.least, low()); requestAnimationFrame(look); }};
        look();
        return plot._fullLayout.xaxis.range;
    }}"""
    zoomed = page.evaluate(watch)
    assert zoomed[0] > 1
    await_epochs(page, epochs_drawn(page) + 3)
    look = f"(({{ seen, _fullLayout }}) => [seen, _fullLayout.xaxis.range])(document.querySelector('{CURVE}'))"
    assert page.evaluate(look) == ["the same", zoomed]
    assert page.evaluate("window.least") == 1


def fine_tune(page: Page) -> None:
    open_page(page, "finetune")
    page.get_by_text("Expert settings").click()
    slider = page.get_by_role("slider", name="Top layers")
    parameters = page.get_by_test_id("stMetric").filter(has_text="Trainable parameters")
    slider.press("Home")
    expect(parameters.get_by_test_id("stMetricValue")).to_have_text(HEAD_PARAMETERS)
    for _ in range(LAYERS):
        slider.press("ArrowUp")
    expect(slider).to_have_value(str(LAYERS))
    expect(parameters.get_by_test_id("stMetricValue")).not_to_have_text(HEAD_PARAMETERS)
    start_fine_tune(page)
    await_end(page)
    expect(page.get_by_text("Fine-tuning").filter(has_text="this run's result").first).to_be_visible()
    page.get_by_text("Curves of both phases").click()
    expect(page.locator(CURVE).get_by_text("fine-tuning")).to_have_count(1)


def look_at_mistakes(page: Page, store: Store, folder: Path) -> None:
    open_page(page, "mistakes")
    run = store.runs()[0]
    matrix = confusion(read_predictions(store, run))
    settle(page)
    open_matrix(page)
    settle(page)
    # The training was paused at a time of its own choice: any class may have no photo right.
    best = int(np.argmax(np.diag(matrix)))
    click_cell(page, best, best)
    expect(page.get_by_role("heading", name="These it gets right")).to_be_visible()
    expect(page.locator(".thaw-card")).to_have_count(min(12, int(matrix[best, best])))
    picture = save(page, page.get_by_role("button", name="Gallery as PNG"), folder)
    with Image.open(picture) as drawn:
        drawn.load()
        assert drawn.format == "PNG"
    table = save(page, page.get_by_role("button", name="Table as CSV"), folder)
    with table.open(encoding="utf-8-sig", newline="") as lines:
        assert len(list(csv.DictReader(lines))) == matrix[best, best]
    with Image.open(save(page, page.get_by_role("button", name="PNG", exact=True), folder)) as figure:
        assert figure.format == "PNG"
    figure = save(page, page.get_by_role("button", name="SVG", exact=True), folder)
    assert ET.parse(figure).getroot().tag.endswith("svg")


def photograph_all(page: Page) -> None:
    """Every page on both devices, read anew from its address; and as the menu brings it, in the dark on a desktop."""
    for scheme, sizes in (("light", (("desktop", DESKTOP), ("phone", PHONE))), ("dark", (("desktop", DESKTOP),))):
        page.emulate_media(color_scheme=scheme)
        page.reload()
        for name in TITLES:
            open_page(page, name)
            if scheme == "light":
                page.reload()
                see_page(page, name)
            for kind, viewport in sizes:
                path = ROOT / "screenshots" / f"{name}-{kind}-{scheme}.png"
                photograph(page, path, viewport)
                too_wide = "document.querySelector('[data-testid=\"stMain\"]').scrollWidth - innerWidth"
                assert page.evaluate(too_wide) <= 0, f"{name} scrolls sideways on a {kind}"
            page.set_viewport_size(DESKTOP)
