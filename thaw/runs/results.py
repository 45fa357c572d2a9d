"""What a run left behind: what its models said of the images that judged them, and the features of its images."""

import numpy as np

from thaw.datasets.edits import grouping
from thaw.datasets.run_split import read_labels, read_side, read_split
from thaw.runs.neighbours import NEAREST, Neighbour, PooledFeatures, find_neighbours, open_features
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.evaluation.predictions import EVALUATION_SIDES, VALIDATION, Predictions
from tlcore.splits.splits import Split


def predictions_file(phase: int, side: str) -> str:
    """Name the file of a run's folder that holds what the model of a phase says of one side of the split."""
    return f"predictions-{phase}.npz" if side == VALIDATION else f"predictions-{phase}-{side}.npz"


def read_predictions(
    store: Store, run: Run, phase: int | None = None, side: str = VALIDATION, parts: Split | None = None
) -> Predictions[Image]:
    """Read what the model of a phase (the run's result unless said) says of a side of the split.

    The images bear the labels that they had when the run began. `parts` is the run's split, for a caller that has read
    it already. Raises RunError while that phase has no model.
    """
    run.require_classifier()
    chosen = phase or run.result_phase
    path = store.workspace.run(run.id) / predictions_file(chosen or 0, side)
    if chosen is None or not path.exists():
        raise RunError(
            f"Expected a run whose training has ended. Received: {run.id!r}, which has no model yet. "
            "Train its head first."
        )
    with np.load(path, allow_pickle=False) as archive:
        ids, probabilities = archive["image_ids"].tolist(), archive["probabilities"]
    seen: list[Image] | None = getattr(parts, side) if parts else read_side(store, run, side)
    if seen is None:
        raise RunError(
            f"Expected a run with a record of its split. Received: {run.id!r}, whose {path.parent} lacks it."
        )
    by_id = {image.id: image for image in seen}
    return Predictions([by_id[id] for id in ids], read_labels(store, run), probabilities)


def accuracies(store: Store, run: Run, phase: int | None = None) -> dict[str, tuple[float, int]]:
    """Return the accuracy of a run's model (0..1) and the number of images, on every evaluation set that it has."""
    folder, chosen = store.workspace.run(run.id), phase or run.result_phase or 0
    sides = [side for side in EVALUATION_SIDES if (folder / predictions_file(chosen, side)).exists()]
    read = {side: read_predictions(store, run, chosen, side) for side in sides}
    return {side: (predictions.accuracy, len(predictions.images)) for side, predictions in read.items()}


def list_neighbours(store: Store, run: Run, image: Image, most: int = NEAREST) -> list[Neighbour[Image]]:
    """Return the training images of a run that most resemble `image`, the likest first (see `find_neighbours`).

    Without the features of phase 1 (a cache that made room for others) there are none.
    """
    features, parts = read_features(store, run), read_split(store, run)
    if features is None or parts is None:
        return []
    return find_neighbours(features, image, parts.training, grouping(store, run.dataset_id), most)


def read_features(store: Store, run: Run) -> PooledFeatures | None:
    """Open the features that phase 1 of a run cached, or return None where they are not on record or gone."""
    fact = run.facts.feature_cache
    if fact is None:
        return None
    try:
        return open_features(store.workspace.features / fact.folder, fact.channels)
    except FileNotFoundError:
        return None
