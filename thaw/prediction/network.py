"""A run's result as it answers for new pictures: by ONNX Runtime where it can, so that TensorFlow need not start."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from thaw.backbones.weights import fetch
from thaw.datasets.run_split import read_labels
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.training.plain_head import say_shares
from thaw.training.run_facts import name_trained
from tlcore.errors import RunError, WeightsError
from tlcore.features.frozen import FrozenPart, Source
from tlcore.files import load_arrays
from tlcore.images.pixels import WIDEST
from tlcore.models.backbones import find_backbone
from tlcore.models.inverted_residuals import plan_pooled
from tlcore.models.plan import Forward, Network, pooled_cut
from tlcore.models.weights import sha256_of

if TYPE_CHECKING:
    from tlcore.models.backend import keras

HEAD, TUNED = "head.npz", "tuned.npz"


@dataclass(frozen=True)
class RunNetwork:
    """The model of a run: uint8 (n, image_size, image_size, 3) -> probabilities of `labels`.

    Pictures of more than 8 bits are read by `grey_range`, that of the photos that it learnt from.
    """

    labels: list[str]
    image_size: int
    grey_range: int
    features: Forward = field(repr=False)
    head: list[np.ndarray] = field(repr=False)

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) for uint8 (n, image_size, image_size, 3)."""
        return say_shares(self.head, self.features(pixels)[0])


def load_network(store: Store, run: Run) -> RunNetwork:
    """Return the model that is the result of `run`; raise RunError if it has none.

    Its network is a file beside the cached features, written anew where it is not there: of EfficientNet-Lite without
    Keras, of another backbone with it. Raises WeightsError if the backbone's weights on this machine are not those that
    the run was trained with.
    """
    run.require_classifier()
    weights = check_weights(run)
    result = store.workspace.run(run.id) / (TUNED if run.result_phase == 2 else HEAD)
    arrays = load_arrays(result)
    head = [arrays[f"head/{place}"] for place in range(sum(name.startswith("head/") for name in arrays))]
    changed = {name: array for name, array in arrays.items() if name.startswith("backbone/")}
    part = FrozenPart(store.workspace.features, _find_source(run, weights, changed, result))
    labels, grey_range = read_labels(store, run), run.facts.grey_range or WIDEST
    return RunNetwork(labels, int(run.image_size), grey_range, part.forward([]), head)


def check_weights(run: Run) -> Path | None:
    """Return the backbone's weights with which a run was trained, or None for one that learnt from scratch; raise
    RunError for a run without a result and WeightsError where this machine has others."""
    if run.result_phase is None:
        raise RunError(f"Expected a run whose training has ended. Received: {run.id!r}, which has no model yet.")
    row = find_backbone(run.backbone)
    if row.fresh:
        return None
    weights = fetch(row)
    if sha256_of(weights) != run.facts.weights_sha256:
        raise WeightsError(
            f"Expected the weights with which run {run.id!r} was trained. Received: another file, {weights}. "
            "Restore that file, or train a new run."
        )
    return weights


def _find_source(run: Run, weights: Path | None, changed: Mapping[str, np.ndarray], result: Path) -> Source:
    row, size = find_backbone(run.backbone), int(run.image_size)
    known = name_trained(run, result) if changed else str(run.facts.weights_sha256)
    cut = pooled_cut(row)

    @functools.cache
    def build() -> "keras.Model":
        from tlcore.models.architectures import build_backbone
        from tlcore.training.snapshots import name_weights, write_variables

        backbone = build_backbone(row, size, weights)
        write_variables(name_weights(backbone), changed)
        return backbone

    def lower() -> "keras.Model":
        from tlcore.models.classifier import lower_model

        return lower_model(row, build(), cut, size)

    def plan() -> Network:
        if weights is not None and row.plain:
            return plan_pooled(row, size, weights, changed)
        from tlcore.engines.from_keras import plan_cut

        return plan_cut(row, build(), cut, size)

    return Source(row, known, size, cut, plan, lower, plain=weights is not None and row.plain)
