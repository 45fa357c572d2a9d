"""The data gate's figures: files a second from a folder and through the server, memory, honest progress, page time.

    python benchmarks/data_gate.py [folder] [upload] [large] [page] [--files 2000] [--large 60] [--rows 32000]

Without names of parts all four are measured, each in one run. The photos are JPEGs of 500 x 375 pixels and 100 kB, and
of 4,000 x 3,000 pixels for `large`; `page` needs Chromium. Nothing here is averaged but the page (median of five).
"""

import argparse
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
from PIL import Image as Picture

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.photos import CLASSES, write_snapshots  # noqa: E402
from pages.ui.server import upload  # noqa: E402
from tests.browser.harness import CHROMIUM, Server, open_browser, settle, wait_until  # noqa: E402
from thaw.storage.database import new_id  # noqa: E402
from thaw.storage.datasets import Arrival  # noqa: E402
from thaw.storage.records import Image  # noqa: E402
from thaw.storage.store import Store  # noqa: E402
from thaw.storage.workspace import Workspace, open_workspace  # noqa: E402

SMALL_PX, SMALL_BYTES = (500, 375), 100_000
LARGE_PX, LARGE_BYTES = (4000, 3000), 4_000_000
# As the drop zone's script sends them.
BATCH_FILES, IN_FLIGHT = 160, 3
RELOADS = 5
LIMIT_S = 3600
SAMPLE_EVERY_S = 0.1
# Waits for the frame in which a heading is there; tells its time in ms, from the page's load. Playwright's own waiting
# looks at ever longer intervals, of up to a second.
SHOWN = """(words) => new Promise((resolve) => {
    const look = () => {
        const headings = [...document.querySelectorAll('h1, h2, h3')];
        if (headings.some((each) => each.textContent.includes(words) && each.checkVisibility()))
            resolve(performance.now());
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
})"""


@dataclass(frozen=True)
class Mark:
    """What the job row said at one moment, in seconds since the watch began."""

    at_s: float
    stage: str
    done: int
    total: int


@dataclass
class Watcher:
    """Samples the newest import of `store` and the memory of `process` and its children until the `with` ends."""

    store: Store
    process: psutil.Process
    marks: list[Mark] = field(default_factory=list)
    peak_bytes: int = 0
    family_peak_bytes: int = 0

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self.seconds = time.monotonic() - self.started

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_EVERY_S):
            self._sample_memory()
            for job in self.store.jobs("import", limit=1):
                self.marks.append(Mark(time.monotonic() - self.started, job.stage, job.done, job.total))

    def _sample_memory(self) -> None:
        try:
            own = self.process.memory_info().rss
            family = own + sum(child.memory_info().rss for child in self.process.children(recursive=True))
        except psutil.NoSuchProcess:
            return
        self.peak_bytes = max(self.peak_bytes, own)
        self.family_peak_bytes = max(self.family_peak_bytes, family)


def longest_stage(marks: list[Mark]) -> str:
    """Return the stage that was seen most often, which is the one that takes the time."""
    return Counter(mark.stage for mark in marks).most_common(1)[0][0]


def largest_gap(marks: list[Mark], stage: str) -> float:
    """Return the largest gap between the share that a stage showed as done and the share of its time, in points."""
    during = [mark for mark in marks if mark.stage == stage and mark.total]
    start, length = during[0].at_s, during[-1].at_s - during[0].at_s
    return max(100 * abs(mark.done / mark.total - (mark.at_s - start) / length) for mark in during)


def measure_folder(photos: Path, workspace: Workspace) -> None:
    """Import a folder by the command line, its start included, and print the figures."""
    files = len(list(photos.rglob("*.jpg")))
    command = [sys.executable, "-m", "thaw", "import", str(photos), "--workspace", str(workspace.root), "--json"]
    before_s = cpu_seconds()
    process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with Watcher(Store(workspace), process) as watcher:
        answer, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"Expected an import that ends well. Received: exit status {process.returncode}. {answer}")
    accepted, cpu_s = json.loads(answer)["accepted"], cpu_seconds() - before_s
    stage = longest_stage(watcher.marks)
    print(
        f"  {accepted:,} of {files:,} files ready in {watcher.seconds:.1f} s: {files / watcher.seconds:.0f} files/s, "
        f"{1000 * cpu_s / files:.1f} ms of a CPU each"
    )
    print(
        f"  memory of the importing process {megabytes(watcher.peak_bytes)} at most, with its decoders "
        f"{megabytes(watcher.family_peak_bytes)}"
    )
    print(f"  progress while {stage}: at most {largest_gap(watcher.marks, stage):.1f} points from the time passed")


def measure_upload(photos: Path, workspace: Workspace) -> None:
    """Send a folder through a real server's upload route, wait until it is ready, and print the figures."""
    server, store = Server(workspace.root), Store(workspace)
    server.start()
    try:
        httpx.get(server.url)
        before = server.process.memory_info().rss
        with Watcher(store, server.process) as watcher:
            files, sent_s = send(photos, server.url, workspace)
            wait_until(lambda: not store.jobs("import", limit=1)[0].active, LIMIT_S, "the end of the import")
        after = server.process.memory_info().rss
    finally:
        server.stop()
    job = store.jobs("import", limit=1)[0]
    if job.dataset_id is None:
        raise SystemExit(f"Expected an import that ends well. Received: {job.error}")
    accepted = store.dataset(job.dataset_id).accepted
    print(
        f"  {accepted:,} of {files:,} files sent in {sent_s:.1f} s and ready in {watcher.seconds:.1f} s: "
        f"{files / watcher.seconds:.0f} files/s"
    )
    print(
        f"  memory of the server {megabytes(before)} before, {megabytes(watcher.peak_bytes)} at most, "
        f"{megabytes(after)} after"
    )


def send(photos: Path, url: str, workspace: Workspace) -> tuple[int, float]:
    """Send every photo in frames of many, a few at a time; return how many there were and the seconds it took.

    By the plainest client there is, since what a client uses of the processors is missing from the server.
    """
    paths = sorted(photos.rglob("*.jpg"))
    ticket = upload.open_upload(workspace)
    address, headers = f"/thaw/upload/{ticket.upload_id}", {"origin": url, "x-thaw-token": ticket.token}
    server = urlsplit(url)

    def post(first: int) -> None:
        size, body = frame(photos.parent, paths[first : first + BATCH_FILES], first)
        connection = http.client.HTTPConnection(server.hostname or "", server.port, timeout=LIMIT_S)
        with contextlib.closing(connection):
            connection.request("POST", address, body, headers | {"content-length": str(size)})
            answer = connection.getresponse()
            if answer.status != HTTPStatus.OK:
                raise SystemExit(f"Expected the server to take the photos. Received: {answer.status} {answer.reason}.")

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(post, range(0, len(paths), BATCH_FILES)))
    httpx.post(f"{url}{address}/finish", json={"name": photos.name}, headers=headers).raise_for_status()
    return len(paths), time.monotonic() - started


def frame(root: Path, paths: list[Path], first: int) -> tuple[int, Iterator[bytes]]:
    """Return the size of one request and its parts: the length of the list of files, the list, each file's bytes."""
    items = [
        {"number": number, "path": path.relative_to(root).as_posix(), "size": path.stat().st_size}
        for number, path in enumerate(paths, first)
    ]
    listed = json.dumps(items).encode()
    head = len(listed).to_bytes(4, "big") + listed
    size = len(head) + sum(item["size"] for item in items)
    return size, itertools.chain([head], (path.read_bytes() for path in paths))


def measure_page(rows: int, workspace: Workspace, scratch: Path) -> None:
    """Open the Data page on a data set of many images in Chromium and print the median of three reloads."""
    if CHROMIUM is None:
        print("  not measured: there is no Chromium here")
        return
    from playwright.sync_api import sync_playwright

    name = "many photos"
    dataset_id = fill(workspace, name, rows)
    server = Server(workspace.root)
    server.start()
    shown, settled = [], []
    try:
        with sync_playwright() as playwright, open_browser(playwright, scratch / "profile") as context:
            page = context.pages[0]
            page.goto(f"{server.url}/data?dataset={dataset_id}")
            settle(page)
            for _ in range(RELOADS):
                started = time.monotonic()
                page.reload(wait_until="commit")
                shown.append(page.evaluate(SHOWN, name) / 1000)
                settle(page)
                settled.append(time.monotonic() - started)
    finally:
        server.stop()
    print(
        f"  {rows:,} images: the data set is shown after {statistics.median(shown):.2f} s, "
        f"the page is complete after {statistics.median(settled):.2f} s (median of {RELOADS} reloads)"
    )


def fill(workspace: Workspace, name: str, rows: int) -> str:
    """Record a data set of `rows` images that share one thumbnail; return its id."""
    # Before any folder: one that holds photos beside no database is refused.
    store = Store(workspace)
    dataset_id, chance = new_id("data"), np.random.default_rng(0)
    thumbnail = workspace.thumbnail(dataset_id, "all")
    thumbnail.parent.mkdir(parents=True)
    Picture.effect_noise((160, 120), 60).save(thumbnail)
    images = [invented(number, dataset_id, chance) for number in range(rows)]
    for image in images:
        os.link(thumbnail, workspace.thumbnail(dataset_id, image.id))
    store.add_dataset(dataset_id, name, "a benchmark", Arrival(images))
    return dataset_id


def invented(number: int, folder: str, chance: np.random.Generator) -> Image:
    """Return a row as an import would make it, with figures such as photos have."""
    label = f"class {number % CLASSES}"
    return Image(
        id=new_id("img"),
        label=label,
        name=f"many photos/{label}/{number:05d}.jpg",
        content=chance.bytes(32).hex(),
        suffix=".jpg",
        width=4000,
        height=3000,
        folder=folder,
        imported_label=label,
        original=chance.bytes(32).hex(),
        taken_at=1.6e9 + number,
        brightness=float(chance.uniform(20, 230)),
        contrast=float(chance.uniform(5, 80)),
        sharpness=float(chance.uniform(10, 2000)),
        fingerprint=chance.bytes(32).hex(),
    )


def cpu_seconds() -> float:
    """Return the CPU time of every process that this one has started and seen end, theirs included."""
    used = os.times()
    return used.children_user + used.children_system


def megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"


def flush() -> None:
    """Wait until the photos are on the disk: they are to have been there, as a person's are."""
    if hasattr(os, "sync"):
        os.sync()


def announce(words: str) -> None:
    print(f"{words} (load average {os.getloadavg()[0]:.1f} before, {os.cpu_count()} CPUs)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="folder, upload, large, page (default: all)")
    parser.add_argument("--files", type=int, default=2000, help="photos of 100 kB")
    parser.add_argument("--large", type=int, default=60, help="photos of 12 megapixels")
    parser.add_argument("--rows", type=int, default=32_000, help="images in the data set that the page opens")
    arguments = parser.parse_args()
    parts = arguments.parts or ["folder", "upload", "large", "page"]
    # A child of the server that was stopped may still write its last line.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        if {"folder", "upload"} & set(parts):
            small = write_snapshots(scratch / "small", arguments.files, SMALL_PX, SMALL_BYTES)
            flush()
        if "folder" in parts:
            announce("From a folder")
            measure_folder(small, open_workspace(scratch / "from-folder"))
        if "upload" in parts:
            announce("Through the server")
            measure_upload(small, open_workspace(scratch / "through-server"))
        if "large" in parts:
            large = write_snapshots(scratch / "large", arguments.large, LARGE_PX, LARGE_BYTES)
            flush()
            announce("12 megapixels from a folder")
            measure_folder(large, open_workspace(scratch / "from-large"))
        if "page" in parts:
            announce("The Data page")
            measure_page(arguments.rows, open_workspace(scratch / "page"), scratch)


if __name__ == "__main__":
    main()
