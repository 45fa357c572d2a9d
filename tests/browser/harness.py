"""A real server and a real Chromium: starts and stops them, drops folders, and watches what the browser does."""

import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Playwright, expect

from thaw.backbones.device_report import DeviceReport, explain_no_gpu, keep_report
from thaw.jobs.devices import processor_name
from thaw.jobs.standby import UNASKED_VARIABLE
from thaw.storage.workspace import Workspace, open_workspace

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# How long is waited for what must come. It holds only that it comes, also on a machine that is slow and busy.
SERVER_STARTS_IN_S = 180
PATIENCE_S = 90
PATIENCE_MS = 1000 * PATIENCE_S
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
FIGURES_FIT = """[...document.querySelectorAll('.thaw-plot')].every((plot) => {
    const drawn = plot.querySelector('.main-svg');
    return !plot.checkVisibility() || (drawn && Math.abs(drawn.clientWidth - plot.clientWidth) < 2);
})"""
# A grey bar in the place of what Streamlit's script is still loading the code for.
NO_SKELETON = "!document.querySelector('[data-testid=\"stSkeleton\"]')"
# Observers of sizes are told between two frames; a page in the background draws none.
TWO_FRAMES = """new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(() => done()));
    setTimeout(done, 1000);
})"""
CONTENT_HEIGHT = "document.querySelector('[data-testid=\"stMainBlockContainer\"]').scrollHeight"

expect.set_options(timeout=PATIENCE_MS)


class Server:
    """`streamlit run` on a free port, over one workspace; it can be stopped and started again.

    `base` is the path below which it serves everything, as in `server.baseUrlPath`; `script` is what it serves;
    `options` are more of Streamlit's. Where nothing is trained, `unasked` False spares it a process that loads
    TensorFlow and waits.
    """

    def __init__(
        self,
        workspace: Path,
        base: str = "",
        script: Path = ROOT / "app.py",
        options: Sequence[str] = (),
        unasked: bool = True,
    ) -> None:
        self.environment = os.environ | ({} if unasked else {UNASKED_VARIABLE: "off"})
        self.script = script
        self.options = options
        self.workspace = workspace
        self.base = base
        with socket.socket() as chooser:
            chooser.bind(("127.0.0.1", 0))
            self.port = chooser.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/{base.strip('/')}".rstrip("/")

    def start(self) -> None:
        """Start it and return when it answers."""
        if not (self.workspace / "device.json").exists():
            _tell_device(open_workspace(self.workspace))
        options = ["--server.headless=true", f"--server.port={self.port}", f"--server.baseUrlPath={self.base}"]
        options += [*self.options, "--", "--workspace", str(self.workspace)]
        command = [sys.executable, "-m", "streamlit", "run", str(self.script), *options]
        self.process = psutil.Popen(command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL)
        wait_until(self._answers, SERVER_STARTS_IN_S, "the server's answer")

    def stop(self) -> None:
        """End it as a shutdown of the system would."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except psutil.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/_stcore/health").is_success
        except httpx.HTTPError:
            return False


def _tell_device(workspace: Workspace) -> None:
    """Spare each server of a workspace made for a test the seconds in which TensorFlow tells what this machine has."""
    reason, remedy = explain_no_gpu("Linux", False, False)
    version = importlib.metadata.version("tensorflow")
    keep_report(workspace, DeviceReport("CPU", processor_name(), reason, remedy, version, time.time()))


class Watch:
    """What a browser did that it should not have: foreign requests, dialogs, errors of the page's own scripts."""

    def __init__(self, context: BrowserContext) -> None:
        self.foreign: list[str] = []
        self.dialogs: list[str] = []
        self.errors: list[str] = []
        context.on("request", lambda request: self._note_request(request.url))
        context.on("dialog", self._note_dialog)
        context.on("weberror", lambda problem: self.errors.append(str(problem.error)))
        context.on("console", self._note_console)

    def _note_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.foreign.append(url)

    def _note_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        # On a deep link Streamlit's script looks for its server below the page's path first, then at the root.
        if "404" in message.text and "/_stcore/" in message.location["url"]:
            return
        self.errors.append(f"{message.text} {message.location['url']}")


@contextmanager
def open_browser(playwright: Playwright, profile: Path, *flags: str) -> Iterator[BrowserContext]:
    """Open Chromium with a new profile folder, at desktop size, with more command-line flags where needed."""
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=[*QUIET, *flags], viewport=DESKTOP, accept_downloads=True
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context
    finally:
        context.close()


def wait_until(condition: Callable[[], object], limit_s: float, what: str) -> float:
    """Wait until a condition holds; return the seconds it took, or fail after `limit_s`."""
    started = time.monotonic()
    while not condition():
        waited = time.monotonic() - started
        assert waited < limit_s, f"{what} did not come within {limit_s:g} s"
        time.sleep(0.05)
    return time.monotonic() - started


def wait_in_page(page: Page, condition: str, limit_s: float = PATIENCE_S) -> None:
    """Wait until a JavaScript expression holds. Playwright's own wait evaluates text in the page, where Thaw's policy
    forbids that."""
    wait_until(lambda: page.evaluate(f"Boolean({condition})"), limit_s, condition)


def drop(page: Page, *paths: Path, zone: str = ".zone") -> None:
    """Drop folders or files on the drop zone, or another one, as the desktop's file manager would."""
    target = page.locator(zone)
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 20}
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
    session.detach()


def settle(page: Page) -> None:
    """Wait until the page's script has run, its pictures have loaded and its figures are drawn."""
    page.wait_for_selector(IDLE)
    wait_in_page(page, NO_SKELETON)
    wait_in_page(page, "[...document.images].every((image) => image.loading === 'lazy' || image.complete)")
    wait_in_page(page, FIGURES_FIT)
    page.evaluate("document.fonts.ready")
    page.evaluate(TWO_FRAMES)


def load_pictures(page: Page) -> None:
    """Load the pictures that a page leaves until they are scrolled into view."""
    page.evaluate("document.querySelectorAll('img[loading=lazy]').forEach((image) => { image.loading = 'eager'; })")
    wait_in_page(page, "[...document.images].every((image) => image.complete && image.naturalWidth)")


def photograph(page: Page, path: Path, viewport: dict[str, int]) -> None:
    """Save a picture of the whole page, however far it scrolls, as it looks in a window of that width."""
    page.set_viewport_size(viewport)
    settle(page)
    height = page.evaluate(CONTENT_HEIGHT) + 60
    page.set_viewport_size({"width": viewport["width"], "height": max(height, viewport["height"])})
    settle(page)
    load_pictures(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
    page.set_viewport_size(viewport)
