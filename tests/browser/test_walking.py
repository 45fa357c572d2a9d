"""The walk through the mistakes in the browser, by keyboard: forth and back, relabelled, excluded, undone."""

import json

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.harness import DESKTOP, PHONE, Server, settle
from tests.browser.journey import click_cell, look_closer_at_first, open_page, see_page
from tests.support.pages import add_many_classes
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

pytestmark = [pytest.mark.made_up, pytest.mark.kept_profile]

WRONG = 14


def add_mistakes(server: Server, classes: int) -> tuple[Store, str]:
    """A run that takes the first fourteen of its images for the last class, surer of each than of the next."""
    store = Store(open_workspace(server.workspace))
    run_id = add_many_classes(store, classes)
    path = store.workspace.run(run_id) / "predictions-1.npz"
    with np.load(path) as kept:
        ids = kept["image_ids"]
    shares = np.eye(classes, dtype=np.float32)
    for number in range(WRONG):
        shares[number, -1] = 1 - number / 100
        shares[number, number] = number / 100
    np.savez(path, image_ids=ids, probabilities=shares)
    return store, run_id


def test_arrow_keys_move_and_letters_fix_what_is_shown(page: Page, server: Server) -> None:
    store, run_id = add_mistakes(server, 16)
    dataset_id = store.run(run_id).dataset_id
    page.goto(f"{server.url}/mistakes?run={run_id}")
    see_page(page, "mistakes")
    settle(page)
    bar, place, large = page.locator(".walk"), page.locator(".walk .place"), page.locator(".thaw-large img").first
    page.keyboard.press("x")
    look_closer_at_first(page)
    expect(place).to_have_text(f"1 of {WRONG}")
    expect(bar).to_be_focused()
    for number in range(2, 14):
        page.keyboard.press("ArrowRight")
        expect(place).to_have_text(f"{number} of {WRONG}")
    expect(large).to_have_attribute("src", f"/thaw/image/{dataset_id}/img-{16:04x}{12:08x}")
    expect(page.locator(".walk .spoken")).to_have_text("13 of 14: 12.png, class 012 taken for class 015")
    page.keyboard.press("ArrowLeft")
    expect(place).to_have_text(f"12 of {WRONG}")
    expect(bar).to_be_focused()
    assert not store.edits(dataset_id), "an x outside the overlay does nothing"

    page.keyboard.press("p")
    expect(page.get_by_text("1 fix since this run saw the data set: 1 photo moved")).to_be_attached()
    expect(page.locator(".walk .spoken")).to_contain_text("moved to class 015 since")
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text(f"13 of {WRONG}")
    page.keyboard.press("x")
    expect(page.get_by_text("1 photo moved to another kind and 1 photo excluded.")).to_be_attached()
    expect(page.locator(".thaw-card")).to_have_count(WRONG - 12)
    expect(bar).to_be_focused()
    page.keyboard.press("u")
    expect(page.get_by_text("1 fix since this run saw the data set: 1 photo moved")).to_be_attached()
    assert store.dataset(dataset_id).excluded == 0

    page.get_by_text("More about this photo").click()
    field = page.get_by_role("combobox", name="It belongs to")
    field.focus()
    field.press_sequentially("xpu")
    field.press("ArrowLeft")
    settle(page)
    expect(place).to_have_text(f"13 of {WRONG}")
    assert [edit.kind for edit in store.edits(dataset_id) if edit.undone_at is None] == ["move"]
    page.locator(".walk .previous").click()
    expect(place).to_have_text(f"12 of {WRONG}")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".thaw-card").last).to_be_focused()


def test_a_pair_that_is_mixed_up_leads_to_its_photos_and_back(page: Page, server: Server) -> None:
    _, run_id = add_mistakes(server, 17)
    page.goto(f"{server.url}/evaluation?run={run_id}")
    see_page(page, "evaluation")
    open_page(page, "mistakes")
    settle(page)
    cards = page.locator(".thaw-card")
    expect(cards).to_have_count(12)
    pair = page.get_by_role("button", name="class 004 taken for class 016: once")
    pair.focus()
    pair.press("Enter")
    expect(cards).to_have_count(1)
    expect(cards).to_have_text("class 016, 96% sure. Really class 004. ")
    expect(cards).to_be_focused()
    expect(cards).to_be_in_viewport()
    page.get_by_role("button", name="Show all").click()
    expect(cards).to_have_count(12)


@pytest.mark.parametrize(("size", "classes"), [(DESKTOP, 19), (PHONE, 20)], ids=["desktop", "phone"])
def test_cards_are_large_targets_and_keep_words_whole(
    page: Page, server: Server, size: dict[str, int], classes: int
) -> None:
    store, run_id = add_mistakes(server, classes)
    labels = [f"household {number:02d}" for number in range(classes - 1)] + ["Donaudampfschifffahrtsgesellschaft"]
    folder = store.workspace.run(run_id)
    sides = json.loads((folder / "split.json").read_text())
    sides["validation"] = [[image_id, labels[place]] for place, (image_id, _) in enumerate(sides["validation"])]
    (folder / "split.json").write_text(json.dumps(sides))
    (folder / "labels.json").write_text(json.dumps(labels))
    page.set_viewport_size(size)
    page.goto(f"{server.url}/mistakes?run={run_id}")
    see_page(page, "mistakes")
    settle(page)
    expect(page.locator(".thaw-card")).to_have_count(12)
    for line in page.locator(".thaw-card .line").all():
        measured = line.evaluate("(line) => [line.clientHeight, parseFloat(getComputedStyle(line).lineHeight)]")
        assert measured[0] <= 2 * measured[1] + 1
    # A word that is broken has more than one box.
    broken = """(line) => [...line.querySelectorAll("strong")].some((name) => {
        const range = document.createRange();
        range.setStart(name.firstChild, 0);
        range.setEnd(name.firstChild, "household".length);
        return name.textContent.startsWith("household") && range.getClientRects().length > 1;
    })"""
    assert not any(line.evaluate(broken) for line in page.locator(".thaw-card .line").all())
    box = page.locator(".thaw-card").first.bounding_box()
    assert box
    assert min(box["width"], box["height"]) > 150
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_cell_on_the_evaluation_page_leads_to_its_mistakes(page: Page, server: Server) -> None:
    _, run_id = add_mistakes(server, 18)
    page.goto(f"{server.url}/evaluation?run={run_id}&expert=1")
    see_page(page, "evaluation")
    settle(page)
    click_cell(page, true=3, predicted=17)
    see_page(page, "mistakes")
    expect(page.locator(".thaw-card")).to_have_count(1)
    expect(page.locator(".thaw-card")).to_contain_text("class 003")
