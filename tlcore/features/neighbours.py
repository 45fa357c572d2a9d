"""The training images that most resemble another to the frozen backbone, from the features of phase 1; NumPy only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thaw.datasets.edits import grouping
from thaw.datasets.run_split import read_split
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from tlcore.splits.groups import group_images

NEAREST = 5
# Some megabytes at a time: the server, which reads them, stays small.
ROWS_AT_A_TIME = 1024


@dataclass(frozen=True)
class Neighbour:
    """A training image with the class that the run saw; `likeness` is the cosine of its features, in -1..1."""

    image: Image
    likeness: float


@dataclass(frozen=True)
class PooledFeatures:
    """The cached features of a run's images as they lie on disk: `tensor` (rows, channels), `rows` by image content."""

    tensor: np.ndarray
    rows: dict[str, int]


def find_neighbours(store: Store, run: Run, image: Image, most: int = NEAREST) -> list[Neighbour]:
    """Return the training images of a run that most resemble `image`, the likest first.

    None of the image's own group (copies, near-duplicates, one subject or burst), which would tell nothing new.
    Without the features of phase 1 (a cache that made room for others) there are none.
    """
    features, parts = read_features(store, run), read_split(store, run)
    if features is None or parts is None or image.content not in features.rows:
        return []
    own, *groups = group_images([image, *parts.training], grouping(store, run.dataset_id))
    candidates = [
        each
        for each, group in zip(parts.training, groups, strict=True)
        if group != own and each.content in features.rows
    ]
    rows = [features.rows[each.content] for each in candidates]
    likeness = measure_likeness(features.tensor, features.rows[image.content], rows)
    nearest = np.argsort(-likeness, kind="stable")[:most]
    return [Neighbour(candidates[place], float(likeness[place])) for place in nearest]


def read_features(store: Store, run: Run) -> PooledFeatures | None:
    """Open the features that phase 1 of a run cached, or return None where they are not on record or gone."""
    fact = run.facts.feature_cache
    if fact is None:
        return None
    try:
        return _open(store.workspace.features / fact.folder, fact.channels)
    except FileNotFoundError:
        return None


def measure_likeness(tensor: np.ndarray, row: int, rows: Sequence[int]) -> np.ndarray:
    """Return the cosine between one row of `tensor`, float32 (n, channels), and each of `rows`: float32 (len(rows),).

    A row of zeros is like nothing: 0.
    """
    wanted = _unit(tensor[[row]])[0]
    order = np.argsort(rows, kind="stable")
    found = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(order), ROWS_AT_A_TIME):
        places = order[start : start + ROWS_AT_A_TIME]
        found[places] = _unit(tensor[np.asarray(rows)[places]]) @ wanted
    return found


def _open(folder: Path, channels: int) -> PooledFeatures:
    """Open a feature cache for reading alone: its own class mends what it finds, which a worker may be writing."""
    text = (folder / "keys.txt").read_text(encoding="utf-8")
    keys = text[: text.rfind("\n") + 1].split()
    tensor = np.memmap(folder / "tensor-0.bin", np.float32, mode="r", shape=(len(keys), channels))
    return PooledFeatures(tensor, {key: row for row, key in enumerate(keys)})


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return np.divide(vectors, lengths, out=np.zeros_like(vectors, subok=False), where=lengths > 0)
