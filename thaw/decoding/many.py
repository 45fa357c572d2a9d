"""Decodes the many files of an import: all by one range of grey, and in shards on other machines if there are any."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

from thaw.archives.entries import CHANGED, Mark, mark_of
from thaw.decoding.decoder import Decoded, DecodeJob, Decoder, HeldBack, Outcome
from thaw.decoding.time_limit import Allowance
from thaw.pictures.decode import UNREADABLE
from tlcore.errors import ImageRejected, Undecoded
from tlcore.files import scratch_folder
from tlcore.images.pixels import MAX_FILE_BYTES, choose_range
from tlcore.progress import CheckStop, Spread

# A second or two of one core, and what a task carries both ways.
SHARD_FILES, SHARD_BYTES = 64, 32_000_000
# So many are decoded here before a cluster is joined.
FEW = 500


@dataclass(frozen=True)
class Original:
    """A file to decode: its path or its bytes, None where those cannot be had; the rest is as in `DecodeJob`."""

    file: str | bytes | None
    mark: Mark | None
    grey_range: int | None


@dataclass(frozen=True)
class Originals:
    """The files of one task."""

    files: tuple[Original, ...]

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class Answer:
    """What came of a file, with the bytes of its copy and of its thumbnail (JPEG) where it was decoded."""

    outcome: Decoded | HeldBack | str
    copy: bytes = b""
    thumbnail: bytes = b""


class Decodes(Protocol):
    """Decodes many pictures, as `Decoder` does."""

    def map(self, jobs: Iterable[DecodeJob]) -> Iterator[tuple[DecodeJob, Outcome]]:
        """Decode every job, yielding each with its outcome as it finishes."""


def decode_by_one_range(
    decoder: Decodes, jobs: Iterable[DecodeJob]
) -> Iterator[tuple[DecodeJob, Decoded | ImageRejected]]:
    """Decode every job as `Decoder.map` does; those that are held back come last, all by the range that holds them."""
    held: dict[DecodeJob, int] = {}
    widest = 0
    for job, outcome in decoder.map(jobs):
        if isinstance(outcome, HeldBack):
            held[job] = outcome.largest
            continue
        if isinstance(outcome, Decoded):
            widest = max(widest, outcome.grey_range or 0)
        yield job, outcome
    if held:
        widest = max(widest, choose_range(max(held.values())))
    again = {replace(job, grey_range=widest): job for job in held}
    for job, outcome in decoder.map(again):
        assert not isinstance(outcome, HeldBack)
        yield again[job], outcome


class SpreadDecoder:
    """Decodes many files by `spread`, and by `here` those that are few, or that were not decoded elsewhere."""

    def __init__(self, here: Decoder, spread: Spread, check_stop: CheckStop) -> None:
        self._here, self._spread, self._check_stop = here, spread, check_stop
        self._begun = False

    def map(self, jobs: Iterable[DecodeJob]) -> Iterator[tuple[DecodeJob, Outcome]]:
        """Decode every job as `Decoder.map` does; raises OSError where a copy cannot be written."""
        coming = iter(jobs)
        first = list(islice(coming, FEW + 1))
        if len(first) <= FEW:
            if not self._begun:
                self._begun = True
                self._spread.decline(f"{len(first)} files are decoded here before others are ready")
            yield from self._here.map(first)
            return
        self._begun = True
        parts, asked = _cut(chain(first, coming)), list[list[DecodeJob]]()

        def ask() -> Iterator[Originals]:
            for part in parts:
                asked.append(part)
                yield Originals(tuple(Original(str(job.path), job.mark, job.grey_range) for job in part))

        left, done = list[DecodeJob](), 0
        spread = self._spread(decode_shard, None, ask(), carry_originals, first[0].path, self._check_stop)
        with closing(spread) as results:
            for answers in results:
                part, asked[done] = asked[done], []
                done += 1
                for job, answer in zip(part, answers or [None] * len(part), strict=True):
                    outcome = _take_in(job, answer)
                    if outcome is None:
                        left.append(job)
                    else:
                        yield job, outcome
        yield from self._here.map(chain(left, *asked, chain.from_iterable(parts)))


def carry_originals(shard: Originals) -> Originals:
    """Return a shard with the files' bytes in the place of their paths, and nothing for one that cannot be read, is too
    large to be a picture or is no longer what was listed."""
    return Originals(tuple(_carry(each) for each in shard.files))


def decode_shard(_common: None, shard: Originals) -> list[Answer | None]:
    """Decode the files of a shard one after another; None for one that is for whoever asked to decode: it could not be
    read, took longer than its size warrants, ended the decoder, or has changed."""
    answers: list[Answer | None] = [None] * len(shard)
    with scratch_folder("decode") as folder:
        files = [(place, each, folder / str(place)) for place, each in enumerate(shard.files)]
        jobs = {_lay_out(each, each.file, path): place for place, each, path in files if each.file is not None}
        for job, outcome in _decoder().map(jobs):
            answers[jobs[job]] = _answer(job, outcome)
    return answers


def _cut(jobs: Iterable[DecodeJob]) -> Iterator[list[DecodeJob]]:
    part, size = list[DecodeJob](), 0
    for job in jobs:
        part.append(job)
        size += _size(job)
        if len(part) == SHARD_FILES or size >= SHARD_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _size(job: DecodeJob) -> int:
    """Return a file's size in bytes: what an archive held has no mark."""
    try:
        return job.mark[0] if job.mark else job.path.stat().st_size
    except OSError:
        return 0


def _carry(original: Original) -> Original:
    if not isinstance(original.file, str):
        return original
    path = Path(original.file)
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            # Where it lies it is refused without being read.
            return replace(original, file=None)
        content = path.read_bytes()
        changed = original.mark is not None and mark_of(path.stat()) != original.mark
    except OSError:
        return replace(original, file=None)
    return replace(original, file=None if changed else content, mark=None)


def _lay_out(original: Original, file: str | bytes, path: Path) -> DecodeJob:
    source = Path(file) if isinstance(file, str) else path
    if isinstance(file, bytes):
        path.write_bytes(file)
    copy, thumbnail = path.with_name(f"{path.name}-copy"), path.with_name(f"{path.name}-thumbnail.jpg")
    return DecodeJob(source, copy, thumbnail, mark=original.mark, grey_range=original.grey_range)


def _answer(job: DecodeJob, outcome: Outcome) -> Answer | None:
    if isinstance(outcome, ImageRejected):
        own = isinstance(outcome, Undecoded) or str(outcome) == CHANGED or str(outcome).startswith(UNREADABLE)
        return None if own else Answer(str(outcome))
    if isinstance(outcome, HeldBack):
        return Answer(outcome)
    copy = job.target.with_name(job.target.name + outcome.suffix)
    answer = Answer(outcome, copy.read_bytes(), job.thumbnail.read_bytes())
    copy.unlink()
    job.thumbnail.unlink()
    return answer


def _take_in(job: DecodeJob, answer: Answer | None) -> Outcome | None:
    """Write what came of a file to where its job wants it."""
    if answer is None:
        return None
    if isinstance(answer.outcome, str):
        return ImageRejected(answer.outcome)
    if isinstance(answer.outcome, Decoded):
        job.target.with_name(job.target.name + answer.outcome.suffix).write_bytes(answer.copy)
        job.thumbnail.write_bytes(answer.thumbnail)
    return answer.outcome


@lru_cache(maxsize=1)
def _decoder() -> Decoder:
    """Return this process's decoder: it has one child, which ends with it, and lends no picture more time."""
    return Decoder(1, allowance=Allowance(0)).__enter__()
