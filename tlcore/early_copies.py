"""The copies of an upload's photos that were made while the rest of it still arrived, and how an import takes them."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import AcquireReturnProxy, FileLock, Timeout

from tlcore.decoder import Decoded, DecodeJob
from tlcore.processes import spawn

DECODER = "tlcore.early_decoder"
# Longer than any one image may take.
END_LIMIT_S = 40.0
_WAIT_S = 0.5
_FOLDER, _LOCK, _RECORD, _TAKEN = "early", "early.lock", "early.jsonl", "early.taken"


class EarlyCopies:
    """What was decoded early of one upload, by the file it was made from."""

    def __init__(self, staging: Path, outcomes: dict[Path, Decoded]) -> None:
        self._staging = staging
        self._outcomes = outcomes
        self.claimed = 0

    def __len__(self) -> int:
        return len(self._outcomes)

    def __contains__(self, path: Path) -> bool:
        return path in self._outcomes

    def claim(self, job: DecodeJob) -> Decoded | None:
        """Put the copy and the thumbnail where `job` wants them and say what they are; None where there are none."""
        outcome = self._outcomes.get(job.path)
        if outcome is None:
            return None
        early = early_job(self._staging, job.path.name)
        try:
            shutil.move(early.target.with_name(early.target.name + outcome.suffix), f"{job.target}{outcome.suffix}")
            shutil.move(early.thumbnail, job.thumbnail)
        except FileNotFoundError:
            return None
        self.claimed += 1
        return outcome


def early_job(staging: Path, file: str) -> DecodeJob:
    """Return what is to be decoded of an upload's file, and where its early copy lies."""
    folder = staging / _FOLDER
    return DecodeJob(staging / "files" / file, folder / file, folder / f"{file}-thumbnail.jpg")


def start(staging: Path) -> None:
    """Start decoding what has arrived of an upload, in a process of its own, unless one does so already."""
    try:
        with _held(staging, 0):
            pass
    except (Timeout, FileNotFoundError):
        return
    if not taken(staging):
        spawn(DECODER, [str(staging)], subprocess.DEVNULL)


def taken(staging: Path) -> bool:
    """Say whether nothing more is to be decoded early: an import has taken over, or the upload is gone."""
    return (staging / _TAKEN).exists() or not (staging / "files").is_dir()


class Record:
    """The early copies of an upload as they are made: one line of JSON each."""

    def __init__(self, file: IO[bytes], known: Set[str]) -> None:
        self._file = file
        self.known = known
        """The files that an earlier process decoded."""

    def add(self, job: DecodeJob, outcome: Decoded) -> None:
        """Note that `job` is done."""
        self._file.write(json.dumps({"file": job.path.name} | vars(outcome)).encode() + b"\n")


@contextmanager
def recording(staging: Path) -> Iterator[Record]:
    """Hold the record of an upload's early copies and yield it; raise Timeout where another process holds it."""
    with _held(staging, 0):
        (staging / _FOLDER).mkdir(exist_ok=True)
        with (staging / _RECORD).open("ab+", buffering=0) as file:
            lines = _whole_lines(file)
            file.truncate(sum(map(len, lines)))
            yield Record(file, {json.loads(line)["file"] for line in lines})


def take_over(staging: Path, check_stop: Callable[[], None]) -> EarlyCopies:
    """End the early decoding of an upload and return what came of it: nothing, where its process does not end."""
    if not (staging / _LOCK).exists():
        return EarlyCopies(staging, {})
    (staging / _TAKEN).touch()
    for _ in range(int(END_LIMIT_S / _WAIT_S)):
        check_stop()
        try:
            with _held(staging, _WAIT_S):
                return EarlyCopies(staging, _read(staging))
        except Timeout:
            continue
    return EarlyCopies(staging, {})


def _held(staging: Path, timeout_s: float) -> AcquireReturnProxy:
    return FileLock(staging / _LOCK).acquire(timeout=timeout_s)


def _read(staging: Path) -> dict[Path, Decoded]:
    outcomes = {}
    with (staging / _RECORD).open("ab+") as file:
        for line in _whole_lines(file):
            row = json.loads(line)
            path = staging / "files" / row.pop("file")
            outcomes[path] = Decoded(**row)
    return outcomes


def _whole_lines(file: IO[bytes]) -> list[bytes]:
    """Return the lines of a record but for a last one that a kill has cut."""
    file.seek(0)
    return [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
