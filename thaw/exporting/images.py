"""The photos of an export: those that its files are judged on, and those that int8 takes its ranges from."""

import numpy as np

from thaw.datasets.run_split import read_split
from thaw.runs.results import predictions_file, read_predictions
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from tlcore.evaluation.predictions import EVALUATION_SIDES, Predictions
from tlcore.exporting.verification import MOST_JUDGED
from tlcore.splits.groups import group_images
from tlcore.splits.splits import choose_images

CALIBRATION_IMAGES = 200
SEED = 0


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


def choose_calibration(store: Store, run: Run) -> list[Image]:
    """Return about 200 of the run's training images, of every class, copies last."""
    parts = read_split(store, run)
    training = parts.training if parts else []
    return [training[place] for place in choose_images(training, group_images(training), CALIBRATION_IMAGES, SEED)]
