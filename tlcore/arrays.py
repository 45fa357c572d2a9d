"""Named arrays on disk, without pickle: the result of a phase, predictions, snapshots; NumPy only."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tlcore.errors import RunError
from tlcore.files import replacing

Arrays = dict[str, np.ndarray]


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays to `path` (.npz, no pickle) in one durable step."""
    with replacing(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> Arrays:
    """Read named arrays; raise RunError if the file is missing."""
    if not path.exists():
        raise RunError(f"Expected the weights that a finished phase leaves. Received: no file {path}. Train it first.")
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def numbered(arrays: Arrays, name: str) -> list[np.ndarray]:
    """Return the arrays called "name/0", "name/1" and so on, in that order."""
    count = sum(key.startswith(f"{name}/") for key in arrays)
    return [arrays[f"{name}/{place}"] for place in range(count)]
