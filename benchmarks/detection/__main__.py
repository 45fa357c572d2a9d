"""How well a detector finds objects that it has not seen, and what that costs: composites, trees, and speed in one run.

    python benchmarks/detection [composites] [trees] [speed] [--seeds 3] [--photos 200] [--epochs N] [--tuned N]
        [--layers N] [--rate R] [--views 4] [--size 320]

The composites want `--stamps` (the folder of Tux Paint's stamps) and `--bundles` (GCompris's, of .rcc files); the trees
want `--wheel`, deepforest-2.1.0-py3-none-any.whl, as `pip download --no-deps deepforest==2.1.0` brings it. Figures are
AP50 and AP50-95 of pycocotools on photos whose objects and backgrounds (or sites) no training has seen, after either
phase, over the seeds: mean and range; "as one kind" is AP50 of the same boxes where no kind is asked for, which tells
what is lost in finding and what in naming. What is not said is as the product proposes it for so many photos. Processor
seconds tell more than wall seconds on a machine with other work.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import tlcore  # noqa: E402
from benchmarks.detection.composites import MOST_OBJECTS, read_material, write_composites  # noqa: E402
from benchmarks.detection.trees import FOLDS, write_tiles  # noqa: E402
from tlcore.boxes import BoxedPhotos, corners  # noqa: E402
from tlcore.detection.evaluation import judge, measure_precisions  # noqa: E402
from tlcore.detection.found import Drawn, Found, average_precision  # noqa: E402
from tlcore.detection.suppression import suppress  # noqa: E402
from tlcore.detection.views import choose_window, clip_boxes, draw_window  # noqa: E402
from tlcore.settings import detection_settings  # noqa: E402

PARTS = ("composites", "trees", "speed")
SHARE = Path("/usr/share")
CONFIDENCE = 0.4
LOOKS = 30
PLAIN_PHOTOS, PLAIN_BATCH = 32, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--stamps", type=Path, default=SHARE / "tuxpaint/stamps")
    parser.add_argument("--bundles", type=Path, default=SHARE / "gcompris-qt/rcc")
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--tuned", type=int, help="epochs of phase 2; 0 leaves it out")
    parser.add_argument("--layers", type=int, help="that phase 2 trains")
    parser.add_argument("--rate", type=float, help="of phase 2")
    parser.add_argument("--patience", type=int, help="of phase 2")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--views", type=int, default=4)
    given = parser.parse_args()
    parts = given.parts or PARTS
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if "composites" in parts or "speed" in parts:
            sides = read_material(given.stamps, given.bundles)
            for side, (objects, grounds) in sides.items():
                kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(kind for kind, _ in objects).items())
                print(f"{side}: {len(objects)} objects ({kinds}), {len(grounds)} backgrounds", flush=True)
            learnt = write_composites(folder / "learnt", given.photos, *sides["learnt"], seed=1)
            if "composites" in parts:
                unseen = write_composites(folder / "unseen", given.photos, *sides["unseen"], seed=2)
                measure("composites, objects and backgrounds unseen", given, learnt, unseen, folder)
            if "speed" in parts:
                measure_speed(given, learnt, folder / "speed")
        if "trees" in parts and given.wheel:
            for name, learnt_scenes, unseen_scenes in FOLDS:
                learnt = write_tiles(folder / name / "learnt", given.wheel, learnt_scenes)
                unseen = write_tiles(folder / name / "unseen", given.wheel, unseen_scenes)
                measure(f"trees, {name}", given, learnt, unseen, folder)


def measure(name: str, given: argparse.Namespace, learnt: BoxedPhotos, unseen: BoxedPhotos, folder: Path) -> None:
    """Train with each seed and print what is found on unseen photos after either phase."""
    print(f"{name}: {len(learnt.photos)} photos to learn from, {len(unseen.photos)} that judge", flush=True)
    labels = learnt.labels
    drawn = [
        Drawn(corners(unseen.boxes[photo.id]), np.array([labels.index(box.label) for box in unseen.boxes[photo.id]]))
        for photo in unseen.photos
    ]
    figures: dict[str, list[tuple[float, float, float]]] = {}
    epochs = given.epochs or detection_settings("efficientnet-lite0", len(learnt.photos)).epochs
    for seed in range(given.seeds):
        options = {"epochs": epochs, "image_size": given.size, "views": given.views, "seed": seed}
        trained, spent = timed(tlcore.train_detector, learnt, folder=folder / "features", **options)
        costs = f"{spent[0]:.0f} s, {spent[1]:.0f} s of a processor, {len(trained.epochs)} epochs"
        ways = {"phase 1": (trained, costs)}
        if given.tuned != 0:
            asked = {"epochs": given.tuned, "learning_rate": given.rate, "patience": given.patience}
            chosen = {name: value for name, value in asked.items() if value is not None}
            tuned, spent = timed(tlcore.fine_tune_detector, trained, given.layers, **chosen)
            costs = (
                f"{spent[0]:.0f} s, {spent[1]:.0f} s of a processor, {len(tuned.epochs) - len(trained.epochs)} epochs"
            )
            ways["phase 2"] = (tuned, costs)
        for way, (each, costs) in ways.items():
            found = [seen for photo in unseen.photos for seen in each.detector.find([_open(photo.file)])]
            precisions = measure_precisions(found, drawn, labels, seed)
            assert precisions is not None
            judged = judge(found, drawn, labels, CONFIDENCE)
            alone = measure_as_one(found, drawn)
            figures.setdefault(way, []).append((precisions.ap50.value, precisions.ap50_95.value, alone))
            right, objects = (sum(getattr(kind, of) for kind in judged.kinds) for of in ("found", "objects"))
            print(
                f"  seed {seed}, {way}: AP50 {precisions.ap50.value:.3f} ({precisions.ap50.low:.3f} to "
                f"{precisions.ap50.high:.3f}), AP50-95 {precisions.ap50_95.value:.3f}, as one kind {alone:.3f}; "
                f"at {CONFIDENCE} {right} of {objects} found, {len(judged.false_alarms)} false alarms; on its own "
                f"validation {each.precision:.3f}; {costs}",
                flush=True,
            )
    for way, values in figures.items():
        for place, what in enumerate(("AP50", "AP50-95", "AP50 as one kind")):
            mine = [value[place] for value in values]
            print(f"  {way}: {what} {statistics.mean(mine):.3f}, {min(mine):.3f} to {max(mine):.3f}", flush=True)


def measure_as_one(found: Sequence[Found], drawn: Sequence[Drawn]) -> float:
    """Return AP50 where a box is right whatever its kind; of boxes on one object the surest alone is kept."""
    merged = []
    for each in found:
        edges, scores, kinds = suppress(each.edges, each.scores[:, None], least_score=0.0)
        merged.append(Found(edges, scores, kinds))
    return average_precision(merged, [Drawn(each.edges, np.zeros_like(each.kinds)) for each in drawn], 1) or 0.0


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
    clocks = Clocks()
    plain.fit(_make_plain(keras, learnt, given.size), epochs=2, callbacks=[clocks], verbose=0)
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


def _make_plain(keras: Any, learnt: BoxedPhotos, size: int) -> Any:
    """Return what a plain loop learns from: photos that are read and drawn anew, another view in each epoch."""
    photos = learnt.photos[:PLAIN_PHOTOS]

    class Plain(keras.utils.PyDataset):
        epoch = 0

        def __len__(self) -> int:
            return -(-len(photos) // PLAIN_BATCH)

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            images, boxes = [], np.full((PLAIN_BATCH, MOST_OBJECTS, 5), -1, np.float32)
            for place, photo in enumerate(photos[index * PLAIN_BATCH : (index + 1) * PLAIN_BATCH]):
                window = choose_window(photo.width, photo.height, size, photo.content, 2 + self.epoch, 0)
                images.append(draw_window(photo.file, window, photo.content, 2 + self.epoch, 0))
                edges, kept = clip_boxes(window, corners(learnt.boxes[photo.id]))
                kinds = [learnt.labels.index(box.label) for box in learnt.boxes[photo.id]]
                boxes[place, : len(edges)] = np.column_stack([edges, np.array(kinds)[kept]])
            return np.stack(images), boxes[: len(images)]

        def on_epoch_end(self) -> None:
            self.epoch += 1

    return Plain(workers=0)


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
