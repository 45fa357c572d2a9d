"""A finished run's classifier, put together again to answer for new pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from thaw.decoding.decoder import Decoder
from thaw.decoding.reader import read_pictures
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.errors import ImageRejected, RunError, WeightsError
from tlcore.evaluation.predictions import read_labels
from tlcore.files import scratch_folder
from tlcore.images.deep_pictures import WIDEST
from tlcore.models import classifier as models
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import Backbone, find_backbone
from tlcore.models.backend import keras
from tlcore.models.inference import Forward, freeze
from tlcore.models.weights import fetch, fingerprint
from tlcore.training.snapshots import load_arrays, name_variables, write_variables


@dataclass(frozen=True)
class Classifier:
    """The assembled model, uint8 (n, image_size, image_size, 3) -> probabilities; its parts and what it puts out.

    Pictures of more than 8 bits are read by `grey_range`, that of the photos that it learnt from.
    """

    model: keras.Model
    row: Backbone
    backbone: keras.Model
    head: keras.Model
    labels: list[str]
    image_size: int
    output: str
    grey_range: int = WIDEST

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) for uint8 (n, image_size, image_size, 3), all of them in one batch."""
        return models.share_out(self._forward(pixels)[0], self.output)

    @cached_property
    def _forward(self) -> Forward:
        return freeze(self.model)


def load_classifier(store: Store, run: Run) -> Classifier:
    """Assemble the model that is the result of `run`; raise RunError if it has none.

    Raises WeightsError if the backbone's weights on this machine are not those the run was trained with.
    """
    if run.result_phase is None:
        raise RunError(f"Expected a run whose training has ended. Received: {run.id!r}, which has no model yet.")
    row, settings = find_backbone(run.backbone), run.head
    labels, image_size = read_labels(store, run), run.image_size
    weights = fetch(row)
    if fingerprint(weights) != run.facts.weights_sha256:
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
class Answer:
    """What the classifier says of one picture: probabilities float32 (classes,), or why it could not be read."""

    path: Path
    probabilities: np.ndarray | None
    rejected: str | None


def predict_files(classifier: Classifier, paths: Sequence[Path]) -> list[Answer]:
    """Decode pictures exactly as an import does and classify them, in the order given."""
    unique = list(dict.fromkeys(paths))
    answers: dict[Path, Answer] = {}
    with scratch_folder("predict") as scratch, Decoder() as decoder:
        read = read_pictures(decoder, scratch, unique, classifier.image_size, classifier.grey_range)
        for place, pixels in read:
            rejected = str(pixels) if isinstance(pixels, ImageRejected) else None
            shares = None if isinstance(pixels, ImageRejected) else classifier.predict(pixels[None])[0]
            answers[unique[place]] = Answer(unique[place], shares, rejected)
    return [answers[path] for path in paths]
