"""Goes the way from planted wrong labels to a better model, as a person would, and photographs it for the guide."""

import random
import re
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, expect
from sklearn.datasets import load_digits

from docs.camera import PATIENCE_MS, expander, photograph, photograph_part, photograph_window
from tests.browser.harness import Server, drop, load_pictures, settle, wait_in_page
from tests.browser.journey import await_end, be_expert, look_closer_at_first, open_page, see_page, start_head
from tests.support.pictures.corpus import photo
from thaw.sources.samples import write_digits

WRONG_SHARE = 0.05
DROP_ZONE = '[data-testid="stFileUploaderDropzone"]'


def write_mislabelled_digits(folder: Path) -> Path:
    """Write the sample digits with one in twenty in the folder of another digit; return `folder`."""
    chance = random.Random(0)
    files = sorted(write_digits(folder).rglob("*.png"))
    for file in chance.sample(files, round(WRONG_SHARE * len(files))):
        others = sorted(each.name for each in folder.iterdir() if each.name != file.parent.name)
        file.rename(folder / chance.choice(others) / file.name)
    return folder


def close_the_loop(page: Page, server: Server, photos: Path) -> None:
    """Drop the photos, teach the head, look at what it gets wrong, fix what is mislabelled and watch the score move."""
    page.goto(f"{server.url}/data")
    see_page(page, "data")
    be_expert(page)
    drop(page, photos)
    expect(page.get_by_role("heading", name=photos.name)).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("tab", name="Near-duplicates").click()
    page.get_by_role("button", name="Measure with cross-validation").click()
    page.get_by_role("button", name="Measure again").wait_for(timeout=PATIENCE_MS)
    open_page(page, "head")
    start_head(page)
    await_end(page, PATIENCE_MS)
    open_page(page, "evaluation")
    settle(page)
    photograph(page, "evaluation")
    look_closer(page)
    fix_and_retrain(page)
    see_map(page)
    try_pictures(page, photos.with_name("Strangers"))


def look_closer(page: Page) -> None:
    """Open the worst mistake, by keyboard, with its heat map."""
    open_page(page, "mistakes")
    settle(page)
    look_closer_at_first(page)
    wait_in_page(page, "document.querySelector('.thaw-heat img')?.naturalWidth", PATIENCE_MS / 1000)
    settle(page)
    photograph_window(page, "closer")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def fix_and_retrain(page: Page) -> None:
    """Look through the pictures that are likeliest in the wrong class, give those that are the class that is suggested,
    and learn from that."""
    page.get_by_text("Other photos:").click()
    page.get_by_text("Likely label errors", exact=True).click()
    expect(page.locator(".tile").first).to_be_visible(timeout=PATIENCE_MS)
    load_pictures(page)
    settle(page)
    choose_wrong_ones(page)
    expect(page.get_by_text("None selected")).to_have_count(0)
    photograph(page, "doubted")
    page.keyboard.press("s")
    page.get_by_role("button", name="Retrain the head with these fixes").click()
    page.get_by_text("Retrained: the head gets").wait_for(timeout=PATIENCE_MS)
    page.get_by_text("Worst mistakes first", exact=True).first.click()
    settle(page)
    expect(page.get_by_test_id("stToast")).to_have_count(0, timeout=PATIENCE_MS)
    photograph_part(page, "rounds", page.get_by_role("heading", level=1), expander(page, "What the fixes brought"))
    page.get_by_role("button", name="See the mistakes of the new head").click()
    settle(page)


def choose_wrong_ones(page: Page) -> None:
    """Choose the tiles whose suggestion is what the digit is: what a person sees at a glance, the file number tells."""
    written = load_digits().target
    tiles = page.locator(".tile")
    tiles.first.focus()
    for told in tiles.all_inner_texts():
        number, suggested = re.search(r"(\d{4})\.png", told), re.search(r"perhaps (\d)", told)
        if number and suggested and written[int(number[1])] == int(suggested[1]):
            page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")


def see_map(page: Page) -> None:
    """Make the map of the photos."""
    open_page(page, "map")
    page.get_by_role("button", name="Make the map").click()
    page.locator(".js-plotly-plot").first.wait_for(timeout=PATIENCE_MS)
    settle(page)
    photograph(page, "map")


def try_pictures(page: Page, folder: Path) -> None:
    """Ask the model about pictures that it has never met: two digits, and a photo that is none."""
    write_strangers(folder)
    open_page(page, "try_it")
    drop(page, *sorted(folder.iterdir()), zone=DROP_ZONE)
    page.get_by_text("3 pictures:").wait_for(timeout=PATIENCE_MS)
    settle(page)
    photograph(page, "try_it")


def write_strangers(folder: Path) -> None:
    """Write two digits that a font draws, and a photo of something else."""
    folder.mkdir()
    for digit in "37":
        drawn = Image.new("L", (96, 96))
        ImageDraw.Draw(drawn).text((48, 48), digit, fill=230, font=ImageFont.load_default(72), anchor="mm")
        drawn.save(folder / f"{digit} in print.png")
    photo(3, 320, 240).save(folder / "something else.jpg")
