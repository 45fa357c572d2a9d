"""The training images that most resemble another to the frozen backbone, from the features of phase 1; NumPy only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import numpy as np

from tlcore.photos import P
from tlcore.splits.groups import GroupRules, group_images

NEAREST = 5
# Some megabytes at a time: the server, which reads them, stays small.
ROWS_AT_A_TIME = 1024


@dataclass(frozen=True)
class Neighbour(Generic[P]):
    """A training image with the class that the model learnt; `likeness` is the cosine of its features, in -1..1."""

    image: P
    likeness: float


@dataclass(frozen=True)
class PooledFeatures:
    """The cached features of images as they lie on disk: `tensor` (rows, channels), `rows` by image content."""

    tensor: np.ndarray
    rows: dict[str, int]


def find_neighbours(
    features: PooledFeatures, photo: P, training: Sequence[P], rules: GroupRules | None = None, most: int = NEAREST
) -> list[Neighbour[P]]:
    """Return the photos of `training` that most resemble another, the likest first.

    None of the photo's own group (copies, near-duplicates, one subject or burst), which would tell nothing new.
    """
    if photo.content not in features.rows:
        return []
    own, *groups = group_images([photo, *training], rules)
    candidates = [
        each for each, group in zip(training, groups, strict=True) if group != own and each.content in features.rows
    ]
    rows = [features.rows[each.content] for each in candidates]
    likeness = measure_likeness(features.tensor, features.rows[photo.content], rows)
    nearest = np.argsort(-likeness, kind="stable")[:most]
    return [Neighbour(candidates[place], float(likeness[place])) for place in nearest]


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


def open_features(folder: Path, channels: int) -> PooledFeatures:
    """Open a feature cache for reading alone: its own class mends what it finds, which a worker may be writing."""
    text = (folder / "keys.txt").read_text(encoding="utf-8")
    keys = text[: text.rfind("\n") + 1].split()
    tensor = np.memmap(folder / "tensor-0.bin", np.float32, mode="r", shape=(len(keys), channels))
    return PooledFeatures(tensor, {key: row for row, key in enumerate(keys)})


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return np.divide(vectors, lengths, out=np.zeros_like(vectors, subok=False), where=lengths > 0)
