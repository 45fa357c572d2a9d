"""Exports a model: builds the one that leaves, writes it in every format, and has each file verified by itself."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tlcore.errors import RunError
from tlcore.evaluation.calibration import temper
from tlcore.evaluation.predictions import Predictions
from tlcore.exporting.bench import Bench
from tlcore.exporting.converters import read_signature, write_saved_models
from tlcore.exporting.formats import Format, Signature
from tlcore.exporting.model import build_exported, build_logits, write_keras
from tlcore.exporting.model_files import ModelFile
from tlcore.exporting.verification import MOST_JUDGED, Reference, verify
from tlcore.images.pixels import load_pixels
from tlcore.models.classifier import Classifier
from tlcore.photos import P, Photo
from tlcore.progress import CheckStop, Progress, Stage, ignore_progress, never_stop
from tlcore.settings import Decision
from tlcore.splits.groups import group_images
from tlcore.splits.splits import choose_images

BATCH = 32
CALIBRATION_IMAGES = 200
SEED = 0


def sample(predictions: Predictions[P], most: int = MOST_JUDGED) -> Predictions[P]:
    """Return at most `most` of the predictions, drawn at random and always the same."""
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(predictions.images))[:most])
    images = [predictions.images[place] for place in chosen]
    return Predictions(images, predictions.labels, predictions.probabilities[chosen])


def choose_calibration(training: Sequence[P]) -> list[P]:
    """Return about 200 of the photos that a model learnt from, of every class, copies last."""
    return [training[place] for place in choose_images(training, group_images(training), CALIBRATION_IMAGES, SEED)]


def write_pixels(
    photos: Sequence[Photo],
    image_size: int,
    path: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the pixels of photos, uint8 (n, image_size, image_size, 3), as .npy to `path`.

    They never lie in memory at once. `progress` is called with how many are done, and of how many.
    """
    shape = (len(photos), image_size, image_size, 3)
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as readers:
        for start in range(0, len(photos), 8 * workers):
            progress(start, len(photos))
            chunk = photos[start : start + 8 * workers]
            for place, each in enumerate(readers.map(lambda photo: load_pixels(photo.file, image_size), chunk), start):
                pixels[place] = each
    pixels.flush()


def export_file(
    classifier: Classifier,
    decision: Decision,
    row: Format,
    judged: Mapping[str, Predictions],
    training: Sequence[Photo],
    recompute: bool,
    path: Path,
) -> ModelFile:
    """Write one file, or folder, of a classifier to `path` once it is verified; return what was measured of it.

    `judged` and `recompute` are as for `make_files`, and `training` are the photos that an int8 file takes its ranges
    from. Raises RunError where the file answers otherwise than the classifier: then `path` stays as it is.
    """
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    judged = {side: sample(predictions) for side, predictions in judged.items()}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as scratch:
        bench = Bench(Path(scratch) / "files", Path(scratch) / "work")
        bench.folder.mkdir()
        bench.work.mkdir()
        images = [image for predictions in judged.values() for image in predictions.images]
        write_pixels(images, classifier.image_size, bench.pixels)
        if row.calibrated:
            write_pixels(choose_calibration(training), classifier.image_size, bench.calibration)
        _, (made,) = make_files(classifier, decision, [row], judged, recompute, bench, ignore_progress, never_stop)
        if not made.offered:
            raise RunError(
                f"Expected a file in {row.title} that answers as the model does. Received: one that was refused, since "
                f"{made.reason}. Export another format."
            )
        if path.is_dir():
            shutil.rmtree(path)
        (bench.folder / row.file).replace(path)
    return made


def make_files(
    classifier: Classifier,
    decision: Decision,
    formats: Sequence[Format],
    judged: Mapping[str, Predictions],
    recompute: bool,
    bench: Bench,
    progress: Progress,
    check_stop: CheckStop,
) -> tuple[Signature, list[ModelFile]]:
    """Write a classifier in `formats` into `bench.folder`; return the signature and the record of each file.

    Every file must answer for the photos whose pixels lie at `bench.pixels` as `judged` does, by name of a set, with
    the decision's temperature; with `recompute` as the classifier does when it computes them once more in float32.
    `check_stop` raises to end the work.
    """
    # 1. The model, and the two formats that others are made from.
    progress(Stage.BUILDING_MODEL, 0, 0)
    model = build_exported(classifier, decision)
    files = {row.name: bench.folder / row.file for row in formats}
    if "keras" in files:
        write_keras(model, files["keras"])
    check_stop()
    progress(Stage.FREEZING_GRAPH, 0, 0)
    write_saved_models(model, classifier.labels, files.get("saved-model"), bench.bare)
    signature = read_signature(files.get("saved-model", bench.bare))

    # 2. What every file must answer.
    logits = None
    if recompute:
        progress(Stage.ANSWERING_AGAIN, 0, 0)
        logits = _predict_logits(classifier, bench.pixels)
    references = refer(judged, decision, logits)

    # 3. The other formats, each verified by a process of its own.
    return signature, verify(bench, formats, references, classifier.labels, decision.threshold, progress, check_stop)


def refer(judged: Mapping[str, Predictions], decision: Decision, logits: np.ndarray | None) -> list[Reference]:
    """Return what a file must answer for each set: the stored predictions, tempered, or what `logits` make.

    `logits` are float32 (n, classes) of all the images in the order of the sets.
    """
    references, start = [], 0
    for side, predictions in judged.items():
        end = start + len(predictions.images)
        if logits is None:
            tempered = temper(predictions.probabilities, decision.temperature)
        else:
            tempered = _softmax(logits[start:end].astype(np.float64) / decision.temperature)
        references.append(Reference(side, tempered, predictions.true))
        start = end
    return references


def _predict_logits(classifier: Classifier, pixels: Path) -> np.ndarray:
    model, images = build_logits(classifier), np.load(pixels, mmap_mode="r", allow_pickle=False)
    starts = range(0, len(images), BATCH)
    return np.concatenate([model.predict_on_batch(np.ascontiguousarray(images[i : i + BATCH])) for i in starts])


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
