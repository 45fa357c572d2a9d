"""Makes the pictures of README and the guide again: the journey and the trials on photos of six kinds, mislabelled
digits, things that are found and counted, and photos with faults put right.

Run it from the repository with `python -m docs.make_screenshots`; it needs what the browser tests need.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from docs.camera import FOLDER, PATIENCE_MS, expander, photograph, photograph_part
from docs.closed_loop import close_the_loop, write_mislabelled_digits
from docs.faulty_photos import write_faulty_photos
from docs.find_and_count import find_and_count
from docs.scenes import write_scenes
from tests.browser.harness import IDLE, Server, drop, open_browser, settle
from tests.browser.journey import (
    await_end,
    await_epochs,
    be_expert,
    open_page,
    see_page,
    start_fine_tune,
    start_head,
)

WHOLE_PX = 2100
EPOCHS_TO_SEE = 8


def main() -> None:
    """Go through the journey and photograph each page on the way."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        server = Server(Path(scratch) / "workspace")
        server.start()
        try:
            with open_browser(playwright, Path(scratch) / "profile") as browser:
                walk(browser.pages[0], server.url, write_scenes(Path(scratch) / "Postcards"))
                try_out(browser.pages[0])
                close_the_loop(
                    browser.pages[0], server, write_mislabelled_digits(Path(scratch) / "Digits, some mislabelled")
                )
                find_and_count(browser.pages[0], server, Path(scratch) / "Other photos")
                put_right(browser.pages[0], server, write_faulty_photos(Path(scratch) / "Photos with faults"))
        finally:
            server.stop()


def walk(page: Page, url: str, photos: Path) -> None:
    """Do the main job with the defaults."""
    page.goto(f"{url}/data")
    see_page(page, "data")
    drop(page, photos)
    expect(page.get_by_role("heading", name=photos.name)).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_selector(IDLE)
    photograph(page, "data")
    open_page(page, "backbone")
    page.wait_for_selector(IDLE)
    photograph(page, "backbone")
    open_page(page, "head")
    start_head(page)
    await_epochs(page, EPOCHS_TO_SEE)
    photograph(page, "head")
    await_end(page, PATIENCE_MS)
    open_page(page, "finetune")
    start_fine_tune(page)
    await_end(page, PATIENCE_MS)
    photograph(page, "finetune", WHOLE_PX)
    open_page(page, "mistakes")
    settle(page)
    photograph(page, "mistakes")


def try_out(page: Page) -> None:
    """Search a learning rate, look at the checks, try depths, fine-tune at the one advised, compare both runs,
    see them in the history, and export one."""
    open_page(page, "head")
    be_expert(page)
    page.get_by_text("Find a learning rate").click()
    page.get_by_role("button", name="Search a learning rate").click()
    page.get_by_role("button", name="Search again").wait_for(timeout=PATIENCE_MS)
    photograph_part(page, "rates", page.get_by_role("heading", level=1), expander(page, "Find a learning rate"))
    page.get_by_text("Is this head to be trusted?").click()
    page.get_by_text("Better than chance").wait_for()
    photograph_part(page, "checks", *2 * [expander(page, "Is this head to be trusted?")])
    open_page(page, "finetune")
    page.get_by_text("Expert settings").click()
    page.get_by_text("Which depth?").click()
    page.get_by_role("button", name="Try several depths").click()
    page.get_by_role("button", name="Try again").wait_for(timeout=PATIENCE_MS)
    photograph_part(page, "probe", *2 * [expander(page, "Which depth?")])
    page.get_by_text("Last block", exact=True).click()
    page.get_by_text("VGG16's last block").wait_for()
    photograph_part(page, "slider", page.locator(".ice"), page.get_by_role("button", name="Start fine-tuning"))
    page.get_by_role("button", name="Use ").click()
    page.get_by_text("VGG16's last block").wait_for(state="detached")
    settle(page)
    start_fine_tune(page)
    await_end(page, PATIENCE_MS)
    open_page(page, "compare")
    page.get_by_role("heading", name="What differs").wait_for()
    photograph(page, "compare")
    open_page(page, "history")
    page.get_by_text("Tick one run to take it along").wait_for()
    photograph(page, "history")
    open_page(page, "export")
    page.get_by_role("button", name="Export and prove").click()
    page.get_by_text("Download all as one zip").wait_for(timeout=PATIENCE_MS)
    photograph(page, "export", WHOLE_PX)


def put_right(page: Page, server: Server, photos: Path) -> None:
    """Import photos with faults, open what the Data page finds, and select some of them."""
    page.goto(f"{server.url}/data")
    see_page(page, "data")
    be_expert(page)
    drop(page, photos)
    # Names that are nearly the same are asked about; here they are to be found in what has been imported.
    page.get_by_role("button", name="Keep them apart").click()
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
