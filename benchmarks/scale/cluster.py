"""Features of generated photos: by a Ray cluster of two nodes of one processor, each a process on this machine, against
two local processes; and with one node killed at half. Wants Ray (`pip install '.[cluster]'`) and two processors.

    python -m benchmarks.scale cluster [--photos 20000] [--size 64] [--backbone efficientnet-lite0] [--rounds 1]

Each way fills a cache of its own through the same code as a job. Goals: at most 15% longer than by local processes, and
the same files; a node killed at half loses less than a shard a worker. The time to join the cluster and to load the
network is told apart, since it does not grow with the photos: overhead is that of the rates from the first shard on.
"""

import argparse
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.support.cluster.nodes import Cluster, cluster
from tests.support.cluster.tasks import Logged
from tests.support.pictures.corpus import photo
from thaw.cluster.costs import estimate
from thaw.cluster.runner import Call, LocalRunner
from thaw.cluster.spreading import ClusterSpread
from thaw.jobs.reporter import Reporter
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.features.compute import BATCH, list_views
from tlcore.features.frozen import freeze_up_to
from tlcore.features.shards import SHARD_IMAGES
from tlcore.models.backbones import find_backbone
from tlcore.models.loading import LoadedBackbone, load_backbone
from tlcore.models.plan import pooled_cut
from tlcore.photos import Photo
from tlcore.progress import Progress, Spread, ignore_progress, never_stop

GOAL_PERCENT = 15.0
NODES = 2
BATCHES = 10


class Here:
    """Spreads over processes of this machine alone, as `ClusterSpread` does where a cluster is lost."""

    def __call__(self, function: Any, common: Any, tasks: Any, carry: Any, witness: Path, check_stop: Any) -> Generator:
        ended, due = dict[int, Any](), 0
        with closing(LocalRunner(NODES)) as runner:
            for outcome in runner.run(Call(function, common, carry, witness), enumerate(tasks), check_stop):
                ended[outcome.number] = outcome.result
                while due in ended:
                    yield ended.pop(due)
                    due += 1

    def decline(self, reason: str) -> None:
        raise RuntimeError(reason)


def processor_seconds() -> float:
    """Return what this process and all that it has started have had of the processors: nodes and workers too."""
    spent = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


class Clock:
    """When the first shard came, and how fast the others, by the clock and by processor seconds, which tell more on a
    machine with other work; `at_half` is called once, as half of all are there."""

    def __init__(self, at_half: Callable[[], None] | None = None) -> None:
        self._at_half, self._begun = at_half, time.perf_counter()
        self.first_s, self._first, self._done, self._last_s = 0.0, 0, 0, 0.0
        self._spent, self.photo_ms = 0.0, 0.0

    def __call__(self, _stage: str, done: int, total: int) -> None:
        self._last_s, self._done = time.perf_counter() - self._begun, done
        if done and not self._first:
            self._first, self.first_s, self._spent = done, self._last_s, processor_seconds()
        if done == total and done > self._first and not self.photo_ms:
            self.photo_ms = 1000 * (processor_seconds() - self._spent) / (done - self._first)
        if self._at_half and done >= total / 2:
            self._at_half()
            self._at_half = None

    @property
    def rate(self) -> float:
        return (self._done - self._first) / (self._last_s - self.first_s)

    @property
    def seconds(self) -> float:
        return self._last_s


def make_photos(folder: Path, count: int, size: int) -> list[Photo]:
    """Write photos of `size` x `size` pixels that no other has."""
    made = []
    for number in range(count):
        file = folder / f"{number}.jpg"
        photo(number, size, size).save(file, quality=90)
        made.append(Photo(f"{number}", "kind", file.name, f"{number:064x}", size, size, file=str(file)))
    return made


def fill(
    loaded: LoadedBackbone, photos: list[Photo], caches: Path, spread: Spread | None, progress: Progress
) -> dict[str, str]:
    """Compute all features anew; return the hash of each file of the cache but what was measured."""
    part = freeze_up_to(caches, replace(loaded, spread=spread), pooled_cut(loaded.row))
    part.forward([])
    part.fill(list_views(photos, 1, "none", 0), "none", 0, progress, never_stop)
    files = [file for file in part.cache.folder.iterdir() if file.name != "facts.json"]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def expect(loaded: LoadedBackbone, caches: Path) -> float:
    """Return the milliseconds of a processor for a photo that the cost model expects of a cluster, by what the network
    alone takes here."""
    forward = freeze_up_to(caches, loaded, pooled_cut(loaded.row)).forward([])
    images = np.random.default_rng(0).integers(0, 256, (BATCH, loaded.image_size, loaded.image_size, 3), np.uint8)
    forward(images)
    started = time.process_time()
    for _ in range(BATCHES):
        forward(images)
    image_ms = 1000 * (time.process_time() - started) / (BATCHES * BATCH * (os.cpu_count() or 1))
    return 1000 / estimate(1, image_ms, 1, 1, 0).photos_per_second


def measure(loaded: LoadedBackbone, photos: list[Photo], work: Path) -> None:
    """Fill a cache each way and print how long that took."""
    store = Store(open_workspace(str(work / "workspace")))
    rates, costs = dict[str, float](), dict[str, float]()

    def run(name: str, spread: Spread | None, at_half: Callable[[], None] | None = None) -> dict[str, str]:
        shutil.rmtree(work / "caches", ignore_errors=True)
        clock = Clock(at_half)
        files = fill(loaded, photos, work / "caches", spread, clock)
        rates[name], costs[name] = clock.rate, clock.photo_ms
        print(
            f"{name}: {clock.seconds:.1f} s, the first shard after {clock.first_s:.1f} s, then {clock.rate:,.1f}/s, ",
            end="",
        )
        # What a node that was killed had taken is not known any more.
        print("" if at_half else f"{clock.photo_ms:.2f} ms of a processor each")
        return files

    def on(lab: Cluster) -> ClusterSpread:
        return ClusterSpread(lab.address, Reporter(store, store.add_job("import", {})))

    reference = run("in this process", None)
    same = {"local": run("two local processes", Here()) == reference}
    with cluster() as lab:
        lab.add("second")
        same["cluster"] = run("a cluster of two nodes", on(lab)) == reference
        overhead = 100 * (rates["two local processes"] / rates["a cluster of two nodes"] - 1)
        spent = 100 * (costs["a cluster of two nodes"] / costs["two local processes"] - 1)
        print(f"overhead of the cluster: {overhead:.1f}% by the clock, {spent:.1f}% by processor time ", end="")
        print(f"(goal: at most {GOAL_PERCENT:.0f}%)")
        print(
            f"the cost model expects {expect(loaded, work / 'caches'):.2f} ms of a processor for a photo of the cluster"
        )
    with cluster() as lab:
        doomed = lab.add("second")
        (work / "log").unlink(missing_ok=True)
        logged = Logged(on(lab), work / "log")
        same["one killed"] = run("one of two killed at half", logged, lambda: lab.kill(doomed)) == reference
        lost, again = logged.count("began") - logged.count("ended"), logged.count("ended")
        print(
            f"shards of {SHARD_IMAGES} photos: {-(-len(photos) // SHARD_IMAGES)}; cut off by the kill: {lost}; ", end=""
        )
        print(f"done: {again}")
    print("files as those of this process: " + ", ".join(f"{name}: {each}" for name, each in same.items()))


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=64, help="pixels a side, of the photos and of what is seen of them")
    parser.add_argument("--backbone", default="efficientnet-lite0")
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    loaded = load_backbone(find_backbone(asked.backbone), asked.size)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "photos").mkdir()
        photos = make_photos(work / "photos", asked.photos, asked.size)
        fill(loaded, photos[:SHARD_IMAGES], work / "caches", None, ignore_progress)
        for number in range(asked.rounds):
            print(f"round {number + 1}, {asked.photos:,} photos of {asked.size} pixels, {asked.backbone}")
            measure(loaded, photos, work)
