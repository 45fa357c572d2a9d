"""Makes the pictures of README and the guide again: the journey on the sample digits, and photos with faults put right.

Run it from the repository with `python -m docs.make_screenshots`; it needs what the browser tests need.
"""

import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from docs.faulty_photos import write_faulty_photos
from tests.browser.harness import CONTENT_HEIGHT, DESKTOP, IDLE, Server, drop, load_pictures, open_browser, settle
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
                put_right(browser.pages[0], server, write_faulty_photos(Path(scratch) / "Photos with faults"))
        finally:
            server.stop()


def walk(page: Page, url: str) -> None:
    """Do the main job with the defaults."""
    page.goto(url)
    see_page(page, "data")
    use_digits(page)
    page.wait_for_selector(IDLE)
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


def put_right(page: Page, server: Server, photos: Path) -> None:
    """Import photos with faults, open what the Data page finds, and select some of them."""
    page.goto(server.url)
    see_page(page, "data")
    drop(page, photos)
    expect(page.get_by_role("heading", name=photos.name)).to_be_visible()
    page.get_by_role("tab", name="Health").click()
    page.get_by_text("have nearly the same name").click()
    page.get_by_text("far more than the others").click()
    expect(page.locator(".tile").first).to_be_visible()
    photograph(page, "health")
    page.get_by_role("tab", name="Near-duplicates").click()
    page.get_by_role("button", name="Measure with cross-validation").click()
    page.get_by_role("button", name="Measure again").wait_for(timeout=PATIENCE_MS)
    photograph(page, "duplicates")
    page.get_by_role("tab", name="Pictures").click()
    page.get_by_test_id("stButtonGroup").get_by_text("Edit", exact=True).click()
    expect(page.locator(".tile").first).to_be_visible()
    page.locator(".tile").first.focus()
    for key in ("Space", "ArrowRight", "Space", "ArrowRight", "ArrowRight", "Space"):
        page.keyboard.press(key)
    photograph(page, "editing")


if __name__ == "__main__":
    main()
