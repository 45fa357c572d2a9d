"""What learning from scratch brings beside a ready-made backbone, on the sample digits or on a folder of photos.

    python benchmarks/from_scratch.py [--folder FOLDER] [--seeds 1] [--ways scratch head tuned]

Each way trains with its own defaults on the same split of a fifth for validation, with features computed anew. Printed
are the share of validation images that are right, wall seconds, processor seconds (which tell more on a machine with
other work) and the epochs, for each seed.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

WAYS = ("scratch", "head", "tuned")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="one folder for each class (default: the sample digits)")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    arguments = parser.parse_args()

    import tlcore
    from thaw.sources.samples import write_digits

    with tempfile.TemporaryDirectory() as scratch:
        photos = tlcore.read_photos(arguments.folder or write_digits(Path(scratch) / "digits"))
        for seed in range(arguments.seeds):
            split = tlcore.split(photos, 0.2, seed)
            print(f"seed {seed}: {len(split.training):,} to learn from, {len(split.validation):,} to judge by")
            trained = None
            for way in arguments.ways:
                started, processor = time.perf_counter(), time.process_time()
                if way == "scratch":
                    result = tlcore.train_from_scratch(split, seed=seed)
                elif way == "head":
                    result = trained = tlcore.train_head(split, seed=seed)
                else:
                    result = tlcore.fine_tune(trained or tlcore.train_head(split, seed=seed))
                print(
                    f"  {way:8} {result.accuracy:7.2%} right, {time.perf_counter() - started:6.0f} s, "
                    f"{time.process_time() - processor:6.0f} s of processor time, {len(result.epochs)} epochs, "
                    f"{result.image_size} px",
                    flush=True,
                )


if __name__ == "__main__":
    main()
