"""The server killed in the middle of an upload, an import, an edit on a page and a training: what was acknowledged is
there, jobs go on, and the next server clears up."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import Error as BrowserError

from pages.ui.server import upload
from tests.browser.harness import PATIENCE_S, Server, wait_until
from tests.browser.journey import draw_box, name_kind, see_page, set_numbers, start_head
from tests.campaigns.tally import Tally
from tests.support.pictures.corpus import leftovers, write_classes
from tests.support.pictures.uploads import frame
from thaw.datasets import edits
from thaw.jobs import lifecycle, starts
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.boxes import Box
from tlcore.progress import Stage

CLASSES = {"rose": 30, "tulip": 30}
FILES = sum(CLASSES.values())
BATCH = 12
# Boxes are drawn in the cells of a photo, so many a trial and so many a row.
BOXES, CELLS = 3, 7
EPOCHS, LIMIT_S = 30, 300
DAY_S = 24 * 3600
Campaign = Callable[[str], Tally]
few_or_many = pytest.mark.parametrize("kills", [1, pytest.param(12, marks=pytest.mark.slow)])
pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("killed-server"))
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def store(server: Server) -> Store:
    return Store(open_workspace(server.workspace))


def kill(server: Server) -> None:
    server.process.kill()
    server.process.wait()


def revive(server: Server) -> None:
    if not server.process.is_running():
        server.start()


class Sender:
    """Sends photos as the drop zone does: in batches, each again where no answer came, and then that all is sent."""

    def __init__(self, server: Server, store: Store, folder: Path) -> None:
        self._server = server
        self._ticket = upload.open_upload(store.workspace)
        self.folder = store.workspace.staging(self._ticket.upload_id)
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg"))
        files = [{f"photos/{name}": (folder / name).read_bytes()} for name in names]
        batches = [files[at : at + BATCH] for at in range(0, len(files), BATCH)]
        self.batches = [
            frame({name: content for each in batch for name, content in each.items()}, first=BATCH * number)
            for number, batch in enumerate(batches)
        ]

    def send(self, body: bytes, cut: Callable[[], None] | None = None) -> None:
        """Send a batch until it is taken; `cut` is called when half of it has gone out, the first time."""
        acts = [cut] if cut else []

        def halves() -> Iterator[bytes]:
            yield body[: len(body) // 2]
            while acts:
                time.sleep(0.05)
                acts.pop()()
            yield body[len(body) // 2 :]

        answer = self._ask("", halves)
        assert answer["accepted"] == BATCH

    def finish(self) -> str:
        return str(self._ask("/finish", lambda: iter([b'{"name": "photos"}']))["job"])

    def _ask(self, path: str, content: Callable[[], Iterator[bytes]]) -> dict[str, object]:
        headers = {"origin": self._server.url, "x-thaw-token": self._ticket.token}
        while True:
            try:
                address = f"{self._server.url}/thaw/upload/{self._ticket.upload_id}{path}"
                answer = httpx.post(address, content=content(), headers=headers, timeout=30)
            except httpx.TransportError:
                revive(self._server)
            else:
                assert answer.status_code == 200, answer.text
                return dict(answer.json())


def once_closed(server: Server, folder: Path) -> threading.Thread:
    """Kill the server as soon as it has closed an upload, before it has started the import if that comes later."""

    def watch() -> None:
        deadline = time.monotonic() + LIMIT_S
        while not (folder / upload.CLOSED_FILE).exists() and time.monotonic() < deadline:
            pass
        kill(server)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@few_or_many
def test_a_server_killed_in_an_upload_or_import(
    kills: int, server: Server, store: Store, tmp_path: Path, campaign: Campaign
) -> None:
    tally, chance = campaign("kills of the server in an upload and its import"), random.Random(1)
    for number in range(kills):
        before = {each.id: each.accepted for each in store.datasets()}
        with tally.trial(f"upload {number}"):
            sender = Sender(server, store, write_classes(tmp_path / str(number), CLASSES, 1000 * number))
            struck = chance.randrange(len(sender.batches))
            for place, body in enumerate(sender.batches):
                sender.send(body, (lambda: kill(server)) if place == struck else None)
            watcher = once_closed(server, sender.folder)
            job_id = sender.finish()
            watcher.join()
            revive(server)
            if number % 2:
                wait_until(lambda job_id=job_id: store.job(job_id).stage != Stage.STARTING, LIMIT_S, "the import")
                kill(server)
                server.start()
            wait_until(lambda job_id=job_id: not store.job(job_id).active, LIMIT_S, "the end of the import")
            job = store.job(job_id)
            assert job.status == "finished", job.error
            assert store.dataset(job.dataset_id or "").classes == CLASSES
            after = {each.id: each.accepted for each in store.datasets()}
            assert after == before | {job.dataset_id: FILES}, "an earlier data set is another, or photos came twice"
            # What was sent is thrown away once the data set is there.
            wait_until(lambda: leftovers(store) == [], LIMIT_S, "an empty workspace beside the data sets")


@few_or_many
def test_a_server_killed_in_an_edit_of_a_page(
    kills: int, browser: BrowserContext, server: Server, store: Store, tmp_path: Path, campaign: Campaign
) -> None:
    tally, chance = campaign("kills of the server in an edit of a page"), random.Random(2)
    dataset_id, page, confirmed = take_in(store, tmp_path), browser.pages[0], 0
    for number in range(kills):
        with tally.trial(f"edit {number}"):
            page.goto(f"{server.url}/data?dataset={dataset_id}")
            see_page(page, "data")
            page.get_by_test_id("stButtonGroup").get_by_text("Edit", exact=True).click()
            expect(page.locator(".tile")).to_have_count(FILES)
            page.locator(".tile").first.focus()
            for key in ("Space", "ArrowRight", "Space", "x"):
                page.keyboard.press(key)
            page.wait_for_timeout(chance.uniform(0, 1500))
            seen = was_confirmed(page)
            kill(server)
            server.start()
            excluded = store.dataset(dataset_id).excluded
            assert excluded in (0, 2), "half an edit"
            assert excluded == 2 or not seen, "an edit that the page had confirmed is lost"
            assert len([each for each in store.edits(dataset_id) if each.undone_at is None]) == excluded // 2
            confirmed += seen
            if excluded:
                edits.undo(store, dataset_id)
            assert store.dataset(dataset_id).excluded == 0
    tally.facts["confirmed"] = confirmed


@few_or_many
def test_a_server_killed_as_boxes_are_saved(
    kills: int, browser: BrowserContext, server: Server, store: Store, tmp_path: Path, campaign: Campaign
) -> None:
    tally, chance = campaign("kills of the server as boxes are saved"), random.Random(4)
    dataset_id, page, confirmed = take_in(store, tmp_path), browser.pages[0], 0
    photo = store.images(dataset_id)[0].id
    before: list[Box] = []
    for number in range(kills):
        with tally.trial(f"boxes {number}"):
            revive(server)
            page.goto(f"{server.url}/boxes?dataset={dataset_id}")
            page.locator(".stage img").wait_for()
            if not before:
                name_kind(page, "bud")
            known = len(before)
            for cell in range(BOXES * number, BOXES * (number + 1)):
                draw_in_cell(page, cell)
                page.wait_for_timeout(chance.uniform(0, 1000))
                word, shown = see_boxes(page)
                known = shown if word == "Saved" else known
            kill(server)
            kept = store.boxes_on(dataset_id, photo) or []
            assert known <= len(kept) <= shown, "boxes that the page called saved are lost"
            assert kept[: len(before)] == before, "boxes of before are others"
            confirmed += known - len(before)
            server.start()
            expect(page.locator(".saved")).to_have_text("Saved", timeout=1000 * PATIENCE_S)
            before = store.boxes_on(dataset_id, photo) or []
            assert len(set(before)) == len(before) == shown, "what was drawn meanwhile is not what is kept"
            assert before[: len(kept)] == kept, "boxes that were kept are others"
    tally.facts |= {"drawn": len(before), "confirmed": confirmed}
    assert len(before) > kills


def see_boxes(page: Page) -> tuple[str, int]:
    """Return whether the editor says that all is saved, and how many boxes it shows at that moment."""
    word, count = page.locator(".saved").evaluate(
        "word => [word.textContent, word.getRootNode().querySelectorAll('.box').length]"
    )
    return str(word), int(count)


def draw_in_cell(page: Page, number: int) -> None:
    """Draw a box in one of the cells of the photo that is shown."""
    left, top = number % CELLS, number // CELLS
    page.keyboard.press("Escape")
    draw_box(page, ((left + 0.2) / CELLS, (top + 0.2) / CELLS), ((left + 0.8) / CELLS, (top + 0.8) / CELLS))


def was_confirmed(page: Page) -> bool:
    """Say whether the page shows the change as one that can be undone."""
    try:
        return bool(page.get_by_text("excluded 2 images").count())
    except BrowserError:
        return False


@few_or_many
def test_a_server_killed_in_a_training(
    kills: int, browser: BrowserContext, server: Server, store: Store, tmp_path: Path, campaign: Campaign
) -> None:
    tally, chance = campaign("kills of the server in a training"), random.Random(3)
    dataset_id, page = take_in(store, tmp_path), browser.pages[0]
    for number in range(kills):
        with tally.trial(f"training {number}"):
            page.goto(f"{server.url}/head?dataset={dataset_id}")
            see_page(page, "head")
            set_numbers(page, Epochs=EPOCHS, Patience=EPOCHS, Image=32)
            start_head(page)
            run = store.runs()[0]
            time.sleep(chance.uniform(0, 8))
            before = store.epochs(run.id)
            kill(server)
            job = store.latest_job(run.id)
            assert job
            assert job.pid
            assert not job.active or psutil.pid_exists(job.pid), "the training went with the server"
            server.start()
            page.goto(f"{server.url}/head?run={run.id}")
            see_page(page, "head")
            wait_until(lambda run=run: over(store, run.id), LIMIT_S, "the end of the training")
            job = store.latest_job(run.id)
            assert job
            assert job.status == "finished", job.error
            epochs = store.epochs(run.id)
            assert len(epochs) == EPOCHS
            assert epochs[: len(before)] == before, "epochs that were shown are others"


def over(store: Store, run_id: str) -> bool:
    lifecycle.reconcile(store)
    job = store.latest_job(run_id)
    return job is not None and not job.active


def take_in(store: Store, folder: Path) -> str:
    photos = write_classes(folder / "photos", CLASSES, 90_000)
    job_id = starts.start_import(store, {"kind": "folder", "path": str(photos), "name": "Photos"})
    wait_until(lambda: not store.job(job_id).active, LIMIT_S, "the end of the import")
    dataset_id = store.job(job_id).dataset_id
    assert dataset_id, store.job(job_id).error
    return dataset_id


def half_made(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if ".part" in path.name or path.name.startswith(".")]


def test_the_next_server_clears_up_what_was_given_up(server: Server, store: Store, tmp_path: Path) -> None:
    sender = Sender(server, store, write_classes(tmp_path / "photos", CLASSES, 95_000))
    sender.send(sender.batches[0], lambda: kill(server))
    kill(server)
    # A browser may still send the rest for a day.
    server.start()
    assert sender.folder.is_dir()
    kill(server)
    root, old = store.workspace.root, time.time() - DAY_S - 60
    # Those too of pages that were only looked at.
    for folder in (root / "staging").iterdir():
        os.utime(folder, (old, old))
    server.start()
    wait_until(lambda: not list((root / "staging").iterdir()), LIMIT_S, "an empty staging folder")
    # It may be writing a file of its own at that moment.
    wait_until(lambda: not half_made(root), LIMIT_S, "the end of what is half made")
