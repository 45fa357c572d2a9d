"""The closed loop in the browser, by keyboard: find a wrong label, fix it, undo, retrain, and see the score move."""

import re
from pathlib import Path

import pytest
from PIL import Image as Picture
from playwright.sync_api import Locator, Page, expect

from tests.browser.harness import PHONE, Server, load_pictures, settle, wait_until
from tests.browser.journey import JOB_MS, look_closer_at_first, see_page
from tests.conftest import COLOURS
from tests.support.pages import add_many_classes
from tests.support.pictures.corpus import photo
from thaw.datasets import edits
from thaw.datasets.run_split import choose_split
from thaw.jobs import starts
from thaw.runs.results import read_predictions
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.evaluation.predictions import find_mistakes
from tlcore.settings import HeadSettings

pytestmark = [pytest.mark.made_up, pytest.mark.kept_profile]

SETTINGS = HeadSettings(image_size=48, epochs=30, batch_size=8, validation_split=0.25, learning_rate=3e-3)
EACH = 16
# 72 as measured; fonts differ by a pixel or two.
SLIM_PX = 80
JOB_S = JOB_MS / 1000


def import_colours(store: Store, folder: Path) -> str:
    """Import three classes of photos that differ in their tint alone; return the data set's id."""
    for number, (label, colour) in enumerate(COLOURS.items()):
        (folder / label).mkdir(parents=True)
        for index in range(EACH):
            scene = photo(3000 + EACH * number + index, 48, 48)
            Picture.blend(scene, Picture.new("RGB", scene.size, colour), 0.6).save(folder / label / f"{index}.png")
    job_id = store.add_job("import", {"kind": "folder", "path": str(folder), "name": "Tints"})
    work(store, job_id)
    dataset_id = store.job(job_id).dataset_id
    assert dataset_id, store.job(job_id).error
    return dataset_id


def plant(store: Store, dataset_id: str) -> Image:
    """Give a photo of berries the class leaf, so that it judges the head; return it as it was."""
    for image in store.images(dataset_id, "berry"):
        edits.move_images(store, dataset_id, [image.id], "leaf")
        if image.id in {each.id for each in choose_split(store, dataset_id, SETTINGS).validation}:
            return image
        edits.undo(store, dataset_id)
    raise AssertionError("no photo of berries would judge the head")


def press(button: Locator) -> None:
    button.focus()
    button.press("Enter")


def close_overlay(page: Page) -> None:
    """Close the photo that is shown large, and wait until its card has the focus again, which it takes from others."""
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".thaw-card:focus")).to_have_count(1)


def test_a_planted_wrong_label_is_found_fixed_and_learnt_from(page: Page, server: Server, tmp_path: Path) -> None:
    store = Store(open_workspace(server.workspace))
    dataset_id = import_colours(store, tmp_path / "photos")
    planted = plant(store, dataset_id)
    run_id = starts.start_head(store, dataset_id, SETTINGS)
    wait_until(lambda: store.run(run_id).result_phase, JOB_S, "the head")
    wait_until(lambda: not store.latest_job(run_id).active, JOB_S, "the end of its job")
    before = read_predictions(store, store.run(run_id))
    assert find_mistakes(before)[0].image_id == planted.id

    page.goto(f"{server.url}/mistakes?run={run_id}")
    see_page(page, "mistakes")
    look_closer_at_first(page)
    expect(page.locator(".thaw-large img").first).to_have_attribute("src", f"/thaw/image/{planted.folder}/{planted.id}")
    expect(page.locator(".thaw-captioned img")).to_have_count(3)
    page.get_by_text("More about this photo").click()
    expect(page.locator(".tile")).to_have_count(5)
    settle(page)
    load_pictures(page)

    press(page.get_by_role("button", name="Exclude it"))
    expect(page.get_by_text("1 fix since this run saw the data set: 1 photo excluded.")).to_be_attached()
    press(page.get_by_role("dialog").get_by_role("button", name="Undo"))
    expect(page.get_by_text("1 fix since this run saw the data set")).to_have_count(0)
    press(page.get_by_role("button", name="Exclude it"))
    expect(page.get_by_text("1 fix since this run saw the data set: 1 photo excluded.")).to_be_attached()
    close_overlay(page)
    undo = page.get_by_test_id("stButton").get_by_role("button", name="Undo")
    press(undo)
    expect(undo).to_have_count(0)
    look_closer_at_first(page)
    page.get_by_text("More about this photo").click()
    press(page.get_by_role("button", name="Move it there"))
    expect(page.get_by_text("1 fix since this run saw the data set: 1 photo moved")).to_be_attached()
    close_overlay(page)
    expect(page.get_by_text("1 fix since this run saw the data set: 1 photo moved")).to_be_in_viewport()
    assert {image.id: image.label for image in store.images(dataset_id)}[planted.id] == "berry"

    press(page.get_by_role("button", name="Retrain the head with these fixes"))
    expect(page.get_by_text("Retrained: the head gets")).to_be_visible(timeout=JOB_MS)
    expect(page.get_by_text("What the fixes brought (1 round)")).to_be_visible()
    assert f"run={run_id}" in page.url
    retrained = store.runs()[0]
    assert retrained.facts.retrained_from == run_id
    after = read_predictions(store, retrained)
    assert after.accuracy > before.accuracy
    assert retrained.facts.warm_start == run_id
    page.reload()
    expect(page.get_by_text("Retrained: the head gets")).to_be_visible()
    press(page.get_by_role("button", name="See the mistakes of the new head"))
    expect(page).to_have_url(re.compile(retrained.id))


def test_several_mistakes_are_excluded_in_the_grid(page: Page, server: Server) -> None:
    store = Store(open_workspace(server.workspace))
    run_id = add_many_classes(store, 9)
    page.goto(f"{server.url}/mistakes?run={run_id}")
    see_page(page, "mistakes")
    page.get_by_text("Fix several at once").click()
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(2)
    tiles.first.focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("x")
    expect(page.get_by_text("2 fixes since this run saw the data set: 2 photos excluded.")).to_be_visible()
    expect(tiles.first).to_contain_text("excluded since")
    assert store.dataset(store.run(run_id).dataset_id).excluded == 2


def test_the_bar_takes_a_line_and_a_button_of_a_phone(page: Page, server: Server) -> None:
    store = Store(open_workspace(server.workspace))
    run_id = add_many_classes(store, 11)
    run = store.run(run_id)
    store.add_facts(run_id, {"dataset_version": store.dataset(run.dataset_id).version})
    edits.exclude_images(store, run.dataset_id, [read_predictions(store, run).images[0].id])
    page.set_viewport_size(PHONE)
    page.goto(f"{server.url}/mistakes?run={run_id}")
    see_page(page, "mistakes")
    settle(page)
    bar = page.locator(".st-key-retrain-bar")
    expect(bar.get_by_text("1 fix since this run saw the data set")).to_be_in_viewport()
    expect(bar.get_by_role("button", name="Retrain the head with these fixes")).to_be_in_viewport(ratio=1)
    height = bar.evaluate("(bar) => bar.getBoundingClientRect().height")
    assert height <= SLIM_PX
    bar.get_by_role("button", name="More").click()
    expect(page.get_by_text("As I go: retrain after every fix")).to_be_visible()
    expect(page.get_by_text("1 photo excluded.").last).to_be_in_viewport(ratio=1)
