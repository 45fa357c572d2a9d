"""How fast a head, and the batches of phase 2, are fed from a cache that is not in memory, beside one that is.

    python -m benchmarks.scale.streaming [head] [cut] [--rows 1000000] [--held 0.5] [--folder FOLDER]

`head` trains a head for epochs over pooled features (1,280 figures a photo); `cut` goes through batches of 32 of what
crosses a cut (88 kB a photo), with nothing learnt from them. Each is timed from a cache that the system holds in
memory, and from one of which it holds a part at most: none when an epoch begins, and whenever so much as `--held` of
it has been read from the disk the system is told to drop it all, since few machines let one lower their memory for a
while. That is done with reading ahead and without, by turns. The step of `cut` is a pause of 4 ms a batch of 32, which
is as fast as a large GPU.
"""

import argparse
import mmap
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from tlcore.features import read_ahead
from tlcore.features.batches import CachedBatches
from tlcore.features.cache import FeatureCache

AT_ONCE = 8192
CHANNELS, KINDS = 1280, 20
CUT = (14, 14, 112)
# Of the cut fewer rows, so that both caches are about as large.
CUT_SHARE = CHANNELS / (14 * 14 * 112)
BATCH = 32
STEP_S = 0.004
# How much of the rows is timed, of which without reading ahead a twentieth: a million would take a quarter of an hour.
PART = 0.1
NEVER = 10**18


def fill(folder: Path, name: str, shape: tuple[int, ...], rows: int) -> FeatureCache:
    """Return a cache of so many rows, made unless it is there."""
    cache, chance = (
        FeatureCache(folder, {"made for": name, "rows": rows}, [shape], ["float32"]),
        np.random.default_rng(0),
    )
    at_once = max(1, AT_ONCE * CHANNELS // int(np.prod(shape)))
    for start in range(len(cache.tensors()[0]) if cache.missing(["0"]) == [] else 0, rows, at_once):
        count = min(at_once, rows - start)
        cache.append([str(row) for row in range(start, start + count)], [chance.random((count, *shape), np.float32)])
    return cache


def forget(cache: FeatureCache, maps: Sequence[mmap.mmap]) -> None:
    """Have the system drop from memory what it holds of a cache's files, mapped pages too."""
    for mapped in maps:
        mapped.madvise(mmap.MADV_DONTNEED)
    for file in cache.folder.glob("tensor-*.bin"):
        handle = os.open(file, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


@contextmanager
def forgetting(cache: FeatureCache, maps: Sequence[mmap.mmap], held: int) -> Iterator[None]:
    """Have the system hold `held` bytes of a cache at most while the body runs."""
    over = threading.Event()

    def watch() -> None:
        before = _read_bytes()
        while not over.wait(0.02):
            if _read_bytes() - before > held:
                before = _read_bytes()
                forget(cache, maps)

    forget(cache, maps)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _read_bytes() -> int:
    """Return how much this process has had read from the disk."""
    lines = Path("/proc/self/io").read_text(encoding="utf-8").split("\n")
    return int(next(line for line in lines if line.startswith("read_bytes")).split()[1])


def measure(
    name: str, cache: FeatureCache, rows: int, go: Callable[[CachedBatches], None], rounds: int, held: float
) -> None:
    """Print the rows a second of `go` over all batches from memory, and from the disk, read ahead and not."""
    speeds: dict[str, list[float]] = {"in memory": [], "on disk, read ahead": [], "on disk, each waited for": []}
    # Of all of the file, so that an epoch of a part is as far from row to row as one of all.
    chosen = np.random.default_rng(0).permutation(len(cache.tensors()[0]))[:rows]
    labels = np.arange(rows, dtype=np.int32) % KINDS
    allowed = int(held * sum(file.stat().st_size for file in cache.folder.glob("tensor-*.bin")))
    for number in range(rounds):
        for way, found in speeds.items():
            waited = way == "on disk, each waited for"
            read_ahead.LARGE_BYTES = NEVER if waited else 0
            count = rows // 20 if waited else rows
            tensors = cache.tensors()
            batches = CachedBatches(tensors, chosen[:count, None], labels[:count], BATCH, 0, number, True)
            maps = [tensor._mmap for tensor in tensors]  # type: ignore[attr-defined]
            maps += batches._ahead.maps if batches._ahead else []
            if way == "in memory":
                for file in cache.folder.glob("tensor-*.bin"):
                    with file.open("rb") as stream:
                        while stream.read(1 << 24):
                            pass
            limited = nullcontext() if way == "in memory" else forgetting(cache, maps, allowed)
            with limited:
                started = time.perf_counter()
                go(batches)
                found.append(count / (time.perf_counter() - started))
    base = statistics.median(speeds["in memory"])
    for way, found in speeds.items():
        middle = statistics.median(found)
        every = ", ".join(f"{each:,.0f}" for each in found)
        print(f"  {name}, {way}: {middle:,.0f} images/s, {middle / base:.0%} ({every})", flush=True)


def measure_head(folder: Path, rows: int, rounds: int, held: float) -> None:
    """Train a head for one epoch after another."""
    from tlcore.models.backend import keras
    from tlcore.training.head_epochs import HeadEpochs
    from tlcore.training.phases import compile_model

    inputs = keras.Input((CHANNELS,))
    model = keras.Model(inputs, keras.layers.Dense(KINDS, activation="softmax")(inputs))
    compile_model(model, "softmax", 1e-3)
    cache, few = fill(folder, "a head", (CHANNELS,), rows), np.arange(BATCH)[:, None]
    epochs = HeadEpochs(model, None)

    def go(batches: CachedBatches) -> None:
        judged = CachedBatches(cache.tensors(), few, np.zeros(BATCH, np.int32), BATCH, 0, 1, shuffle=False)
        epochs.run(batches, judged, 1, 1, [])

    go(CachedBatches(cache.tensors(), few, np.zeros(BATCH, np.int32), BATCH, 0, 1, shuffle=True))
    measure("a head", cache, int(rows * PART), go, rounds, held)


def measure_cut(folder: Path, rows: int, rounds: int, held: float) -> None:
    """Go through the batches of phase 2."""
    rows = int(rows * CUT_SHARE)
    cache = fill(folder, "a cut", CUT, rows)

    def go(batches: CachedBatches) -> None:
        for number in range(len(batches)):
            batches[number]
            time.sleep(STEP_S)

    measure("a cut", cache, rows, go, rounds, held)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="head, cut (default: both)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="images")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed")
    parser.add_argument("--held", type=float, default=0.5, help="the share of a cache that fits in memory")
    parser.add_argument("--folder", type=Path, help="where the caches lie, which are kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.folder or Path(name)
        if not arguments.parts or "head" in arguments.parts:
            measure_head(folder, arguments.rows, arguments.rounds, arguments.held)
        if not arguments.parts or "cut" in arguments.parts:
            measure_cut(folder, arguments.rows, arguments.rounds, arguments.held)


if __name__ == "__main__":
    main()
