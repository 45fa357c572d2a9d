"""What several people at once cost: 20 sessions on one server; target under 400 MB and under 1 s a click.

    python -m benchmarks.people [--people 20] [--seconds 60] [--think 4] [--edit-every 10] [--rows 1000] [--judged 200]

Each person is a session of Streamlit's over its own WebSocket, as a browser's is, that clicks from page to page of the
menu with a pause between, and asks once a second what others have changed; every few seconds someone moves a photo, and
every page that shows the data set is drawn again. A click takes from when it is sent until the page's script has ended;
what a browser then draws is in `page_opening.py`. All figures are of one run: the median, the 95th of 100 and the worst
click, the server's memory, and its processor seconds, which tell more than seconds on a machine with other work.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.data_gate import announce, fill, megabytes  # noqa: E402
from benchmarks.page_opening import add_run  # noqa: E402
from pages.ui.server.changes_route import PATH  # noqa: E402
from tests.browser.harness import Server  # noqa: E402
from thaw.datasets import edits  # noqa: E402
from thaw.storage.store import Store  # noqa: E402
from thaw.storage.workspace import Workspace, open_workspace  # noqa: E402

# Those whose scripts show a data set and a run; the first page lies at the empty address.
PAGES = ("", "data", "backbone", "head", "finetune", "mistakes", "evaluation", "map", "compare", "history", "pile")
RUNS = 2
POLL_S = 1.0
OPENS_WITHIN_S = 180.0
LARGEST_MESSAGE = 256 * 1024**2
LIMIT_S, LIMIT_BYTES = 1.0, 400 * 1000**2


@dataclass
class Person:
    """One person's tab: its session on the server, and how long it waited for what it clicked on."""

    server: Server
    dataset_id: str
    pages: dict[str, str] = field(default_factory=dict)
    page: str = ""
    clicks: list[float] = field(default_factory=list)
    redraws: list[float] = field(default_factory=list)
    polls: int = 0
    _ended: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def stay(self, until: asyncio.Event, think_s: float, seed: int) -> None:
        """Open the first page, and then click from page to page until all is over."""
        parts, chance = urlsplit(self.server.url), random.Random(seed)
        async with websockets.connect(
            f"ws://{parts.netloc}/_stcore/stream",
            origin=self.server.url,
            subprotocols=["streamlit"],
            max_size=LARGEST_MESSAGE,
        ) as socket:
            reading = asyncio.create_task(self._read(socket))
            await self._run(socket)
            asking = asyncio.create_task(self._ask(socket))
            await asyncio.sleep(chance.uniform(0, think_s))
            while not until.is_set():
                self.page = chance.choice([each for each in PAGES if each != self.page])
                self.clicks.append(await self._run(socket))
                with suppress(TimeoutError):
                    await asyncio.wait_for(until.wait(), chance.uniform(0.5, 1.5) * think_s)
            for task in (reading, asking):
                task.cancel()

    async def _run(self, socket: websockets.ClientConnection) -> float:
        """Have the page that is open drawn; return the seconds until its script has ended."""
        async with self._one_at_a_time:
            asked = BackMsg()
            asked.rerun_script.query_string = f"dataset={self.dataset_id}"
            asked.rerun_script.page_script_hash = self.pages.get(self.page, "")
            started = time.monotonic()
            await socket.send(asked.SerializeToString())
            await asyncio.wait_for(self._ended.get(), OPENS_WITHIN_S)
            return time.monotonic() - started

    async def _read(self, socket: websockets.ClientConnection) -> None:
        async for content in socket:
            told = ForwardMsg.FromString(content)
            if told.HasField("navigation"):
                self.pages = {each.url_pathname: each.page_script_hash for each in told.navigation.app_pages}
                # The first page has an address of its own that is not told.
                self.pages[""] = next(each.page_script_hash for each in told.navigation.app_pages if each.is_default)
            if told.WhichOneof("type") == "script_finished" and told.script_finished in (
                ForwardMsg.FINISHED_SUCCESSFULLY,
                ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
            ):
                self._ended.put_nowait(None)

    async def _ask(self, socket: websockets.ClientConnection) -> None:
        """Ask once a second what others have changed, as `pages/ui/components/news.js` does."""
        known = None
        async with httpx.AsyncClient() as client:
            while True:
                await asyncio.sleep(POLL_S)
                answer = await client.get(f"{self.server.url}/{PATH}", params={"dataset": self.dataset_id}, timeout=60)
                self.polls += 1
                mark = answer.raise_for_status().json()["mark"]
                if known not in (None, mark) and self.page:
                    self.redraws.append(await self._run(socket))
                known = mark


async def edit(store: Store, dataset_id: str, until: asyncio.Event, every_s: float) -> int:
    """Move a photo every few seconds until all is over; return how often."""
    images, done = store.images(dataset_id), 0
    labels = list(store.dataset(dataset_id).classes)
    while not until.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), every_s)
            break
        image = images[done % len(images)]
        edits.move_images(store, dataset_id, [image.id], labels[(labels.index(image.label) + 1) % len(labels)])
        done += 1
    return done


async def watch(server: Server, until: asyncio.Event) -> int:
    """Return the most bytes that the server held, looking twice a second."""
    most = 0
    while not until.is_set():
        most = max(most, server.process.memory_info().rss)
        with suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), 0.5)
    return most


async def measure(server: Server, store: Store, dataset_id: str, arguments: argparse.Namespace) -> None:
    """Let the people work for a while; print what it took."""
    people = [Person(server, dataset_id) for _ in range(arguments.people)]
    until = asyncio.Event()
    working = [asyncio.create_task(person.stay(until, arguments.think, seed)) for seed, person in enumerate(people)]
    while not all(person.clicks for person in people):
        await asyncio.sleep(0.2)
        for task in working:
            if task.done():
                task.result()
    for person in people:
        person.clicks.clear()
        person.redraws.clear()
        person.polls = 0
    began, cpu = time.monotonic(), cpu_seconds(server)
    watching = asyncio.create_task(watch(server, until))
    editing = asyncio.create_task(edit(store, dataset_id, until, arguments.edit_every))
    await asyncio.sleep(arguments.seconds)
    took, cpu = time.monotonic() - began, cpu_seconds(server) - cpu
    until.set()
    most, edited, _ = await asyncio.gather(watching, editing, asyncio.gather(*working))
    clicks = [each for person in people for each in person.clicks]
    redraws = [each for person in people for each in person.redraws]
    print(f"  {tell(clicks, 'clicks')}{'' if statistics.median(clicks) < LIMIT_S else '  over the limit'}")
    if redraws:
        print(f"  {tell(redraws, 'pages drawn again')}, for {edited} edits")
    print(f"  {sum(person.polls for person in people) / took:.1f} questions a second what has changed")
    print(f"  the server held {megabytes(most)} at most{'' if most < LIMIT_BYTES else '  over the limit'}")
    print(f"  and took {cpu / took:.2f} processors, {1000 * cpu / (len(clicks) + len(redraws)):.0f} ms a page")
    print(f"  the machine: {os.cpu_count()} processors, for which {os.getloadavg()[0]:.1f} processes waited or worked")


def cpu_seconds(server: Server) -> float:
    """Return the processor seconds that the server has taken."""
    times = server.process.cpu_times()
    return float(times.user + times.system)


def tell(seconds: list[float], what: str) -> str:
    """Say how long so many clicks took."""
    ordered = sorted(seconds)
    late = ordered[int(0.95 * (len(ordered) - 1))]
    return (
        f"{len(ordered)} {what}: median {statistics.median(ordered):.2f} s, 95 of 100 within {late:.2f} s, "
        f"worst {ordered[-1]:.2f} s"
    )


@contextmanager
def serve(workspace: Workspace) -> Iterator[Server]:
    """Start a server that does nothing that nobody has asked for."""
    os.environ["THAW_UNASKED"] = "off"
    server = Server(workspace.root)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long is measured")
    parser.add_argument("--think", type=float, default=4.0, help="seconds that a person looks at a page, on average")
    parser.add_argument("--edit-every", type=float, default=10.0, help="seconds from one change to the next")
    parser.add_argument("--rows", type=int, default=1000, help="images in the data set")
    parser.add_argument("--judged", type=int, default=200, help="images that judge each run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        workspace = open_workspace(Path(name) / "workspace")
        store = Store(workspace)
        dataset_id = fill(workspace, "photos of all", arguments.rows)
        images = store.images(dataset_id)
        np.random.default_rng(0).shuffle(images)
        for seed in range(RUNS):
            add_run(store, dataset_id, images, arguments.judged, seed)
        with serve(workspace) as server:
            announce(f"{arguments.people} people on {arguments.rows:,} images and {RUNS} runs")
            print(f"  the server holds {megabytes(server.process.memory_info().rss)} before anyone comes")
            asyncio.run(measure(server, store, dataset_id, arguments))


if __name__ == "__main__":
    main()
