"""The steps of the main job as a person does them in the browser, shared by the tests and README's pictures."""

import re
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Locator, Page, Position, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import TimeoutError as TookTooLong

from pages.ui.components.expert import expert
from tests.browser.harness import IDLE, PATIENCE_MS, PATIENCE_S, wait_in_page, wait_until

JOB_MS = 300_000
# A click on what is in sight; a longer wait is for what is gone.
SOON_MS = 5_000
ROW_PX = 35
TITLES = {
    "studio": "Studio",
    "data": "Data",
    "backbone": "Backbone",
    "head": "Head",
    "finetune": "Fine-tune",
    "mistakes": "Mistakes",
    "evaluation": "Evaluation",
    "map": "Map",
    "try_it": "Try it",
    "compare": "Compare",
    "history": "History",
    "export": "Take it with you",
    "disk": "Disk",
    "pile": "Pile",
    "find": "Find and count",
}
# What the menu shows at once; the others are a click away, in one of its groups.
FINE_TUNE = re.compile("Start fine-tuning|Let the eye adapt")
STORY, STEPS = ("studio", "mistakes", "export"), ("data", "backbone", "head", "finetune")
CURVE = '[class*="st-key-curve-"] .js-plotly-plot'
EPOCHS_DRAWN = f"(document.querySelector('{CURVE}')?.data?.[0]?.x?.length ?? 0)"


def open_page(page: Page, name: str) -> None:
    """Go to a page by the menu, as a click there does; what was chosen is kept."""
    if name not in STORY:
        group = "Step by step" if name in STEPS else "More"
        page.get_by_test_id("stTopNavSection").filter(has=page.get_by_text(group, exact=True)).click()
        page.get_by_test_id("stTopNavDropdownLink").filter(has=page.get_by_text(TITLES[name], exact=True)).click()
    else:
        page.get_by_role("link", name=TITLES[name], exact=True).first.click()
    see_page(page, name)


def see_page(page: Page, name: str) -> None:
    """Wait until a page is there and its script has run."""
    expect(page.get_by_role("heading", name=TITLES[name], exact=True, level=1)).to_be_visible()
    page.wait_for_selector(IDLE)


def look_closer_at_first(page: Page) -> None:
    """Open the first photo of the Mistakes page, by keyboard."""
    page.locator(".thaw-card").first.press("Enter")
    page.locator(".thaw-large img").first.wait_for()


def open_matrix(page: Page) -> None:
    """Open the drawer of the Mistakes page in which the confusion matrix is."""
    page.get_by_text("confusion matrix").first.click()
    page.locator(".thaw-plot").first.wait_for()


def click_row(page: Page, number: int, at_px: int = 100) -> None:
    """Click a row of the page's first table, so far from its left edge."""
    table = page.get_by_test_id("stDataFrame").first.locator(".dvn-scroller")
    table.click(position={"x": at_px, "y": (number + 1.5) * ROW_PX})


def use_digits(page: Page) -> None:
    """Import the built-in sample."""
    # A line of its own before there are photos, and a button beside the drop zone from then on.
    page.get_by_text("Other ways").click()
    page.get_by_role("button", name="Use the sample digits").click()
    expect(page.get_by_text("Images accepted")).to_be_visible(timeout=JOB_MS)


def be_expert(page: Page) -> None:
    """Switch the field's terms, tables and figures on, for this profile."""
    switch = page.get_by_role("switch", name="Expert")
    if not switch.is_checked():
        page.get_by_text("Expert", exact=True).click()
        expect(switch).to_be_checked()
        await_depth(page, "1")


def await_depth(page: Page, value: str) -> None:
    """Wait until the page is drawn for a choice of Expert, "1" or "0", and the browser keeps that."""
    wait_in_page(page, f"document.cookie.includes('{expert.COOKIE}={value}')")
    page.wait_for_selector(IDLE)


def draw_anew(page: Page) -> None:
    """Have every epoch draw new views of the photos, in the open options of an expert: each goes through the backbone
    anew, so that no machine gets through a thousand epochs while a test looks at them."""
    offered = page.get_by_role("combobox", name="Augmentation")
    light = page.get_by_role("option", name="Light, never mirrored")

    def choose() -> bool:
        # A page that is drawn once more meanwhile closes the list, also between a look and the click.
        if not light.is_visible():
            offered.press("ArrowDown")
            return False
        with suppress(TookTooLong):
            light.click(timeout=SOON_MS)
            return True
        return False

    wait_until(choose, PATIENCE_S, "the list of augmentations")
    page.get_by_text("Draw new views in every epoch").click()
    expect(page.get_by_text("phase 2 draws anew as well")).to_be_visible()
    page.wait_for_selector(IDLE)


def set_numbers(page: Page, *, anew: bool = False, **values: int) -> None:
    """Type into number inputs of an expert's options, named by the first word of their label; where `anew`, have every
    epoch draw new views first."""
    be_expert(page)
    page.get_by_text("Options", exact=True).click()
    if anew:
        draw_anew(page)
    for word, value in values.items():
        field = page.get_by_role("spinbutton", name=word)
        field.fill(str(value))
        field.press("Enter")
        expect(field).to_have_value(str(value))
    page.wait_for_selector(IDLE)


def start_head(page: Page) -> None:
    """Start phase 1 and wait until the page shows that it goes on."""
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def start_fine_tune(page: Page) -> None:
    """Start phase 2, insisting where the guard refuses, and wait until the page shows that it goes on."""
    button = page.get_by_role("button", name=FINE_TUNE)
    expect(button).to_be_visible()
    page.wait_for_selector(IDLE)
    if button.is_disabled():
        page.get_by_text("I know what I am doing").click()
        expect(button).to_be_enabled()
    button.click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def await_end(page: Page, limit_ms: int = JOB_MS) -> None:
    """Wait until the job of the page has ended."""
    expect(page.get_by_role("button", name="Pause")).to_have_count(0, timeout=limit_ms)
    page.wait_for_selector(IDLE)


def await_epochs(page: Page, number: int) -> int:
    """Wait until the curve on the page has at least `number` epochs; return how many it has."""
    wait_in_page(page, f"{EPOCHS_DRAWN} >= {number}", JOB_MS / 1000)
    return epochs_drawn(page)


def epochs_drawn(page: Page) -> int:
    """Return how many epochs the curve on the page has."""
    return page.evaluate(EPOCHS_DRAWN)


def click_cell(page: Page, true: int, predicted: int) -> None:
    """Click a cell of the confusion matrix."""
    layer, place = hover_cell(page, true, predicted)
    layer.click(position=place)


def hover_cell(page: Page, true: int, predicted: int) -> tuple[Locator, Position]:
    """Hold the mouse over a cell of the confusion matrix, found by the figure's own axes; return where that is."""
    plot = """document.querySelector('[class*="st-key-confusion-"] .js-plotly-plot')"""
    wait_in_page(page, f"!!{plot}?._fullLayout?.xaxis?.l2p")
    layer = page.locator('[class*="st-key-confusion-"] .nsewdrag').first
    place = page.evaluate(
        """([true_, predicted]) => {
            const { xaxis, yaxis } = document.querySelector('[class*="st-key-confusion-"] .js-plotly-plot')._fullLayout;
            return { x: xaxis.l2p(predicted), y: yaxis.l2p(true_) };
        }""",
        [true, predicted],
    )
    layer.hover(position=place)
    return layer, place


def save(page: Page, trigger: Locator, folder: Path) -> Path:
    """Click what starts a download; return the file. A click that a page drawn again just then missed is made again."""
    try:
        with page.expect_download(timeout=PATIENCE_MS / 3) as coming:
            trigger.click()
    except PlaywrightTimeout:
        with page.expect_download(timeout=PATIENCE_MS) as coming:
            trigger.click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def name_kind(page: Page, kind: str) -> None:
    """Answer the box editor's first question."""
    page.get_by_label("What do you want to find and count?").fill(kind)
    page.get_by_role("button", name="Start drawing").click()


def draw_box(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag a box over the photo in the box editor, from one place to another, both as shares of it."""
    photo = page.locator(".stage img").bounding_box()
    assert photo
    places = [(photo["x"] + x * photo["width"], photo["y"] + y * photo["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=3)
    page.mouse.up()
