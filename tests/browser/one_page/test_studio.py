"""The Studio in the browser: from a drop to a number and an answer of the camera, with nothing pressed on the way."""

import base64
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests.browser.harness import DESKTOP, PHONE, Server, Watch, drop, open_browser, wait_in_page
from tests.browser.journey import JOB_MS
from tests.browser.studio import FAKE_CAMERA, LEARNT, await_learnt, walls
from tests.support.pages import add_many_classes
from tests.support.pictures.corpus import jpeg
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.training.history import Epoch

TALL = {"width": 1280, "height": 900}
WIDE = {"width": 1920, "height": 1080}
# What scrolls is a part of the page, never the document.
SCROLLS = """(() => {
    const main = document.querySelector("[data-testid='stMain']");
    return main.scrollHeight > main.clientHeight;
})()"""
OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
IN_VIEW = """(element) => {
    const box = element.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= window.innerHeight;
}"""
# Of the columns, what ends below the window or below its own column, or scrolls; and the walls without a photo.
CROWDED = """() => {
    const hosts = [...document.querySelectorAll("*")].filter((each) => each.shadowRoot?.querySelector(".studio"));
    const studio = hosts[0].shadowRoot;
    const tell = (each) => `${each.className} ${each.getBoundingClientRect().bottom}`;
    const parts = [...studio.querySelectorAll(".column, .column > *, .wall")].filter((each) => each.checkVisibility());
    const isOut = (each) => {
        const column = each.closest(".column").getBoundingClientRect();
        return column.bottom > innerHeight || each.getBoundingClientRect().bottom > column.bottom;
    };
    const scrolls = (each) => each.scrollHeight > each.clientHeight && each.matches(".column, .walls");
    const bare = [...studio.querySelectorAll(".wall")].filter((each) => !each.querySelector(".strip").clientHeight);
    return [...parts.filter((each) => isOut(each) || scrolls(each)), ...bare].map(tell);
}"""
LEAST_RECORDED = 2
FONT_PX = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
# Notes all that the middle column says; a round may pass between two looks.
NOTE_STATES = """(state) => {
    window.said = [];
    new MutationObserver(() => window.said.push(state.textContent)).observe(state, { childList: true });
}"""
# Two seconds of a square that moves over changing colours, as a browser films its own canvas; base64.
FILM = """async () => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 160;
    document.body.append(canvas);
    const drawing = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: "video/webm" });
    const pieces = [];
    recorder.ondataavailable = (event) => pieces.push(event.data);
    recorder.start();
    for (let number = 0; number < 40; number++) {
        drawing.fillStyle = `hsl(${number * 40}, 80%, 50%)`;
        drawing.fillRect(0, 0, 160, 160);
        drawing.fillStyle = "white";
        drawing.fillRect((number * 31) % 120, (number * 17) % 120, 40, 40);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const ended = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.stop();
    await ended;
    canvas.remove();
    const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""


@pytest.fixture(scope="module")
def server(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("studio-workspace"))
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def store(server: Server) -> Store:
    return Store(open_workspace(server.workspace))


@pytest.fixture(scope="module")
def browser(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with open_browser(chromium, tmp_path_factory.mktemp("studio") / "profile", *FAKE_CAMERA) as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext, server: Server) -> Iterator[Page]:
    watch = Watch(browser)
    tab = browser.pages[0]
    tab.set_viewport_size(TALL)
    tab.goto(server.url)
    expect(tab.locator(".studio")).to_be_visible()
    yield tab
    assert not watch.foreign
    assert not watch.dialogs
    assert not watch.errors


def test_a_drop_becomes_walls_a_number_and_answers_of_the_camera_without_a_scroll(page, store, tiny_photos):
    page.get_by_label("Learn by itself when photos change").check()
    drop(page, tiny_photos)
    expect(page.get_by_test_id("class-wall")).to_have_count(3, timeout=JOB_MS)
    dataset = store.datasets()[0]
    assert walls(page) == list(dataset.classes)
    score = page.get_by_test_id("exam-score")
    expect(page.locator(".learning .state")).to_have_text(LEARNT, timeout=JOB_MS)
    expect(score).to_be_visible()
    run = store.runs()[0]
    total = run.facts.validation_images
    assert score.inner_text() == f"{round(run.facts.head.accuracies['validation'] * total)} of {total}"
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator(".try .bars li")).to_have_count(3, timeout=JOB_MS)
    answer = page.get_by_test_id("answer")
    assert answer.inner_text() in (*dataset.classes, "I don't know")
    assert answer.evaluate(IN_VIEW)
    assert score.evaluate(IN_VIEW)
    for size in (TALL, WIDE):
        page.set_viewport_size(size)
        wait_in_page(page, f"!({SCROLLS})")
    page.set_viewport_size(PHONE)
    wait_in_page(page, f"!({OVERFLOWS})")
    page.set_viewport_size(TALL)
    page.keyboard.press("f")
    expect(page.locator(".try:popover-open")).to_be_visible()
    filled, told = page.locator(".try").bounding_box(), answer.bounding_box()
    assert (filled["width"], filled["height"]) == (TALL["width"], TALL["height"])
    assert told["y"] + told["height"] <= page.locator("video").bounding_box()["y"]
    page.keyboard.press("f")
    expect(page.locator(".try:popover-open")).to_have_count(0)


def test_a_run_is_watched_again_and_ends_as_it_did(page):
    score = page.get_by_test_id("exam-score")
    expect(score).to_be_visible(timeout=JOB_MS)
    at_the_end = score.inner_text()
    page.locator(".learning .state").evaluate(NOTE_STATES)
    page.get_by_role("button", name="Watch it learn again").click()
    wait_in_page(page, "said.some((words) => words.startsWith('Round 2 of'))")
    page.locator(".replay").click()
    expect(page.locator(".learning .state")).to_have_text(LEARNT)
    expect(score).to_have_text(at_the_end)


def test_a_video_gives_pictures_of_a_kind_and_a_photo_is_tried(page, store, tiny_photos, tmp_path):
    film = tmp_path / "film.webm"
    film.write_bytes(base64.b64decode(page.evaluate(FILM)))
    label = walls(page)[0]
    before = store.datasets()[0].classes[label]
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=f"Add photos or a video of {label}").click()
    chooser.value.set_files(film)
    expect(page.locator(f'[data-name="{label}"] .count')).not_to_have_text(f"{before} photos", timeout=JOB_MS)
    await_learnt(page, store, label)
    frames = [image for image in store.images(store.datasets()[0].id, label) if image.recording]
    assert len(frames) >= LEAST_RECORDED
    assert len({frame.recording for frame in frames}) == 1
    drop(page, next(tiny_photos.rglob("*.*")), zone=".try .view")
    expect(page.locator(".try .tried")).to_be_visible()
    expect(page.locator(".try .bars li")).to_have_count(3, timeout=JOB_MS)
    assert page.get_by_test_id("answer").inner_text() in (*store.datasets()[0].classes, "I don't know")


def test_the_run_that_is_chosen_above_is_the_one_whose_score_is_shown(page, store):
    newest, *_, oldest = (run for run in store.runs() if run.result_phase)
    totals = [run.facts.validation_images for run in (newest, oldest)]
    assert totals[0] != totals[1]
    score = page.get_by_test_id("exam-score")
    expect(score).to_have_text(re.compile(f" of {totals[0]}$"))
    page.get_by_role("combobox", name="Run").click()
    page.get_by_role("option").last.click()
    expect(score).to_have_text(re.compile(f" of {totals[1]}$"))
    expect(page).to_have_url(re.compile(f"run={oldest.id}"))
    page.reload()
    expect(score).to_have_text(re.compile(f" of {totals[1]}$"))


def test_a_kind_is_renamed_removed_and_brought_back_in_place(page, store):
    first = walls(page)[0]
    field = page.locator(f'[data-name="{first}"] .name')
    field.fill("renamed kind")
    field.press("Enter")
    expect(page.locator('[data-name="renamed kind"]')).to_be_visible()
    page.get_by_role("button", name="Remove the kind renamed kind").click()
    expect(page.locator('[data-name="renamed kind"]')).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator('[data-name="renamed kind"]')).to_be_visible()
    assert "renamed kind" in store.datasets()[0].classes


def test_new_photos_make_a_set_of_their_own_and_one_kind_is_told_plainly(page, store, tiny_photos, tmp_path):
    before = {dataset.id for dataset in store.datasets()}
    shown = len(walls(page))
    page.get_by_role("button", name="New photos").click()
    expect(page.get_by_test_id("class-wall")).to_have_count(0)
    page.get_by_role("button", name="Back to the photos before").click()
    expect(page.get_by_test_id("class-wall")).to_have_count(shown)
    page.get_by_role("button", name="New photos").click()
    expect(page.get_by_test_id("class-wall")).to_have_count(0)
    (tmp_path / "alone").mkdir()
    shutil.copytree(next(tiny_photos.iterdir()), tmp_path / "alone" / "cats")
    drop(page, tmp_path / "alone")
    expect(page.get_by_test_id("class-wall")).to_have_count(1, timeout=JOB_MS)
    (added,) = (dataset for dataset in store.datasets() if dataset.id not in before)
    expect(page.locator(".learning .state")).to_have_text(
        "I need two kinds of photos, such as cats and dogs. You gave me one: cats."
    )
    expect(page).to_have_url(f"{page.url.partition('?')[0]}?dataset={added.id}")
    page.reload()
    expect(page.get_by_test_id("class-wall")).to_have_count(1)
    page.set_viewport_size(DESKTOP)


def test_the_room_mode_enlarges_every_page_outlives_a_reload_and_goes_on_with_the_space_bar(page):
    wait_in_page(page, "document.documentElement.hasAttribute('data-hears-keys')")
    usual = page.evaluate(FONT_PX)
    page.keyboard.press("f")
    wait_in_page(page, f"Math.abs({FONT_PX} - {1.6 * usual}) < 0.01")
    page.reload()
    expect(page.locator(".studio")).to_be_visible()
    wait_in_page(page, "document.documentElement.hasAttribute('data-presenting')")
    wait_in_page(page, "document.documentElement.hasAttribute('data-hears-keys')")
    page.keyboard.press(" ")
    expect(page.get_by_role("heading", name="Thaw", exact=True)).to_be_visible()
    wait_in_page(page, "location.search.includes('present=1')")
    page.keyboard.press("f")
    wait_in_page(page, f"{FONT_PX} === {usual}")
    expect(page).not_to_have_url(re.compile("present"))


@pytest.mark.parametrize("kinds", [2, 3, 6, 12])
def test_before_a_room_all_three_columns_are_in_the_window_with_any_number_of_kinds(page, server, store, kinds):
    likeliest = [{"number": n, "label": f"class {n:03d}", "share": 0.9 / (n + 1)} for n in range(min(kinds, 5))]
    page.route("**/thaw/try/*", lambda route: route.fulfill(json={"likeliest": likeliest, "known": True}))
    run_id = add_many_classes(store, kinds)
    head = {"best_epoch": 2, "accuracies": {"validation": 0.5}}
    store.add_facts(run_id, {"image_size": 224, "validation_images": kinds, "head": head})
    store.add_epochs(run_id, [Epoch(number, 1, 0.5, 0.9, 0.5, 0.9, 0.1) for number in (1, 2)])
    page.goto(f"{server.url}/?dataset={store.run(run_id).dataset_id}&run={run_id}&present=1")
    expect(page.get_by_test_id("class-wall")).to_have_count(kinds)
    expect(page.get_by_test_id("exam-score")).to_be_visible()
    page.locator(".photo-input").set_input_files({"name": "1.jpg", "mimeType": "image/jpeg", "buffer": jpeg(1)})
    expect(page.get_by_test_id("answer")).to_have_text("class 000")
    for size in (DESKTOP, TALL, WIDE):
        page.set_viewport_size(size)
        wait_in_page(page, f"!({CROWDED})().length && !{SCROLLS}")
    page.keyboard.press("f")
    page.unroute("**/thaw/try/*")


@pytest.mark.parametrize("size", [DESKTOP, PHONE, {"width": 1920, "height": 1080}], ids=lambda size: str(size["width"]))
def test_a_kinds_name_can_be_read_beside_its_buttons_in_the_room_mode_too(page, size):
    page.set_viewport_size(size)
    wait_in_page(page, "document.documentElement.hasAttribute('data-hears-keys')")
    page.get_by_label("Another kind").fill("espresso cups")
    page.get_by_role("button", name="Add", exact=True).click()
    for key in ("f", "f"):
        name = page.get_by_label("Name of the kind espresso cups").bounding_box()
        record = page.get_by_role("button", name="Hold to record espresso cups").bounding_box()
        assert name["width"] > 100
        assert name["x"] + name["width"] <= record["x"] or name["y"] + name["height"] <= record["y"]
        page.get_by_label("Name of the kind espresso cups").blur()
        page.keyboard.press(key)
    page.set_viewport_size(DESKTOP)


def test_a_phone_has_the_story_under_the_thumb_and_a_desktop_has_not(page):
    bar = page.locator(".st-key-bottom-bar")
    expect(bar).to_be_hidden()
    page.set_viewport_size(PHONE)
    expect(bar.get_by_role("link")).to_have_count(4)
    # With the large letters of the room mode too, none of the four is cut.
    wait_in_page(page, "document.documentElement.hasAttribute('data-hears-keys')")
    for _ in range(2):
        page.keyboard.press("f")
        last = bar.get_by_role("link").last.bounding_box()
        assert last["x"] + last["width"] <= PHONE["width"]
    bar.get_by_role("link", name="Mistakes").click()
    expect(page).to_have_title("Mistakes - Thaw")
    assert bar.evaluate(IN_VIEW)
