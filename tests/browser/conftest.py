"""What the browser tests share: real photos with bad files among them, two servers, one Chromium and a profile each."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright
from sklearn.datasets import load_sample_images

from tests.browser.harness import CHROMIUM, DESKTOP, PATIENCE_MS, QUIET, Server, Watch

HOSTILE_CLASS = "<b>bold & **stars**<b>"
CLASS_SIZE = 20
SIDE_PX = 160
SMALL_FILES = 1000
# A test that hangs is ended then; the waits within it end before.
TEST_ENDS_WITHIN_S = 1200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(TEST_ENDS_WITHIN_S))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Playwright]:
    if CHROMIUM is None:
        message = "Expected Chromium on the PATH for the browser tests. Install it (Debian: `apt install chromium`)."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def real(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("browser-workspace"))
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def made_up(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Another server, for made-up runs that must not show where photos are dropped and trained on.

    Each test makes data sets of its own there, with a number of classes that no other has.
    """
    started = Server(tmp_path_factory.mktemp("made-up-workspace"), unasked=False)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Server:
    """The server for real photos, or that for made-up runs where the file is marked `made_up`."""
    return request.getfixturevalue("made_up" if request.node.get_closest_marker("made_up") else "real")


@pytest.fixture(scope="session")
def program(chromium: Playwright) -> Iterator[Browser]:
    started = chromium.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
    yield started
    started.close()


@pytest.fixture(scope="module")
def profile(program: Browser) -> Iterator[BrowserContext]:
    context = program.new_context(viewport=DESKTOP, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def browser(program: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A profile with one empty tab, which is a session of its own on the server.

    It is a new one: nothing is cached or kept from another test. Where the file is marked `kept_profile`, it is one for
    all tests of the file, so that Chromium reads Streamlit's script once for them.
    """
    if request.node.get_closest_marker("kept_profile"):
        kept: BrowserContext = request.getfixturevalue("profile")
        kept.new_page()
        yield kept
        for tab in kept.pages:
            tab.close()
        return
    context = program.new_context(viewport=DESKTOP, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    context.new_page()
    yield context
    context.close()


@pytest.fixture
def watch(browser: BrowserContext) -> Watch:
    return Watch(browser)


@pytest.fixture
def page(browser: BrowserContext, watch: Watch, server: Server) -> Iterator[Page]:
    """A tab on the first page; after the test nothing may have gone to another host, asked or failed."""
    tab = browser.pages[0]
    # The browser is one for all tests, and what one has chosen is not to be another's.
    browser.clear_cookies()
    tab.goto(f"{server.url}/data")
    yield tab
    assert not watch.foreign
    assert not watch.dialogs
    assert not watch.errors


@pytest.fixture
def record_figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return a function that shows a measured figure at the end of all tests, whether the test passes or fails."""
    return lambda words: request.node.user_properties.append(("figure", words))


def crop(scene: Image.Image, chance: random.Random, side: int) -> Image.Image:
    left, top = (chance.randrange(length - side) for length in scene.size)
    return scene.crop((left, top, left + side, top + side))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of twenty real photos, the third under a hostile name; a text called .jpg and a cut JPEG."""
    folder = tmp_path_factory.mktemp("drop") / "my photos"
    china, flower = (Image.fromarray(scene) for scene in load_sample_images().images)
    chance = random.Random(1)
    for label, scene in (("temple", china), ("flower", flower), (HOSTILE_CLASS, china.rotate(180))):
        (folder / label).mkdir(parents=True)
        for number in range(CLASS_SIZE):
            crop(scene, chance, SIDE_PX).save(folder / label / f"{number}.jpg")
    (folder / "temple" / "notes.jpg").write_text("Not a picture at all.")
    whole = (folder / "flower" / "0.jpg").read_bytes()
    (folder / "flower" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture(scope="session")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand small real photos in four classes."""
    folder = tmp_path_factory.mktemp("bulk") / "thousand"
    china, flower = (Image.fromarray(scene) for scene in load_sample_images().images)
    chance = random.Random(2)
    for number in range(SMALL_FILES):
        place = folder / f"class {number % 4}"
        place.mkdir(parents=True, exist_ok=True)
        crop((china, flower)[number % 2], chance, 64).save(place / f"{number}.jpg")
    return folder
