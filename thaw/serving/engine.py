"""The network that a service answers with, made from a run of the workspace or from an export."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from thaw.runs.decision import read_decision
from thaw.serving.exported import OpenedExport
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.evaluation.calibration import temper
from tlcore.exporting.formats import UNKNOWN
from tlcore.images.pixels import WIDEST

SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Engine:
    """What the service knows of its model; `network` takes uint8 (n, image_size, image_size, 3) and returns
    probabilities, float32 (n, classes), with the temperature applied. `run` is the id of the run behind it; pictures of
    more than 8 bits are read by `grey_range`."""

    run: str
    labels: Sequence[str]
    image_size: int
    threshold: float
    network: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    grey_range: int = WIDEST

    def choose(self, probabilities: np.ndarray) -> int:
        """Return the likeliest class's place in `labels`, or -1, "I don't know", below the threshold."""
        likeliest = int(probabilities.argmax())
        return likeliest if probabilities[likeliest] >= self.threshold else UNKNOWN

    def warm(self, batch_sizes: Sequence[int]) -> None:
        """Answer once for blank pictures in each size of batch: the first answers are slow."""
        for size in batch_sizes:
            self.network(np.zeros((size, self.image_size, self.image_size, 3), np.uint8))


def load_run(store: Store, run: Run) -> Engine:
    """Make an engine of a run's result; raise RunError or WeightsError as `load_network` does."""
    from thaw.prediction.network import load_network

    loaded, decision = load_network(store, run), read_decision(run)
    temperature, threshold = (decision.temperature, decision.threshold) if decision else (1.0, 0.0)

    def network(pixels: np.ndarray) -> np.ndarray:
        shares = loaded.predict(pixels)
        return shares if temperature == 1 else temper(shares, temperature).astype(np.float32)

    return Engine(run.id, loaded.labels, loaded.image_size, threshold, network, loaded.grey_range)


def load_export(export: OpenedExport) -> Engine:
    """Make an engine of an export's SavedModel by TensorFlow's loader alone.

    Raises RunError where its signature or class names are not those of the record.
    """
    import tensorflow as tf

    # What was loaded lives only as long as something holds it, which `network` does (an assert that names it does not
    # under `python -O`).
    loaded = tf.saved_model.load(str(export.saved_model))
    record, signature = export.record, loaded.signatures[SIGNATURE]
    blank = np.zeros((1, record.image_size, record.image_size, 3), np.uint8)
    outputs = signature(image=tf.constant(blank))
    names = [name.decode() for name in outputs["class_names"].numpy()[0]]
    if names != record.labels:
        raise RunError(
            f"Expected a SavedModel of the classes {record.labels}. Received: one of {names}. Export the run again."
        )

    def network(pixels: np.ndarray, kept: object = loaded) -> np.ndarray:
        return signature(image=tf.constant(pixels))["probabilities"].numpy()

    return Engine(record.run, record.labels, record.image_size, record.threshold, network, record.grey_range)
