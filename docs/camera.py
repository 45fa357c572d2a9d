"""Photographs pages of the dashboard, and parts of them, for README and the guide."""

from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page

from tests.browser.harness import CONTENT_HEIGHT, DESKTOP, load_pictures, settle, wait_in_page

FOLDER = Path(__file__).parent / "images"
TALLEST_PX = 1620
COLOURS = 256
PATIENCE_MS = 900_000
MARGIN_PX = 12
STILL = """document.getAnimations().every(
    (each) => each.playState !== "running" || each.effect.getTiming().iterations === Infinity
)"""


def photograph(page: Page, name: str, tallest_px: int = TALLEST_PX) -> None:
    """Save a page, from its top down to at most `tallest_px`, as a small PNG."""
    unroll(page, tallest_px)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    page.set_viewport_size(DESKTOP)
    shrink(path)


def photograph_window(page: Page, name: str) -> None:
    """Save what the window shows, with what lies over the page, as a small PNG."""
    wait_in_page(page, STILL)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    shrink(path)


def photograph_part(page: Page, name: str, first: Locator, last: Locator) -> None:
    """Save what lies between two elements of a page, both included, as a small PNG."""
    unroll(page)
    upper, lower = first.bounding_box(), last.bounding_box()
    column = page.get_by_test_id("stMainBlockContainer").locator("> div").first.bounding_box()
    assert upper
    assert lower
    assert column
    top, bottom = upper["y"] - MARGIN_PX, lower["y"] + lower["height"] + MARGIN_PX
    path = FOLDER / f"{name}.png"
    page.screenshot(
        path=path,
        clip={
            "x": column["x"] - MARGIN_PX,
            "y": top,
            "width": column["width"] + 2 * MARGIN_PX,
            "height": bottom - top,
        },
    )
    page.set_viewport_size(DESKTOP)
    shrink(path)


def unroll(page: Page, tallest_px: int | None = None) -> None:
    """Make the window as high as the page, or as `tallest_px`, with all that is in it drawn and nothing moving."""
    settle(page)
    wait_in_page(page, STILL)
    page.get_by_test_id("stMain").evaluate("each => each.scrollTo(0, 0)")
    height = page.evaluate(CONTENT_HEIGHT) + 60
    page.set_viewport_size({"width": DESKTOP["width"], "height": min(height, tallest_px or height)})
    settle(page)
    load_pictures(page)


def shrink(path: Path) -> None:
    """Save a PNG again with few colours, those of small marks among them."""
    few = Image.open(path).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, 1, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def expander(page: Page, words: str) -> Locator:
    """Find the part of a page that opens at a line with those words."""
    return page.get_by_test_id("stExpander").filter(has_text=words).first
