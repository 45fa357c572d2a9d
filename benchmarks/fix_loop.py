"""From a press on Retrain to the new score, for 10,000 images: without TensorFlow from cached features, and with it.

    python benchmarks/fix_loop.py [--images 10000] [--rounds 3]

The pictures are drawn (a colour for each of ten classes, over random smooth scenes), but they are real files that are
imported, and their features are what the backbone makes of them, computed once before anything is timed; 3% of them are
put in a wrong class and mended in rounds. Each round asks for both, one after the other in a process of its own: the
retraining as the Mistakes page starts it, and the same fixes learnt by an ordinary new head, which is how it was done
before. Seconds are from the press until the predictions can be read; beside them stand the processor's own seconds,
which other work on the machine does not lengthen.
"""

import argparse
import colorsys
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from thaw.datasets import edits  # noqa: E402
from thaw.jobs import lifecycle, starts  # noqa: E402
from thaw.retraining.fixes import retrain  # noqa: E402
from thaw.runs.results import read_predictions  # noqa: E402
from thaw.storage.store import Store  # noqa: E402
from thaw.storage.workspace import open_workspace  # noqa: E402
from thaw.worker import work  # noqa: E402
from tlcore.settings import HeadSettings  # noqa: E402

CLASSES, SIDE_PX, WRONG_SHARE, COLOUR_SHARE = 10, 48, 0.03, 0.4
SETTINGS = HeadSettings(image_size=SIDE_PX)
LOOK_EVERY_S = 0.01


def write_pictures(folder: Path, images: int) -> None:
    """Write PNGs in ten class folders, each a random smooth scene under the colour of its class."""
    chance = np.random.default_rng(0)
    for number in range(images):
        label = number % CLASSES
        colour = tuple(int(255 * part) for part in colorsys.hsv_to_rgb(label / CLASSES, 0.8, 0.8))
        small = Image.fromarray(chance.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        scene = small.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
        target = folder / f"class {label}"
        target.mkdir(parents=True, exist_ok=True)
        Image.blend(scene, Image.new("RGB", scene.size, colour), COLOUR_SHARE).save(target / f"{number:05d}.png")


def import_pictures(store: Store, folder: Path) -> str:
    """Import the pictures and put some in the next class; return the data set's id."""
    job_id = store.add_job("import", {"kind": "folder", "path": str(folder), "name": "Drawn pictures"})
    work(store, job_id)
    dataset_id = store.job(job_id).dataset_id
    assert dataset_id, store.job(job_id).error
    images = store.images(dataset_id)
    wrong = np.random.default_rng(1).choice(len(images), round(len(images) * WRONG_SHARE), replace=False)
    for label in range(CLASSES):
        ids = [images[place].id for place in wrong if images[place].label == f"class {label}"]
        edits.move_images(store, dataset_id, ids, f"class {(label + 1) % CLASSES}")
    return dataset_id


def measure(store: Store, run_id: str, pressed: float, spent: float) -> tuple[float, float]:
    """Wait for a run's predictions; return the seconds since `pressed` and those of the processor since `spent`."""
    while store.run(run_id).result_phase is None:
        lifecycle.reconcile(store)
        job = store.latest_job(run_id)
        if job is None or job.status == "failed":
            raise SystemExit(f"The run {run_id} failed: {job and job.error}")
        time.sleep(LOOK_EVERY_S)
    read_predictions(store, store.run(run_id))
    seconds = time.monotonic() - pressed
    while (job := store.latest_job(run_id)) and (job.active or _alive(job.pid)):
        time.sleep(LOOK_EVERY_S)
    return seconds, _children_s() - spent


def _alive(pid: int | None) -> bool:
    return pid is not None and Path(f"/proc/{pid}").exists()


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def tell(store: Store, what: str, run_id: str, took: tuple[float, float]) -> None:
    run, epochs = store.run(run_id), store.epochs(run_id)
    print(
        f"  {what}: {took[0]:.1f} s, {took[1]:.1f} s of the processor, {len(epochs)} epochs, validation "
        f"{read_predictions(store, run).accuracy:.1%}, loss {min(epoch.val_loss for epoch in epochs):.3f}",
        flush=True,
    )


def main() -> None:
    """Build the data set, train a first head, and retrain it both ways after each round of fixes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(open_workspace(Path(folder) / "workspace"))
        write_pictures(Path(folder) / "pictures", arguments.images)
        dataset_id = import_pictures(store, Path(folder) / "pictures")
        newest = starts.start_head(store, dataset_id, SETTINGS)
        tell(store, "first head, features computed", newest, measure(store, newest, time.monotonic(), _children_s()))
        ratios = []
        for number in range(arguments.rounds):
            wrong = [image for image in store.images(dataset_id) if image.label != image.imported_label]
            for image in wrong[:: arguments.rounds - number]:
                edits.move_images(store, dataset_id, [image.id], image.imported_label)
            print(f"round {number + 1}: {len(wrong[:: arguments.rounds - number])} fixes")
            pressed, spent = time.monotonic(), _children_s()
            newest = retrain(store, newest)
            quick = measure(store, newest, pressed, spent)
            tell(store, "retrained", newest, quick)
            pressed, spent = time.monotonic(), _children_s()
            anew = starts.start_head(store, dataset_id, SETTINGS)
            slow = measure(store, anew, pressed, spent)
            tell(store, "as a new head", anew, slow)
            ratios.append(slow[0] / quick[0])
        print(f"median ratio: {statistics.median(ratios):.1f}")


if __name__ == "__main__":
    main()
