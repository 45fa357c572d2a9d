"""Makes README's pictures again: the whole journey on the sample digits, in a real browser.

Run it from the repository with `python -m docs.make_screenshots`; it needs what the browser tests need.
"""

import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.browser.harness import CONTENT_HEIGHT, DESKTOP, Server, load_pictures, open_browser, settle
from tests.browser.journey import (
    await_end,
    await_epochs,
    open_page,
    see_page,
    start_fine_tune,
    start_head,
    use_digits,
)

FOLDER = Path(__file__).parent / "images"
TALLEST_PX = 1620
COLOURS = 128
EPOCHS_TO_SEE = 8
PATIENCE_MS = 900_000


def photograph(page: Page, name: str) -> None:
    """Save a page as a small PNG."""
    settle(page)
    height = min(page.evaluate(CONTENT_HEIGHT) + 60, TALLEST_PX)
    page.set_viewport_size({"width": DESKTOP["width"], "height": height})
    settle(page)
    load_pictures(page)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    page.set_viewport_size(DESKTOP)
    Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Go through the journey and photograph each page on the way."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        server = Server(Path(scratch) / "workspace")
        server.start()
        try:
            with open_browser(playwright, Path(scratch) / "profile") as browser:
                walk(browser.pages[0], server.url)
        finally:
            server.stop()


def walk(page: Page, url: str) -> None:
    """Do the main job with the defaults."""
    page.goto(url)
    see_page(page, "data")
    use_digits(page)
    page.get_by_text("Other ways: a path on this machine").click()
    page.get_by_role("button", name="Use the sample digits").wait_for(state="hidden")
    photograph(page, "data")
    open_page(page, "backbone")
    page.get_by_text("Training will run on the").wait_for()
    photograph(page, "backbone")
    open_page(page, "head")
    start_head(page)
    await_epochs(page, EPOCHS_TO_SEE)
    photograph(page, "head")
    await_end(page, PATIENCE_MS)
    open_page(page, "finetune")
    start_fine_tune(page)
    await_end(page, PATIENCE_MS)
    photograph(page, "finetune")
    open_page(page, "mistakes")
    settle(page)
    photograph(page, "mistakes")


if __name__ == "__main__":
    main()
