"""A finished run's detector, put together again, and what it finds on pictures."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from thaw.datasets.run_split import read_labels
from thaw.decoding.decoder import Decoder
from thaw.decoding.reader import decode_pictures
from thaw.detection.answering import open_frozen
from thaw.prediction.network import HEAD, TUNED, check_weights
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.detection.finding import Finder, FrozenDetector
from tlcore.detection.found import Found
from tlcore.errors import ImageRejected
from tlcore.files import load_arrays, scratch_folder
from tlcore.images.pixels import WIDEST
from tlcore.models.backbones import find_backbone

if TYPE_CHECKING:
    from tlcore.detection.detector import Detector
    from tlcore.models.backend import keras


@dataclass(frozen=True)
class FileFound:
    """What was found on one picture, which is `width` x `height` pixels upright, or why it could not be read."""

    path: Path
    found: Found | None
    width: int
    height: int
    rejected: str | None = None


def load_finder(store: Store, run: Run) -> FrozenDetector:
    """Return the detector that is the result of `run`, without Keras where its network's file is there; raise RunError
    if it has none.

    Raises WeightsError if the backbone's weights on this machine are not those the run was trained with.
    """
    check_weights(run)
    result = store.workspace.run(run.id) / (TUNED if run.result_phase == 2 else HEAD)

    @functools.cache
    def build() -> "tuple[keras.Model, keras.Model]":
        detector = load_detector(store, run)
        return detector.tapped, detector.head

    return open_frozen(store, run, result, build)


def load_detector(store: Store, run: Run) -> "Detector":
    """Assemble in Keras the detector that is the result of `run`; raise RunError if it has none.

    Raises WeightsError if the backbone's weights on this machine are not those the run was trained with.
    """
    from tlcore.detection.detector import Detector, assemble_detector
    from tlcore.detection.network import build_head
    from tlcore.detection.taps import tap
    from tlcore.models.architectures import build_backbone
    from tlcore.training.snapshots import name_variables, write_variables

    weights = check_weights(run)
    row, size, labels = find_backbone(run.backbone), run.image_size, read_labels(store, run)
    tapped = tap(row, build_backbone(row, size, weights))
    head = build_head(tapped.outputs, len(labels))
    result = TUNED if run.result_phase == 2 else HEAD
    write_variables(name_variables(tapped, head), load_arrays(store.workspace.run(run.id) / result))
    return Detector(assemble_detector(row, tapped, head, size), row, tapped, head, labels, size)


def find_in_files(detector: Finder, paths: Sequence[Path], grey_range: int | None) -> list[FileFound]:
    """Decode pictures exactly as an import does and find objects on them, in the order given."""
    unique = list(dict.fromkeys(paths))
    answers: dict[Path, FileFound] = {}
    with scratch_folder("predict") as scratch, Decoder() as decoder:
        for place, copy in decode_pictures(decoder, scratch, unique, grey_range or WIDEST):
            path = unique[place]
            if isinstance(copy, ImageRejected):
                answers[path] = FileFound(path, None, 0, 0, str(copy))
                continue
            with Image.open(copy.path, formats=("PNG", "JPEG")) as picture:
                (found,) = detector.find([picture])
            answers[path] = FileFound(path, found, copy.width, copy.height)
    return [answers[path] for path in paths]
