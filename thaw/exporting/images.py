"""The photos of an export: those that its files are judged on, and those that int8 takes its ranges from."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from thaw.datasets.run_split import read_split
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from tlcore.evaluation.calibration import temper
from tlcore.evaluation.predictions import EVALUATION_SIDES, Predictions, predictions_file, read_predictions
from tlcore.evaluation.threshold import Decision
from tlcore.exporting.tolerances import MOST_JUDGED, Reference
from tlcore.images.decode import load_pixels
from tlcore.splits.groups import group_images
from tlcore.tuning.probe_trial import choose_images

CALIBRATION_IMAGES = 200
SEED = 0

Progress = Callable[[int, int], None]


def read_judged(store: Store, run: Run, most: int = MOST_JUDGED) -> dict[str, Predictions]:
    """Return what the run's result says of each set of photos that judges it, at most `most` of each, at random."""
    folder, judged = store.workspace.run(run.id), {}
    for side in EVALUATION_SIDES:
        if (folder / predictions_file(run.result_phase or 0, side)).exists():
            read = read_predictions(store, run, side=side)
            chosen = np.sort(np.random.default_rng(SEED).permutation(len(read.images))[:most])
            images = [read.images[place] for place in chosen]
            judged[side] = Predictions(images, read.labels, read.probabilities[chosen])
    return judged


def refer(judged: dict[str, Predictions], decision: Decision, logits: np.ndarray | None) -> list[Reference]:
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


def choose_calibration(store: Store, run: Run) -> list[Image]:
    """Return about 200 of the run's training images, of every class, copies last."""
    parts = read_split(store, run)
    training = parts.training if parts else []
    return [training[place] for place in choose_images(training, group_images(training), CALIBRATION_IMAGES, SEED)]


def write_pixels(store: Store, images: Sequence[Image], image_size: int, path: Path, progress: Progress) -> None:
    """Write the images' pixels, uint8 (n, image_size, image_size, 3), as .npy; they never lie in memory at once."""
    shape = (len(images), image_size, image_size, 3)
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)

    def read(image: Image) -> np.ndarray:
        return load_pixels(store.workspace.image(image.folder, image.id, image.suffix), image_size)

    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as readers:
        for start in range(0, len(images), 8 * workers):
            progress(start, len(images))
            for place, each in enumerate(readers.map(read, images[start : start + 8 * workers]), start):
                pixels[place] = each
    pixels.flush()


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
