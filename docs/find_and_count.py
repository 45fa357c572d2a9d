"""Goes the way from photos with boxes to things that are found and counted, and photographs it for the guide."""

from pathlib import Path

from playwright.sync_api import Page, expect

from docs.camera import PATIENCE_MS, photograph, photograph_part, photograph_window
from tests.browser.harness import IDLE, Server, drop, load_pictures, settle
from thaw.sources.object_sample import write_objects

DROP_ZONE = '[data-testid="stFileUploaderDropzone"]'
WHOLE_PX = 1500
# Whose exam photos are put together otherwise than those that have judged.
OTHER_PHOTOS, OTHER_SEED = 10, 1


def find_and_count(page: Page, server: Server, folder: Path) -> None:
    """Import the sample, look at its boxes, teach a detector, see what it finds, and count on other photos."""
    page.goto(f"{server.url}/find?expert=0")
    page.get_by_role("button", name="Try an example").click()
    start = page.get_by_role("button", name="Learn to find them (train)")
    start.wait_for(timeout=PATIENCE_MS)
    see_boxes(page)
    start.click()
    page.get_by_role("heading", name="How well it counts").wait_for(timeout=PATIENCE_MS)
    see_found(page)
    count(page, folder)


def see_boxes(page: Page) -> None:
    """Open the editor on the first photo, and come back."""
    page.get_by_test_id("stMain").get_by_role("link", name="Draw boxes", exact=True).click()
    page.get_by_role("heading", name="Draw boxes", level=1).wait_for()
    expect(page.locator(".box").first).to_be_visible()
    load_pictures(page)
    photograph_window(page, "boxes")
    page.get_by_role("link", name="On to Find and count").click()


def see_found(page: Page) -> None:
    """Photograph the score, the counts and the worst mistakes."""
    page.wait_for_selector(IDLE)
    settle(page)
    photograph(page, "find", WHOLE_PX)


def count(page: Page, folder: Path) -> None:
    """Drop other photos, and photograph what is counted on them."""
    photos = sorted((write_objects(folder, OTHER_PHOTOS, OTHER_SEED) / "valid").glob("*.jpg"))
    drop(page, *photos, zone=DROP_ZONE)
    table = page.get_by_role("button", name="Counts as CSV")
    table.wait_for(timeout=PATIENCE_MS)
    photograph_part(page, "counted", page.get_by_role("heading", name="Count on new pictures"), table)
