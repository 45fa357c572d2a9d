"""A finished run's classifier, put together again to answer for new pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thaw.backbones.weights import fetch
from thaw.datasets.run_split import read_labels
from thaw.decoding.decoder import Decoder
from thaw.decoding.reader import read_pictures
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.arrays import load_arrays
from tlcore.errors import ImageRejected, RunError, WeightsError
from tlcore.files import scratch_folder
from tlcore.images.deep_pictures import WIDEST
from tlcore.models import classifier as models
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import find_backbone
from tlcore.models.classifier import Classifier
from tlcore.models.weights import sha256_of
from tlcore.training.snapshots import name_variables, write_variables


def load_classifier(store: Store, run: Run) -> Classifier:
    """Assemble the model that is the result of `run`; raise RunError if it has none.

    Raises WeightsError if the backbone's weights on this machine are not those the run was trained with.
    """
    if run.result_phase is None:
        raise RunError(f"Expected a run whose training has ended. Received: {run.id!r}, which has no model yet.")
    row, settings = find_backbone(run.backbone), run.head
    labels, image_size = read_labels(store, run), run.image_size
    weights = fetch(row)
    if sha256_of(weights) != run.facts.weights_sha256:
        raise WeightsError(
            f"Expected the weights with which run {run.id!r} was trained. Received: another file, {weights}. "
            "Restore that file, or train a new run."
        )
    backbone = build_backbone(row, image_size, weights)
    head = models.build_head(models.row_channels(backbone), len(labels), settings)
    result = "tuned.npz" if run.result_phase == 2 else "head.npz"
    write_variables(name_variables(backbone, head), load_arrays(store.workspace.run(run.id) / result))
    assembled = models.assemble(row, backbone, head, image_size)
    grey_range = run.facts.grey_range or WIDEST
    return Classifier(assembled, row, backbone, head, labels, image_size, settings.output, grey_range)


@dataclass(frozen=True)
class FilePrediction:
    """What the classifier says of one picture: probabilities float32 (classes,), or why it could not be read."""

    path: Path
    probabilities: np.ndarray | None
    rejected: str | None


def predict_files(classifier: Classifier, paths: Sequence[Path]) -> list[FilePrediction]:
    """Decode pictures exactly as an import does and classify them, in the order given."""
    unique = list(dict.fromkeys(paths))
    answers: dict[Path, FilePrediction] = {}
    with scratch_folder("predict") as scratch, Decoder() as decoder:
        read = read_pictures(decoder, scratch, unique, classifier.image_size, classifier.grey_range)
        for place, pixels in read:
            rejected = str(pixels) if isinstance(pixels, ImageRejected) else None
            shares = None if isinstance(pixels, ImageRejected) else classifier.predict(pixels[None])[0]
            answers[unique[place]] = FilePrediction(unique[place], shares, rejected)
    return [answers[path] for path in paths]
