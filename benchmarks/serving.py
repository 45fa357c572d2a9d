"""The service against the same engine in a plain loop: one picture after another, and 16 clients at once, in one run.

    python benchmarks/serving.py [--clients 16] [--seconds 5] [--rounds 3] [--size 224] [--side 320] [--detect]

A head is trained for one epoch on pictures made on the spot, or with --detect a detector on the sample with boxes, and
`python -m thaw serve` answers for it. The plain
loop is a process of its own that decodes a picture in the same decoding children and runs the same network on it, one
picture after another; it and the clients take turns. The clients send picture files (JPEG) over connections that stay
open, from a process that does little else; they share the cores with the service, which the figures include.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.photos import write_photos  # noqa: E402

PICTURES = 40


def run_loop(workspace: Path, run_id: str, folder: Path) -> None:
    """Decode and classify in a plain loop, for as many seconds as each line of standard input says; the child side."""
    import numpy as np

    from thaw.decoding.decoder import Decoder
    from thaw.decoding.reader import decode_pictures
    from thaw.serving.loading import load_run
    from thaw.storage.store import Store
    from thaw.storage.workspace import open_workspace

    store = Store(open_workspace(workspace))
    engine = load_run(store, store.run(run_id))
    engine.warm([1, 8])
    paths = sorted(folder.rglob("*.jpg"))
    with Decoder(2) as decoder, tempfile.TemporaryDirectory() as scratch:

        def read(files: list[Path]) -> dict[int, np.ndarray]:
            copies = decode_pictures(decoder, Path(scratch), files, engine.grey_range)
            return {place: engine.look(copy.path, copy.width, copy.height).pixels for place, copy in copies}

        seen = read(paths)
        pixels = np.stack([seen[place] for place in range(len(paths))])

        def both(number: int) -> int:
            engine.network(read([paths[number % len(paths)]])[0][None])
            return 1

        def network(number: int) -> int:
            engine.network(pixels[number % len(paths)][None])
            return 1

        def network_of_8(_: int) -> int:
            engine.network(pixels[:8])
            return 8

        print("ready", flush=True)
        for line in sys.stdin:
            seconds = float(line)
            print(json.dumps([_rate(step, seconds) for step in (both, network, network_of_8)]), flush=True)


def _rate(step, seconds: float) -> float:
    started, number, done = time.perf_counter(), 0, 0
    while time.perf_counter() - started < seconds:
        done += step(number)
        number += 1
    return done / (time.perf_counter() - started)


async def send(port: int, bodies: list[bytes], seconds: float, waits: list[float]) -> None:
    """Send picture after picture over one connection for some seconds; note how long each answer took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ends = time.perf_counter() + seconds
    number = 0
    while (started := time.perf_counter()) < ends:
        writer.write(bodies[number % len(bodies)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"Expected status 200. Received: {head[:60]!r} {answer[:200]!r}")
        waits.append(time.perf_counter() - started)
        number += 1
    writer.close()


def measure(port: int, bodies: list[bytes], clients: int, seconds: float) -> tuple[float, list[float]]:
    """Return the pictures a second that `clients` got answered, and every answer's seconds."""

    async def all_together() -> list[float]:
        waits: list[float] = []
        await asyncio.gather(*(send(port, bodies[index:] + bodies[:index], seconds, waits) for index in range(clients)))
        return waits

    started = time.perf_counter()
    waits = asyncio.run(all_together())
    return len(waits) / (time.perf_counter() - started), waits


def tell_waits(name: str, waits: list[float]) -> None:
    """Print the median and the 95th percentile of answers' seconds."""
    ordered = sorted(waits)
    p50, p95 = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95))
    print(f"{name:42} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   ({len(ordered)} answers)")


def prepare(workspace: Path, folder: Path, size: int, detect: bool) -> str:
    """Import the pictures and train a head on them for one epoch, or a detector on the sample; return the run's id."""

    def command(*words: str) -> dict:
        line = [sys.executable, "-m", "thaw", *words, "--workspace", str(workspace), "--json"]
        return json.loads(subprocess.run(line, check=True, capture_output=True, text=True, cwd=ROOT).stdout)

    dataset = command("import", "objects" if detect else str(folder))["dataset"]
    task = ["--task", "detect"] if detect else []
    return command("train", dataset, "--epochs", "1", "--image-size", str(size), *task)["run"]


def main() -> None:
    """Measure in turns, then print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=224, help="pixels that the network sees")
    parser.add_argument("--side", type=int, default=320, help="pixels of the pictures that are sent")
    parser.add_argument("--detect", action="store_true", help="have objects found; --size is then 320, 416 or 512")
    parser.add_argument("--loop", nargs=3, metavar=("WORKSPACE", "RUN", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.loop:
        run_loop(Path(chosen.loop[0]), chosen.loop[1], Path(chosen.loop[2]))
        return
    with tempfile.TemporaryDirectory() as scratch:
        compare(Path(scratch), chosen)


def compare(scratch: Path, chosen: argparse.Namespace) -> None:
    """Start both sides and let them take turns."""
    workspace, folder = scratch / "workspace", write_photos(scratch / "photos", PICTURES, side=chosen.side)
    run_id = prepare(workspace, folder, chosen.size, chosen.detect)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    loop = subprocess.Popen(
        [sys.executable, __file__, "--loop", str(workspace), run_id, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    service = subprocess.Popen(
        [sys.executable, "-m", "thaw", "serve", run_id, "--port", "0", "--workspace", str(workspace)],
        stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment,
    )  # fmt: skip
    try:
        line = next(line for line in iter(service.stderr.readline, "") if line.startswith("Serving "))
        take_turns(loop, int(line.split(" (")[0].rpartition(":")[2]), folder, chosen)
    finally:
        loop.stdin.close()
        service.terminate()
        service.wait()
        loop.wait()


def take_turns(loop: subprocess.Popen, port: int, folder: Path, chosen: argparse.Namespace) -> None:
    """Measure plain loop, one client and many clients, round after round; print the medians."""
    bodies = [
        b"POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/jpeg\r\ncontent-length: %d\r\n\r\n%b"
        % (path.stat().st_size, path.read_bytes())
        for path in sorted(folder.rglob("*.jpg"))
    ]
    assert loop.stdout.readline() == "ready\n"
    measure(port, bodies, chosen.clients, 1)
    rounds, alone, together = [], [], []
    for _ in range(chosen.rounds):
        print(chosen.seconds, file=loop.stdin, flush=True)
        plain, network, network_of_8 = json.loads(loop.stdout.readline())
        alone += measure(port, bodies, 1, chosen.seconds)[1]
        served, waits = measure(port, bodies, chosen.clients, chosen.seconds)
        together += waits
        rounds.append((plain, network, network_of_8, served, served / plain))
    plain, network, network_of_8, served, ratio = (statistics.median(column) for column in zip(*rounds, strict=True))
    tell_waits("one client, one picture after another", alone)
    tell_waits(f"{chosen.clients} clients at once", together)
    print(f"plain loop, decode and network   {plain:7.1f} pictures/s")
    print(f"the network alone, one at a time {network:7.1f} pictures/s; eight at a time {network_of_8:.1f}")
    print(f"service, {chosen.clients} clients              {served:7.1f} pictures/s, {ratio:.0%} of the plain loop")


if __name__ == "__main__":
    main()
