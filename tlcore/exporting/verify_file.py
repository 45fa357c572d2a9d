"""The process that proves one file, `python -m tlcore.exporting.verify_file FORMAT PATH`: it loads the file alone, as
any user would, and writes what it answers or how long it takes."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tlcore.exporting.formats import FORMATS
from tlcore.exporting.runtimes import LOADERS, Predict, describe_runtime, limit_threads

BATCH = 32
TIMED_S, LEAST_TIMES, MOST_TIMES = 1.5, 3, 30


def score(predict: Predict, pixels: np.ndarray, tell: Callable[[int], None]) -> dict[str, np.ndarray]:
    """Return what the file answers for all images, by the names of its outputs; `tell` hears how many are done."""
    parts = []
    for start in range(0, len(pixels), BATCH):
        parts.append(predict(np.ascontiguousarray(pixels[start : start + BATCH])))
        tell(min(start + BATCH, len(pixels)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def time_prediction(predict: Predict, batch: np.ndarray) -> float:
    """Return the median milliseconds of a prediction, the first left out, over 1.5 s but 3 to 30 times."""
    predict(batch)
    taken: list[float] = []
    while len(taken) < LEAST_TIMES or (sum(taken) < TIMED_S and len(taken) < MOST_TIMES):
        started = time.perf_counter()
        predict(batch)
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)


def measure(predict: Predict, pixels: np.ndarray) -> dict[str, float]:
    """Measure one image and a batch; where there are fewer images than that, they are repeated."""
    batch = np.ascontiguousarray(pixels[np.arange(BATCH) % len(pixels)])
    return {
        "latency_ms": time_prediction(predict, batch[:1]),
        "batch_ms": time_prediction(predict, batch),
        "batch": BATCH,
    }


def main() -> None:
    """Load the file; then write its answers to `--answers`, or print its times as JSON where that is not given."""
    parser = argparse.ArgumentParser(prog="tlcore.exporting.verify_file", description="Prove one exported file.")
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("path", type=Path)
    parser.add_argument("--pixels", required=True, type=Path, help="uint8 (n, side, side, 3) as .npy")
    parser.add_argument("--answers", type=Path, help="an .npz of the outputs by name")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    runtime = FORMATS[arguments.format].runtime
    pixels = np.load(arguments.pixels, mmap_mode="r", allow_pickle=False)
    limit_threads(arguments.threads)
    predict = LOADERS[runtime](arguments.path, arguments.threads)
    if arguments.answers is None:
        print_line(json.dumps(measure(predict, pixels) | {"runtime": describe_runtime(runtime)}))
        return
    outputs = score(predict, pixels, lambda done: print_line(str(done)))
    if "class_names" in outputs:
        # The same for every image, if all is well: one row.
        outputs["class_names"] = np.array(
            [[name.decode() for name in row] for row in set(map(tuple, outputs["class_names"]))]
        )
    # What was loaded is on record: a file that needs more than its own runtime would not be alone.
    outputs["modules"] = np.array(sorted({name.partition(".")[0] for name in sys.modules}))
    np.savez(arguments.answers, allow_pickle=False, **outputs)


def print_line(words: str) -> None:
    """Print to the process that waits for it, at once."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
