"""An exported web page, opened from the disk without a network: what it says of pictures and of the camera, what it
sees of them, and what a page that holds it hears."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect
from sklearn.datasets import load_sample_images

from tests.browser.harness import CHROMIUM, PATIENCE_MS, PHONE, QUIET, ROOT, Watch, wait_in_page
from tests.support.models.web_runtime import COLOURS, MODEL, pack_runtime
from thaw.exporting.read_photo import read_photo
from tlcore.exporting.web.page import write_page
from tlcore.exporting.web.runtime import COMMAND, FILE, read_runtime

SIDE = 64
CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
READY = "document.body.dataset.ready"
SEEN = """async ([content, type]) => [...await readPhoto(new Blob([bytesOf(content)], { type }), facts.side)]"""
CLASSIFY = """async (content) => thaw.classify(new Blob([bytesOf(content)], { type: "image/png" }))"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a web page whose network names the strongest colour of a picture, or knows none."""
    place = tmp_path_factory.mktemp("web")
    (place / "card.html").write_text("<!doctype html><title>Card</title><p>What it was taught</p>")
    with pytest.MonkeyPatch.context() as patch:
        runtime = read_runtime(pack_runtime(place / "runtime.tgz", patch))
    write_page(MODEL, runtime, COLOURS, SIDE, place / "page", place / "card.html")
    return place / "page"


@pytest.fixture(scope="module")
def filming(chromium: Playwright) -> Iterator[Browser]:
    """A browser with a made-up camera, which it gives to whoever asks."""
    started = chromium.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *CAMERA])
    yield started
    started.close()


@pytest.fixture
def context(filming: Browser) -> Iterator[BrowserContext]:
    opened = filming.new_context(offline=True)
    opened.set_default_timeout(PATIENCE_MS)
    opened.new_page()
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, folder: Path) -> Iterator[Page]:
    watch = Watch(context)
    opened = context.pages[0]
    opened.goto((folder / "index.html").as_uri())
    wait_in_page(opened, READY)
    yield opened
    assert not watch.foreign
    assert not watch.errors


def encode(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def paint(*colour: int) -> bytes:
    return encode(Image.new("RGB", (90, 60), colour))


def show(page: Page, content: bytes, name: str = "photo.png", kind: str = "image/png") -> None:
    page.set_input_files("input", {"name": name, "mimeType": kind, "buffer": content})


def test_it_names_what_it_sees_or_says_that_it_does_not_know(page: Page) -> None:
    answer = page.get_by_test_id("answer")
    expect(answer).to_have_text("Show me a picture")
    show(page, paint(20, 30, 200))
    expect(answer).to_have_text("blue")
    expect(page.locator(".bars li")).to_have_text(["red8%", "green12%", "blue80%"])
    assert float(answer.evaluate("(each) => parseFloat(getComputedStyle(each).fontSize)")) >= 64
    show(page, paint(100, 100, 100))
    expect(answer).to_have_text("I don't know")
    show(page, b"no picture", "notes.txt", "text/plain")
    expect(page.get_by_role("alert")).to_have_text(
        "This is no picture that your browser can open. Take a JPEG, a PNG or a WebP."
    )
    show(page, paint(200, 10, 10))
    expect(answer).to_have_text("red")
    expect(page.get_by_role("alert")).to_be_hidden()
    page.get_by_role("link", name="What it was taught").click()
    expect(page.get_by_text("What it was taught")).to_be_visible()


def test_it_answers_what_the_camera_sees_until_it_is_stopped(page: Page) -> None:
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_test_id("answer")).to_have_text("green")  # Chromium's made-up camera shows a green picture.
    expect(page.locator("video")).to_be_visible()
    page.get_by_role("button", name="Stop the camera").click()
    expect(page.locator("video")).to_be_hidden()
    wait_in_page(page, "!document.querySelector('video').srcObject")


def test_everyone_can_use_it(page: Page) -> None:
    show(page, paint(20, 30, 200))
    expect(page.get_by_test_id("answer")).to_have_text("blue")
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("(rules) => axe.run({ runOnly: rules }).then(({ violations }) => violations)", RULES)
        assert [each["id"] for each in found] == []
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    sizes = page.locator("button, label, footer a").evaluate_all("(all) => all.map((each) => each.offsetHeight)")
    assert min(sizes) >= 24


def list_pictures() -> dict[str, tuple[str, bytes]]:
    scene = Image.fromarray(load_sample_images().images[0])
    glass = scene.convert("RGBA")
    glass.putalpha(Image.linear_gradient("L").resize(scene.size))
    drawing = Image.new("RGBA", (90, 70), (255, 255, 255, 0))
    drawing.paste((255, 255, 255, 255), (20, 20, 60, 50))
    turned = Image.Exif()
    turned[0x0112] = 6
    large = scene.resize((1500, 1000))
    return {
        "a photo": ("image/png", encode(scene)),
        "a small one": ("image/png", encode(scene.resize((50, 31)))),
        "a large one": ("image/png", encode(scene.resize((2100, 700)))),
        "glass": ("image/png", encode(glass)),
        "white on nothing": ("image/png", encode(drawing)),
        "a palette": ("image/png", encode(scene.quantize(64))),
        "greys": ("image/png", encode(scene.convert("L"))),
        "webp": ("image/webp", encode(scene, "WEBP", lossless=True)),
        "jpeg": ("image/jpeg", encode(scene, "JPEG", quality=90)),
        "turned jpeg": ("image/jpeg", encode(scene, "JPEG", quality=90, exif=turned)),
        "large jpeg": ("image/jpeg", encode(large, "JPEG", quality=90)),
    }


def test_it_sees_a_picture_as_the_dashboard_does(page: Page) -> None:
    for name, (kind, content) in list_pictures().items():
        seen = np.array(page.evaluate(SEEN, [base64.b64encode(content).decode(), kind])).reshape(SIDE, SIDE, 3)
        differences = np.abs(seen - read_photo(io.BytesIO(content), SIDE)[0].astype(int))  # type: ignore[arg-type]
        # A decoder of JPEG that halves a photo by itself rounds otherwise than one that does not.
        most, mean = (6, 0.6) if name in ("large jpeg", "turned jpeg") else (0, 0)
        assert differences.max() <= most, name
        assert differences.mean() <= mean, name


def test_a_script_may_ask_it(page: Page) -> None:
    said = page.evaluate(CLASSIFY, base64.b64encode(paint(200, 40, 10)).decode())
    assert said["label"] == "red"
    assert said["confidence"] == pytest.approx(0.8)
    assert said["probabilities"] == pytest.approx({"red": 0.8, "green": 0.16, "blue": 0.04})
    unsure = page.evaluate(CLASSIFY, base64.b64encode(paint(100, 100, 100)).decode())
    assert (unsure["label"], unsure["confidence"]) == (None, pytest.approx(1 / 3))


def test_the_example_holds_it_in_a_page_of_ones_own(context: BrowserContext, folder: Path) -> None:
    assert len((folder / "embedding.html").read_text("utf-8").splitlines()) <= 21
    tab = context.pages[0]
    tab.goto((folder / "embedding.html").as_uri())
    tab.frames[1].wait_for_selector("[data-ready]", state="attached")
    show(tab, paint(20, 30, 200))
    expect(tab.locator("output")).to_have_text("blue (80%)")
    show(tab, b"no picture", "notes.txt", "text/plain")
    expect(tab.locator("output")).to_contain_text("This is no picture")


def test_a_proof_reads_the_numbers_of_the_network(folder: Path) -> None:
    program = (
        "import sys, json, numpy as np\n"
        "from pathlib import Path\n"
        "from tlcore.exporting.web.browser import open_page\n"
        f"images = np.zeros((2, {SIDE}, {SIDE}, 3), np.uint8)\n"
        "images[0, ..., 1], images[1] = 90, 50\n"
        "said = open_page(Path(sys.argv[1]))(images)\n"
        "print(json.dumps({name: [str(each.dtype), each.tolist()] for name, each in said.items()}))\n"
    )
    # In a process of its own, as a proof is: this one has an event loop of Playwright already.
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder / "index.html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["answer"] == ["int32", [1, -1]]
    assert said["probabilities"][0] == "float32"
    np.testing.assert_allclose(said["probabilities"][1], [[0, 1, 0], [1 / 3, 1 / 3, 1 / 3]], atol=1e-6)


def test_the_real_runtime_is_proven_in_the_browser(photos: Path, tmp_path: Path) -> None:
    """From photos to a page that answers as its run does, by the command line, with what npm brings."""
    brought = subprocess.run(COMMAND.split(), cwd=tmp_path, capture_output=True, text=True, check=False)
    if brought.returncode:
        pytest.skip(f"npm brought no runtime: {brought.stderr.strip()[-200:]}")

    def ask(*words: object) -> dict[str, object]:
        command = [sys.executable, "-m", "thaw", *map(str, words), "--workspace", tmp_path / "workspace", "--json"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    dataset = ask("import", photos)["dataset"]
    run = ask("train", dataset, "--epochs", 3, "--image-size", 64)["run"]
    made = ask("export", run, "--formats", "web", "--web-runtime", tmp_path / FILE, "--to", tmp_path / "model.zip")
    (proven,) = made["formats"]
    assert (proven["verdict"], proven["reason"]) == ("passed", "")
    assert proven["proof"]["judged"][0]["largest_difference"] < 1e-4
    assert proven["proof"]["runtime"] == "@litertjs/core 2.5.3"
