"""A run's detector as it answers for new pictures: by ONNX Runtime where it can, so that TensorFlow need not start."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from thaw.datasets.run_split import read_labels
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.training.run_facts import name_trained
from tlcore.detection.finding import FrozenDetector, freeze_detector
from tlcore.models.backbones import find_backbone

if TYPE_CHECKING:
    from tlcore.models.backend import keras

    Build = Callable[[], tuple[keras.Model, keras.Model]]


def open_frozen(store: Store, run: Run, result: Path, build: "Build") -> FrozenDetector:
    """Return the detector of a run with the weights in the file `result`; its network lies beside the cached features.

    Where that is not there it is written anew, of what `build` returns: the tapped backbone and the head with those
    weights.
    """
    row, labels, known = find_backbone(run.backbone), read_labels(store, run), name_trained(run, result)
    return freeze_detector(store.workspace.features, row, known, int(run.image_size), labels, build)
