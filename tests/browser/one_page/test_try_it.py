"""Trying a model in the browser: files by a real drop, and live with a camera that the browser makes up."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests.browser.harness import PATIENCE_S, Server, drop, open_browser, settle, wait_until
from tests.browser.journey import JOB_MS, open_page, save, see_page
from tests.support.pictures.corpus import photo
from tests.support.trained_run import LABELS, add_trained_run
from tests.support.work_clock import WorkClock
from thaw.runs.decision import keep_decision
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.settings import Decision

FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
DATASET = "data-0123456789ab"
DROPZONE = '[data-testid="stFileUploaderDropzone"]'
# By the clock that goes by work: what else runs on the machine holds it up as well.
MEASURE_S = 3
LEAST_FRAMES_A_SECOND = 2
WATCH_CAMERA = """() => {
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.streams = [];
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        if (window.refusal) throw new DOMException("refused", window.refusal);
        const stream = await ask(wanted);
        window.streams.push(stream);
        return stream;
    };
}"""
TRACKS = "window.streams.flatMap((stream) => stream.getTracks()).map((track) => track.readyState)"
SHARES = "items => items.map((item) => Number(item.dataset.share))"


@pytest.fixture(scope="module")
def server(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("trying-workspace"))
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def store(server: Server) -> Store:
    store = Store(open_workspace(server.workspace))
    store.add_dataset(DATASET, "photos", "folder", Arrival([]))
    return store


@pytest.fixture(scope="module")
def run_id(store: Store) -> str:
    """A model of usual size with a head drawn by chance; without a kept threshold."""
    run_id = add_trained_run(store, seed=1)
    store.add_facts(run_id, {"image_size": 224})
    return run_id


@pytest.fixture
def browser(chromium: Playwright, tmp_path: Path) -> Iterator[BrowserContext]:
    with open_browser(chromium, tmp_path / "profile", *FAKE_CAMERA) as context:
        yield context


def visit(page: Page, server: Server, run_id: str) -> None:
    page.goto(f"{server.url}/try_it?run={run_id}")
    see_page(page, "try_it")
    settle(page)


def frames(page: Page) -> int:
    return int(page.locator(".cam").get_attribute("data-frames") or 0)


def start_camera(page: Page) -> None:
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator(".bars li")).to_have_count(len(LABELS), timeout=JOB_MS)


def camera_is_off(page: Page) -> bool:
    return set(page.evaluate(TRACKS)) == {"ended"}


def test_dropped_pictures_get_answers_a_text_its_reason_and_all_a_csv(
    page: Page, server: Server, run_id: str, tmp_path: Path
) -> None:
    for number in range(2):
        photo(number, 320, 240).save(tmp_path / f"{number}.jpg")
    (tmp_path / "notes.txt").write_text("not a picture")
    visit(page, server, run_id)
    drop(page, *sorted(tmp_path.glob("*.*")), zone=DROPZONE)
    counts = "3 pictures: 2 answered, 0 “I don't know”, 1 could not be read."
    expect(page.get_by_text(counts)).to_be_visible(timeout=JOB_MS)
    expect(page.get_by_test_id("stAlert")).to_contain_text("notes.txt")
    expect(page.locator(".thaw-plot")).to_have_count(2)
    settle(page)
    path = save(page, page.get_by_role("button", name="Answers as CSV"), tmp_path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["0.jpg", "1.jpg", "notes.txt"]
    for row in rows[:2]:
        assert row["answer"] in LABELS
        assert sum(float(row[f"share_{place}"]) for place in (1, 2, 3)) == pytest.approx(1, abs=1e-3)
    assert not rows[2]["answer"]
    assert rows[2]["reason"]


def test_the_webcam_moves_the_bars_hands_over_a_still_and_goes_off(
    page: Page, server: Server, store: Store, run_id: str, record_figure: Callable[[str], None]
) -> None:
    visit(page, server, run_id)
    page.evaluate(f"({WATCH_CAMERA})()")
    assert page.evaluate(TRACKS) == [], "the camera is asked for before anyone pressed a button"
    start_camera(page)
    assert page.evaluate(TRACKS) == ["live"]
    before, clock = frames(page), WorkClock()
    while clock.seconds < MEASURE_S:
        clock.tick()
    rate = (frames(page) - before) / clock.seconds
    record_figure(f"webcam, EfficientNet-Lite0 at 224 pixels: {rate:.1f} frames/s by the clock of work")
    assert rate >= LEAST_FRAMES_A_SECOND
    expect(page.locator(".rate")).to_contain_text("frames/s")
    assert sum(page.locator(".bars li").evaluate_all(SHARES)) == pytest.approx(1, abs=1e-5)
    names = page.locator(".bars .name").all_inner_texts()
    assert sorted(names) == sorted(LABELS)
    expect(page.locator(".spoken")).to_contain_text("%")

    keep_decision(store, run_id, Decision(1, threshold=1.0))
    expect(page.locator(".state")).to_have_text("I don't know")
    page.get_by_role("button", name="Take a still").click()
    expect(page.get_by_text("still 1.jpg")).to_be_visible()
    seen = frames(page)
    wait_until(lambda: frames(page) > seen, PATIENCE_S, "a frame after the still")

    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("video")).to_be_hidden()
    assert camera_is_off(page)
    expect(page.get_by_role("button", name="Start the camera")).to_be_focused()
    page.evaluate("window.refusal = 'NotAllowedError'")
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator(".problem")).to_contain_text("not allowed to use the camera")

    page.evaluate("window.refusal = null")
    start_camera(page)
    expect(page.locator(".problem")).to_be_hidden()
    assert page.evaluate(TRACKS) == ["ended", "live"]
    open_page(page, "compare")
    wait_until(lambda: camera_is_off(page), PATIENCE_S, "the end of the camera's stream")
