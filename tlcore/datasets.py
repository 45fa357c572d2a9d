"""Data sets: how files become accepted images and rows, all or nothing."""

import os
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tlcore.database import new_id
from tlcore.decoder import Decoded, DecodeJob, Decoder
from tlcore.errors import DatasetError
from tlcore.names import classes_of, twins
from tlcore.records import Image, SetAside
from tlcore.sources import Entry, Found, Source, collect
from tlcore.space import require_space
from tlcore.store import Store
from tlcore.workspace import Workspace
from tlcore.zips import Progress

NO_CLASS = "it is not inside a class folder: put it in a folder named after its class"
DATASET_PREFIX = "data"
STOP_EVERY_S = 0.5
NAMED_CONFLICTS = 10
NAMED_CLASSES = 4


def ingest(
    store: Store,
    source: Source,
    name: str,
    progress: Progress = lambda stage, done, total: None,
    check_stop: Callable[[], None] = lambda: None,
) -> str:
    """Import a source: decode every file, keep normalised copies, record the data set; return its id.

    Accepted + set aside + ignored = found. Rows are written in one transaction at the end; until then a kill leaves
    only folders that the next import removes. `check_stop` raises to end the import early, which leaves nothing.
    Raises DatasetError where no image could be accepted, the source cannot be read or the disk is too full.
    """
    sweep(store)
    dataset_id = new_id(DATASET_PREFIX)
    check = _at_most_every(STOP_EVERY_S, check_stop)
    with _folders(store.workspace, dataset_id) as (folder, unpacked):
        progress("finding files", 0, 0)
        found = collect(source, unpacked, progress, check)
        labels, notes = classes_of([entry.name for entry in found.entries])
        require_space(folder, sum(_copy_bytes(entry) for entry in found.entries))
        images, refused = _decode(found, labels, folder, progress, check)
        if not images:
            raise _nothing_usable(source, found, refused)
        set_aside = found.set_aside + refused
        assert len(images) + len(set_aside) + found.ignored == found.count
        notes += found.notes + _class_notes(images, labels) + _copy_notes(images)
        _make_durable()
        store.add_dataset(dataset_id, name, source.origin, images, set_aside, found.ignored, notes)
    return dataset_id


def sweep(store: Store) -> None:
    """Remove what killed imports left behind. An import that is alive holds its lock and is left alone."""
    workspace = store.workspace
    left = {path.name for path in (workspace.root / "datasets").iterdir()}
    left |= {path.name for path in (workspace.root / "staging").glob(f"{DATASET_PREFIX}-*")}
    for dataset_id in left:
        try:
            with FileLock(workspace.job_lock(dataset_id), timeout=0):
                # Asked under the lock: a moment ago the import may have been alive, and have ended well.
                if not store.has_dataset(dataset_id):
                    shutil.rmtree(workspace.dataset(dataset_id), ignore_errors=True)
                shutil.rmtree(workspace.staging(dataset_id), ignore_errors=True)
        except Timeout:
            continue


@contextmanager
def _folders(workspace: Workspace, dataset_id: str) -> Iterator[tuple[Path, Path]]:
    """Hold a data set's lock and its folders: its own, gone if the body fails, and one for unpacking, always gone."""
    folder, unpacked = workspace.dataset(dataset_id), workspace.staging(dataset_id)
    with FileLock(workspace.job_lock(dataset_id)):
        try:
            (folder / "images").mkdir(parents=True)
            (folder / "thumbnails").mkdir()
            yield folder, unpacked
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)


def _decode(
    found: Found, labels: Sequence[str | None], folder: Path, progress: Progress, check_stop: Callable[[], None]
) -> tuple[list[Image], list[SetAside]]:
    images: list[Image] = []
    refused: list[SetAside] = []
    waiting: dict[DecodeJob, tuple[str, str, str]] = {}

    def jobs() -> Iterator[DecodeJob]:
        for entry, label in zip(found.entries, labels, strict=True):
            entry_name = "/".join(entry.name)
            if label is None:
                refused.append(SetAside(entry_name, NO_CLASS))
                continue
            image_id = new_id("img")
            job = DecodeJob(entry.path, folder / "images" / image_id, folder / "thumbnails" / f"{image_id}.jpg")
            waiting[job] = (image_id, label, entry_name)
            yield job

    total = len(found.entries)
    progress("checking images", 0, total)
    with Decoder() as decoder:
        for job, outcome in decoder.map(jobs()):
            image_id, label, entry_name = waiting.pop(job)
            if isinstance(outcome, Decoded):
                images.append(
                    Image(
                        id=image_id,
                        label=label,
                        name=entry_name,
                        content=outcome.content,
                        suffix=outcome.suffix,
                        width=outcome.width,
                        height=outcome.height,
                        notes=outcome.notes,
                    )
                )
            else:
                refused.append(SetAside(entry_name, str(outcome)))
            progress("checking images", len(images) + len(refused), total)
            check_stop()
    progress("checking images", total, total)
    return images, refused


def _nothing_usable(source: Source, found: Found, refused: Sequence[SetAside]) -> DatasetError:
    reasons = Counter(row.reason for row in [*found.set_aside, *refused]).most_common(3)
    why = "".join(f" {count:,} set aside: {reason}." for reason, count in reasons)
    return DatasetError(
        f"Expected class folders with images, like flowers/rose/a.jpg. Received: 0 usable images among "
        f"{found.count:,} files of {source.origin}.{why}"
    )


def _class_notes(images: Sequence[Image], labels: Iterable[str | None]) -> list[str]:
    accepted = {image.label for image in images}
    empty = sorted({label for label in labels if label is not None} - accepted)
    return twins(accepted) + [
        f"Class {label!r} has no usable image and is left out. Add images to its folder or remove it."
        for label in empty
    ]


def _copy_notes(images: Sequence[Image]) -> list[str]:
    """Note images whose pixels occur more than once: within a class a copy, across classes a wrong label."""
    groups: defaultdict[str, list[Image]] = defaultdict(list)
    for image in images:
        groups[image.content].append(image)
    copied = [group for group in groups.values() if len(group) > 1]
    conflicts = [group for group in copied if len({image.label for image in group}) > 1]
    notes = [
        f"The same image is in several classes: {_some_names(group)}. Keep one of them."
        for group in conflicts[:NAMED_CONFLICTS]
    ]
    if len(conflicts) > NAMED_CONFLICTS:
        notes.append(f"{len(conflicts) - NAMED_CONFLICTS:,} more images are in several classes.")
    if copied:
        copies = sum(len(group) - 1 for group in copied)
        notes.append(f"{copies:,} images are exact copies of others; copies stay on one side of the split.")
    return notes


def _some_names(group: Sequence[Image]) -> str:
    """Name one image of each class, a few at most."""
    by_class = {image.label: repr(image.name) for image in sorted(group, key=lambda image: image.name, reverse=True)}
    names = [by_class[label] for label in sorted(by_class)]
    return ", ".join(names[:NAMED_CLASSES]) + (", ..." if len(names) > NAMED_CLASSES else "")


def _copy_bytes(entry: Entry) -> int:
    """Estimate the disk that a copy and its thumbnail take: never more than a 640 px JPEG's worth."""
    return min(250_000, 20_000 + 2 * entry.size)


def _make_durable() -> None:
    """Flush the copies before the rows that name them: one flush for all is far quicker than one for each."""
    if hasattr(os, "sync"):
        os.sync()


def _at_most_every(seconds: float, call: Callable[[], None]) -> Callable[[], None]:
    last = 0.0

    def spaced() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            call()

    return spaced
