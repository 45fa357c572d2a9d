"""What the detectors of a run found on the photos that judge them, kept as arrays, and what of it is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thaw.datasets.run_split import read_labels, read_side
from thaw.detection.boxed_split import read_seen_boxes
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from tlcore.boxes import corners
from tlcore.detection.evaluation import Judged, judge
from tlcore.detection.found import Drawn, Found, average_precision
from tlcore.errors import RunError
from tlcore.evaluation.predictions import VALIDATION
from tlcore.files import save_arrays

CONFIDENCE = 0.4
"""How sure a detector is at least of what is shown, where nobody has chosen that."""


FOUND = ("objects", "found", "confused", "missed", "false_alarms")
"""What is counted of objects and of what a detector says of them."""


@dataclass(frozen=True)
class FoundPhotos:
    """The photos of a side of a run's split, what a person drew on each and what the detector found; `labels` are the
    kinds of objects in the order of the numbers in both."""

    images: list[Image]
    labels: list[str]
    drawn: list[Drawn]
    found: list[Found]

    @property
    def files(self) -> list[Path]:
        """Return the photos' pictures."""
        return [Path(image.file) for image in self.images]

    def judge(self, confidence: float) -> Judged:
        """Say of every object what became of it, where boxes below `confidence` (0 to 1) are not shown."""
        return judge(self.found, self.drawn, self.labels, confidence)

    @property
    def precision(self) -> float:
        """Return AP50, 0 to 1: 0 where nothing is drawn."""
        return average_precision(self.found, self.drawn, len(self.labels)) or 0.0


def tell_found(photos: FoundPhotos, confidence: float = CONFIDENCE) -> dict[str, int]:
    """Count what of the objects on photos is found, and what is seen in vain, from a confidence on; by `FOUND`."""
    kinds = photos.judge(confidence).kinds
    return {name: sum(getattr(each, name) for each in kinds) for name in FOUND}


def found_file(phase: int, side: str) -> str:
    """Name the file of a run's folder that holds what the detector of a phase found on one side of the split."""
    return f"found-{phase}.npz" if side == VALIDATION else f"found-{phase}-{side}.npz"


def keep_found(store: Store, run_id: str, phase: int, side: str, images: Sequence[str], found: Sequence[Found]) -> None:
    """Keep what was found on photos, by their ids, for pages to read without TensorFlow."""
    arrays = {
        "image_ids": np.array(images),
        "counts": np.array([len(each.scores) for each in found], np.int64),
        "edges": np.concatenate([np.zeros((0, 4), np.float32), *(each.edges for each in found)]),
        "scores": np.concatenate([np.zeros(0, np.float32), *(each.scores for each in found)]),
        "kinds": np.concatenate([np.zeros(0, np.int64), *(each.kinds for each in found)]),
    }
    save_arrays(store.workspace.run(run_id) / found_file(phase, side), arrays)


def read_found(store: Store, run: Run, phase: int | None = None, side: str = VALIDATION) -> FoundPhotos:
    """Return what the detector of a phase (the run's result unless said) found on a side of the split, beside what is
    drawn there. Raises RunError while that phase has no detector."""
    chosen = phase or run.result_phase
    path = store.workspace.run(run.id) / found_file(chosen or 0, side)
    if chosen is None or not path.exists():
        raise RunError(
            f"Expected a run whose detector has been trained. Received: {run.id!r}, which has none yet. Train it first."
        )
    ids, found = _read(path)
    by_id = {image.id: image for image in read_side(store, run, side) or ()}
    labels, boxes = read_labels(store, run), read_seen_boxes(store, run)
    drawn = [
        Drawn(corners(boxes[each]), np.array([labels.index(box.label) for box in boxes[each]], np.int64))
        for each in ids
    ]
    return FoundPhotos([by_id[each] for each in ids], labels, drawn, found)


def _read(path: Path) -> tuple[list[str], list[Found]]:
    with np.load(path, allow_pickle=False) as archive:
        ids, ends = archive["image_ids"].tolist(), np.cumsum(archive["counts"])[:-1]
        parts = (np.split(archive[name], ends) for name in ("edges", "scores", "kinds"))
        return ids, [Found(*each) for each in zip(*parts, strict=True)]
