"""The on-disk cache of tensors that a frozen network makes of an image, so that each is computed once, ever."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from tlcore.errors import RunError
from tlcore.files import write_atomically

RESERVE_BYTES = 500_000_000
BUDGET_BYTES = 30_000_000_000


class FeatureCache:
    """Rows of tensors under one folder, one row a key; a key is an image's content and view.

    Rows are appended: first the tensors, made durable, then the keys. After a kill at any moment the rows whose key
    was written are whole, and the rest are computed again. `identity` says all that the tensors depend on (backbone,
    weights, image size, cut, augmentation); it names the folder, so a change of any of it starts a new cache.
    `on_append` hears the keys of the rows that this process has added.
    """

    def __init__(
        self, root: Path, identity: Mapping[str, Any], shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str]
    ) -> None:
        text = json.dumps(identity, sort_keys=True)
        self.folder = root / hashlib.sha256(text.encode()).hexdigest()[:24]
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "identity.json").exists():
            write_atomically(self.folder / "identity.json", text.encode())
        self._shapes = [tuple(shape) for shape in shapes]
        self._dtypes = [np.dtype(dtype) for dtype in dtypes]
        self._rows: dict[str, int] = {}
        self._keys_bytes, self._last_line = 0, b""
        self.on_append: Callable[[Sequence[str]], None] | None = None
        self._read_keys()

    @property
    def layout(self) -> list[tuple[tuple[int, ...], np.dtype]]:
        """Return shape and dtype of what each tensor has for one image."""
        return list(zip(self._shapes, self._dtypes, strict=True))

    @property
    def row_bytes(self) -> int:
        """Return how many bytes one image takes on disk."""
        return sum(self._item_bytes(index) for index in range(len(self._shapes)))

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Return those of `keys` that have no row yet, each once, in order."""
        return [key for key in dict.fromkeys(keys) if key not in self._rows]

    def require_space(self, rows: int) -> None:
        """Raise RunError if the disk cannot hold `rows` more rows and a reserve."""
        need, free = rows * self.row_bytes + RESERVE_BYTES, shutil.disk_usage(self.folder).free
        if need > free:
            raise RunError(
                f"Expected {need / 1e9:.1f} GB free for the images' features. Received: {free / 1e9:.1f} GB free at "
                f"{self.folder}. Free some space, unfreeze fewer layers, or choose a smaller image size."
            )

    def append(self, keys: Sequence[str], tensors: Sequence[np.ndarray]) -> None:
        """Add one row a key: `tensors[i]` is (len(keys), *shapes[i]). What another process has added stays as it is."""
        for index, tensor in enumerate(tensors):
            expected = (len(keys), *self._shapes[index])
            if tensor.shape != expected:
                raise ValueError(f"Expected a tensor of shape {expected}. Received: shape={tensor.shape}.")
        with FileLock(self.folder / "write.lock"):
            whole = self._read_keys()
            if self._keys.exists() and self._keys.stat().st_size > whole:
                # A kill in mid-write left part of a line; cutting it off keeps row numbers and lines in step.
                os.truncate(self._keys, whole)
            # A key that came twice would have more lines than rows, and all that follow another's tensors.
            added = {key: place for place, key in enumerate(keys) if key not in self._rows}
            places, first = list(added.values()), len(self._rows)
            if not added:
                return
            for index, tensor in enumerate(tensors):
                with self._data(index).open("r+b" if self._data(index).exists() else "w+b") as data:
                    data.seek(first * self._item_bytes(index))
                    data.write(np.ascontiguousarray(tensor[places], self._dtypes[index]).tobytes())
                    data.flush()
                    os.fsync(data.fileno())
            with self._keys.open("ab") as lines:
                written = [f"{key}\n".encode() for key in added]
                lines.write(b"".join(written))
                lines.flush()
                os.fsync(lines.fileno())
                self._keys_bytes, self._last_line = lines.tell(), written[-1]
        self._rows.update({key: first + offset for offset, key in enumerate(added)})
        if self.on_append:
            self.on_append(list(added))

    def rows(self, keys: Sequence[str]) -> np.ndarray:
        """Return the row number of each key, int64 (n,); raise KeyError for one that is missing."""
        return np.array([self._rows[key] for key in keys], dtype=np.int64)

    def tensors(self) -> list[np.ndarray]:
        """Return all rows, memory-mapped and read-only: a list of arrays (rows, *shape)."""
        count = len(self._rows)
        return [
            np.memmap(self._data(index), dtype, mode="r", shape=(count, *shape))
            for index, (shape, dtype) in enumerate(self.layout)
        ]

    def note(self, facts: Mapping[str, Any]) -> None:
        """Keep measured facts about the making of this cache beside it."""
        write_atomically(self.folder / "facts.json", json.dumps(dict(facts)).encode())

    def noted(self) -> dict[str, Any]:
        """Return the facts that `note` kept, or nothing."""
        path = self.folder / "facts.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    @property
    def _keys(self) -> Path:
        return self.folder / "keys.txt"

    def _data(self, index: int) -> Path:
        return self.folder / f"tensor-{index}.bin"

    def _item_bytes(self, index: int) -> int:
        return int(np.prod(self._shapes[index], dtype=np.int64)) * self._dtypes[index].itemsize

    def _read_keys(self) -> int:
        """Read the keys that came since this process looked; return the bytes of the whole lines.

        A file that is another by now, since somebody made room and computed anew, is read from its beginning.
        """
        size = self._keys.stat().st_size if self._keys.exists() else 0
        if size != self._keys_bytes:
            with self._keys.open("rb") as lines:
                lines.seek(max(0, self._keys_bytes - len(self._last_line)))
                if size < self._keys_bytes or lines.read(len(self._last_line)) != self._last_line:
                    self._rows, self._keys_bytes = {}, 0
                    lines.seek(0)
                text = lines.read()
            whole = text[: text.rfind(b"\n") + 1]
            keys = whole.decode().split()
            first = len(self._rows)
            self._rows.update((key, row) for row, key in enumerate(keys, first))
            self._keys_bytes += len(whole)
            self._last_line = f"{keys[-1]}\n".encode() if keys else self._last_line if self._keys_bytes else b""
        return self._keys_bytes


def trim_caches(root: Path, keep: Path, budget_bytes: int = BUDGET_BYTES) -> None:
    """Delete the caches that were used longest ago until the rest fit in `budget_bytes`; never `keep`."""
    os.utime(keep)
    folders = sorted(
        (folder for folder in root.iterdir() if folder.is_dir()), key=lambda folder: folder.stat().st_mtime
    )
    sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in folders}
    total = sum(sizes.values())
    for folder in folders:
        if total <= budget_bytes:
            return
        if folder != keep:
            shutil.rmtree(folder, ignore_errors=True)
            total -= sizes[folder]
