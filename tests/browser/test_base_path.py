"""The dashboard below a path of its own: photos in, pictures and figures out, at whatever path a proxy gives it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Playwright, Response, expect

from tests.browser.harness import Server, Watch, drop, load_pictures, settle
from tests.browser.journey import JOB_MS, open_page, see_page
from tests.support.pages import DATASET, add_dataset, add_run
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

# The first is where Thaw's own routes lie when there is no such path.
BASES = ("thaw", "/a/b/")
PHOTOS = 6


@pytest.fixture(scope="module", params=BASES)
def server(
    request: pytest.FixtureRequest, chromium: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("workspace"), request.param)
    store = Store(open_workspace(started.workspace))
    add_run(store, add_dataset(store))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def few_photos(tmp_path: Path) -> Path:
    for number in range(PHOTOS):
        path = tmp_path / "few" / ("red", "blue")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (40 * number, 90, 250 - 40 * number)).save(path)
    return tmp_path / "few"


def test_everything_works_below_the_path(
    server: Server, browser: BrowserContext, watch: Watch, few_photos: Path
) -> None:
    answers: list[Response] = []
    browser.on("response", lambda answer: answers.append(answer))
    page = browser.pages[0]
    page.goto(f"{server.url}/data")
    see_page(page, "data")
    drop(page, few_photos)
    expect(page.get_by_role("heading", name="few")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".thaw-strip img")).to_have_count(PHOTOS)
    load_pictures(page)
    open_page(page, "evaluation")
    run_id = Store(open_workspace(server.workspace)).runs()[0].id
    page.goto(f"{server.url}/evaluation?dataset={DATASET}&run={run_id}&expert=1")
    see_page(page, "evaluation")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    settle(page)
    for name in ("mistakes", "try_it", "export"):
        open_page(page, name)
    base = f"/{server.base.strip('/')}/"
    asked = {answer.url: answer.status for answer in answers if answer.url.startswith("http:")}
    paths = {url.partition(str(server.port))[2].partition("?")[0]: status for url, status in asked.items()}
    for part in ("thaw/upload/", "thaw/thumbnail/", "thaw/plotly.js", "static/js/"):
        assert any(path.startswith(base + part) for path in paths), part
    # Of the made-up data set there are no thumbnails.
    failed = {path for path, status in paths.items() if status >= 400 and "/_stcore/" not in path}
    assert [path for path in failed if f"thaw/thumbnail/{DATASET}/" not in path] == []
    assert [path for path in paths if not path.startswith(base.rstrip("/")) and "/_stcore/" not in path] == []
    assert [each for each in watch.errors if DATASET not in each] == []
    assert not watch.foreign


def test_routes_that_a_button_asks_for_lie_below_the_path(server: Server) -> None:
    origin = {"origin": server.url.partition(f"/{server.base.strip('/')}")[0]}
    frame = httpx.post(f"{server.url}/thaw/try/run-000000000000", headers=origin)
    assert (frame.status_code, "page is not known here" in frame.json()["error"]) == (403, True)
    export = httpx.get(f"{server.url}/thaw/exporting/run-000000000000/all")
    assert (export.status_code, export.json()) == (404, {"error": "There is no such export in this workspace."})
