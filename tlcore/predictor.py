"""A finished run's classifier, put together again to answer for new pictures."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from tlcore import model as models
from tlcore.architectures import build_backbone
from tlcore.backbones import find_backbone
from tlcore.decoder import DecodeJob, Decoder
from tlcore.errors import ImageRejected, RunError, WeightsError
from tlcore.evaluation import read_labels
from tlcore.images import load_pixels
from tlcore.records import Run
from tlcore.settings import HeadSettings
from tlcore.snapshots import load_arrays, name_variables, write_variables
from tlcore.store import Store
from tlcore.training import probabilities
from tlcore.weights import fetch, fingerprint


@dataclass(frozen=True)
class Classifier:
    """The assembled model: uint8 (n, image_size, image_size, 3) -> probabilities, and what its outputs mean."""

    model: keras.Model
    labels: list[str]
    image_size: int
    output: str

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) for uint8 (n, image_size, image_size, 3)."""
        return probabilities(self.model, pixels, self.output)


def load_classifier(store: Store, run: Run) -> Classifier:
    """Assemble the model that is the result of `run`; raise RunError if it has none.

    Raises WeightsError if the backbone's weights on this machine are not those the run was trained with.
    """
    if run.result_phase is None:
        raise RunError(f"Expected a run whose training has ended. Received: {run.id!r}, which has no model yet.")
    row, settings = find_backbone(run.backbone), HeadSettings.from_json(run.head)
    labels, image_size = read_labels(store, run), int(run.facts["image_size"])
    weights = fetch(row)
    if fingerprint(weights) != run.facts["weights_sha256"]:
        raise WeightsError(
            f"Expected the weights with which run {run.id!r} was trained. Received: another file, {weights}. "
            "Restore that file, or train a new run."
        )
    backbone = build_backbone(row, image_size, weights)
    head = models.build_head(models.row_channels(backbone), len(labels), settings)
    result = "tuned.npz" if run.result_phase == 2 else "head.npz"
    write_variables(name_variables(backbone, head), load_arrays(store.workspace.run(run.id) / result))
    return Classifier(models.assemble(row, backbone, head, image_size), labels, image_size, settings.output)


@dataclass(frozen=True)
class Answer:
    """What the classifier says of one picture: probabilities float32 (classes,), or why it could not be read."""

    path: Path
    probabilities: np.ndarray | None
    rejected: str | None


def predict_files(classifier: Classifier, paths: Sequence[Path]) -> list[Answer]:
    """Decode pictures exactly as an import does and classify them, in the order given."""
    answers: dict[Path, Answer] = {}
    with tempfile.TemporaryDirectory() as scratch, Decoder() as decoder:
        jobs = [
            DecodeJob(path, Path(scratch) / f"{number}", Path(scratch) / f"{number}-thumbnail.jpg")
            for number, path in enumerate(dict.fromkeys(paths))
        ]
        for job, outcome in decoder.map(jobs):
            if isinstance(outcome, ImageRejected):
                answers[job.path] = Answer(job.path, None, str(outcome))
                continue
            pixels = load_pixels(job.target.with_name(job.target.name + outcome.suffix), classifier.image_size)
            answers[job.path] = Answer(job.path, classifier.predict(pixels[None])[0], None)
    return [answers[path] for path in paths]
