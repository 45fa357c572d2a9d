"""What each ready-made eye is worth and what it costs on one set of photos; docs/training.md tells when to take which.

    python benchmarks/eyes.py [NAME ...] [--photos 300] [--seeds 3] [--rounds 3]

Of every backbone whose weights are on this machine, or of those that are named: how many of the validation photos a
head gets right (mean, least and most over the seeds, which divide the photos anew), milliseconds of wall time an image
takes at the backbone's own size as phase 1 runs it, and the size of its weights. The photos are crops of real ones
(`benchmarks/photos.py`), of which a camera's noise makes some hard.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

TIMED = 64


def measure_ms(name: str, folder: Path, rounds: int) -> float:
    """Return the milliseconds that an image takes up to its pooled features: the median of some rounds of 64."""
    from tlcore.features.frozen import freeze_up_to
    from tlcore.models.backbones import find_backbone
    from tlcore.models.loading import load_backbone
    from tlcore.models.plan import pooled_cut

    row = find_backbone(name)
    forward = freeze_up_to(folder, load_backbone(row, row.input_size), pooled_cut(row)).forward([])
    pixels = np.random.default_rng(0).integers(0, 256, (TIMED, row.input_size, row.input_size, 3), np.uint8)
    forward(pixels[:8])
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        for start in range(0, TIMED, 32):
            forward(pixels[start : start + 32])
        taken.append(1000 * (time.perf_counter() - started) / TIMED)
    return statistics.median(taken)


def main() -> None:
    """Measure the backbones one after the other and print a row of a table for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from benchmarks.photos import write_photos
    from tlcore import api
    from tlcore.models.backbones import BACKBONES
    from tlcore.models.weights import is_local

    names = chosen.names or [name for name, row in BACKBONES.items() if is_local(row)]
    print("| backbone | pixels | head, of the validation photos | ms an image | weights, MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        photos = api.read_photos(write_photos(Path(scratch) / "photos", chosen.photos), Path(scratch) / "copies")
        for name in names:
            row, right = BACKBONES[name], []
            for seed in range(chosen.seeds):
                parts = api.split(photos, validation=0.25, seed=seed)
                size, folder = row.input_size, Path(scratch) / name
                right.append(api.train_head(parts, name, seed=seed, image_size=size, folder=folder).accuracy)
            share = f"{statistics.mean(right):.1%} ({min(right):.1%} to {max(right):.1%})"
            speed = measure_ms(name, Path(scratch) / "timed", chosen.rounds)
            print(f"| {row.title} | {size} | {share} | {speed:.1f} | {row.weights_bytes / 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
