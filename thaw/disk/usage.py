"""How many bytes things take on the disk: measured once for what does not change, and counted together by kind."""

import os
import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from thaw.disk.holdings import SPEED_FILES, Holding
from thaw.storage.export_record import EXPORT_FOLDER
from thaw.storage.workspace import Workspace

BLOCK_BYTES = 512
Signature = tuple[int, ...]
# 64,000 files take half a second to a second to ask, so that a folder is asked again only once it has changed.
_measured: dict[Path, tuple[Signature, int]] = {}
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Usage:
    """What the disk of a workspace holds, in bytes: in all, free, and what of it Thaw takes by kind of thing.

    The kinds are those of holdings, "trash", and "records" for the database, logs and uploads under way.
    """

    total: int
    free: int
    by_kind: dict[str, int]

    @property
    def thaw(self) -> int:
        return sum(self.by_kind.values())


def own_bytes(workspace: Workspace, holding: Holding) -> int:
    """Measure what a thing takes by itself: a data set without its runs, a run without its export."""
    return sum(_measure(path, remember=holding.kind != "features") for path in _own(workspace, holding)) - (
        _measure(workspace.run(holding.id) / EXPORT_FOLDER) if holding.kind == "run" else 0
    )


def freed_bytes(workspace: Workspace, holding: Holding) -> int:
    """Measure what its deletion frees once the trash is emptied, with all that goes along."""
    paths = [workspace.root / path for path in (*holding.paths, *holding.copies)]
    return sum(_measure(path, remember=holding.kind != "features") for path in paths)


def is_measured(workspace: Workspace, holding: Holding) -> bool:
    """Say whether `own_bytes` answers at once, so that a page need not wait for it."""
    folders = [path for path in _own(workspace, holding) if holding.kind == "dataset" and path.is_dir()]
    return all(_measured.get(path, (None,))[0] == _sign(path) for path in folders)


def start_measuring(workspace: Workspace, holdings: Sequence[Holding]) -> threading.Thread:
    """Measure things in a thread, so that a page need not wait; one thread at a time, whoever asks."""

    def work() -> None:
        with _one_at_a_time:
            for each in holdings:
                own_bytes(workspace, each)

    worker = threading.Thread(target=work, name="measure the disk", daemon=True)
    worker.start()
    return worker


def measure_usage(workspace: Workspace, sizes: Iterable[tuple[Holding, int]]) -> Usage:
    """Sum up the sizes of holdings by kind, with the trash and Thaw's own records, beside the disk they lie on."""
    by_kind: dict[str, int] = {}
    for holding, size in sizes:
        by_kind[holding.kind] = by_kind.get(holding.kind, 0) + size
    by_kind["trash"] = _measure(workspace.root / "trash")
    records = [path for path in workspace.root.iterdir() if path.is_file() and path.name not in SPEED_FILES]
    records += [workspace.root / name for name in ("logs", "locks", "staging")]
    by_kind["records"] = sum(_measure(path, remember=False) for path in records)
    disk = shutil.disk_usage(workspace.root)
    return Usage(disk.total, disk.free, {kind: size for kind, size in by_kind.items() if size})


def _own(workspace: Workspace, holding: Holding) -> list[Path]:
    paths = [*holding.paths, *holding.copies]
    if holding.kind == "dataset":
        paths = [path for path in paths if path.startswith("datasets/")]
    return [workspace.root / path for path in paths]


def _measure(path: Path, remember: bool = True) -> int:
    """Return the bytes that a file or folder takes on the disk; what vanishes meanwhile counts for nothing."""
    if not path.is_dir():
        return _allocated(path.lstat()) if path.exists() else 0
    signature = _sign(path)
    kept = _measured.get(path)
    if remember and kept and kept[0] == signature:
        return kept[1]
    size, waiting = 0, [str(path)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for each in found:
                    if each.is_dir(follow_symlinks=False):
                        waiting.append(each.path)
                    else:
                        size += _allocated(each.stat(follow_symlinks=False))
        except FileNotFoundError:
            continue
    if remember:
        _measured[path] = signature, size
    return size


def _sign(path: Path) -> Signature:
    """Return what changes when files come to a folder or to one in it, or go."""
    folders = [path, *(each for each in path.iterdir() if each.is_dir())]
    return tuple(each.stat().st_mtime_ns for each in folders)


def _allocated(status: os.stat_result) -> int:
    """Return what a file takes; where the system does not tell its blocks, what it holds."""
    return getattr(status, "st_blocks", 0) * BLOCK_BYTES or status.st_size
