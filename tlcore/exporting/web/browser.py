"""Opens an exported web page in the browser that is installed here, without a window, to have it answer for photos."""

import atexit
import base64
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

BROWSER_VARIABLE = "THAW_BROWSER"
"""Names the program of a browser, where it is not found by itself."""
_COMMANDS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "chrome",
    "msedge",
)
_ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
_QUIET = ("--disable-background-networking", "--disable-component-update", "--no-first-run")
_ANSWERS_WITHIN_MS = 120_000


def find_browser() -> str | None:
    """Return the program of an installed Chromium, Chrome or Edge, or None where there is none."""
    named = os.environ.get(BROWSER_VARIABLE)
    found = (shutil.which(each) for each in (*([named] if named else _COMMANDS),))
    return next((each for each in found if each), None) or next(
        (each for each in _ELSEWHERE if Path(each).exists()), None
    )


def open_page(path: Path) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Open the page from the disk, without a network, and return what answers in it: from uint8 (n, side, side, 3) to
    `probabilities`, float32 (n, classes), and `answer`, int32 (n).

    The browser ends with this process. Raises RuntimeError where there is no browser, where the page does not load the
    model, and as soon as it asks anything of a host.
    """
    from playwright.sync_api import sync_playwright

    program = find_browser()
    if program is None:
        raise RuntimeError(
            f"no Chromium, Chrome or Edge was found to open it; install one, or name its program in {BROWSER_VARIABLE}"
        )
    driver = sync_playwright().start()
    atexit.register(driver.stop)
    # Chromium has no sandbox for root, as in a container.
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    browser = driver.chromium.launch(executable_path=program, args=list(_QUIET), chromium_sandbox=not is_root)
    context = browser.new_context(offline=True)
    context.set_default_timeout(_ANSWERS_WITHIN_MS)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith(("http", "ws")) else None)
    page.goto(path.absolute().as_uri())

    def predict(batch: np.ndarray) -> dict[str, np.ndarray]:
        pixels = base64.b64encode(batch.tobytes()).decode()
        said = page.evaluate("([pixels, count]) => window.thaw.answer(pixels, count)", [pixels, len(batch)])
        if asked:
            raise RuntimeError(f"it asked for {asked[0]}, where it must ask nothing of any host")
        probabilities = np.array([each["probabilities"] for each in said], np.float32)
        return {"probabilities": probabilities, "answer": np.array([each["answer"] for each in said], np.int32)}

    return predict
