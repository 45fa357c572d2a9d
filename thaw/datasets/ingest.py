"""Data sets: how files become accepted images and rows, all or nothing."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from thaw.archives.entries import Entry, Found, Layout, Place
from thaw.archives.zips import Progress
from thaw.boxes.placing import UPRIGHT
from thaw.datasets import boxes, recordings
from thaw.datasets.admission import Admission
from thaw.decoding.decoder import Decoded, DecodeJob, Decoder
from thaw.decoding.many import SpreadDecoder, decode_by_one_range
from thaw.decoding.time_limit import IMPORT_EXTRA_S, Allowance
from thaw.jobs.threads import start_thread
from thaw.pictures.decode import explain_no_picture
from thaw.sources.annotated import arrange_annotated
from thaw.sources.layout import arrange, place_listed
from thaw.sources.sources import Source, collect
from thaw.sources.twin_classes import merge_twins
from thaw.storage.database import new_id
from thaw.storage.datasets import Arrival
from thaw.storage.disk_space import require_space
from thaw.storage.questions import Ask, take_default
from thaw.storage.records import Image, Role
from thaw.storage.store import Store
from thaw.storage.workspace import DATASET_PREFIX, UNFINISHED_FILE, Workspace
from tlcore.errors import DatasetError, ImageRejected
from tlcore.photos import SetAside, natural
from tlcore.progress import Spread, Stage
from tlcore.splits.splits import MAX_CLASSES, too_many

NO_CLASS = "it is not inside a class folder: put it in a folder named after its class"
# Names of these begin with the folder that somebody chose, where it was one; those of a path on this machine do not.
BROUGHT = ("staged", "zip", "tar")
STOP_EVERY_S = 0.5


def ingest(
    store: Store,
    source: Source,
    name: str,
    progress: Progress = lambda stage, done, total: None,
    check_stop: Callable[[], None] = lambda: None,
    into: str | None = None,
    role: Role = "main",
    job_id: str = "",
    ask: Ask = take_default,
    spread: Spread | None = None,
) -> str:
    """Import a source: decode every file, keep normalised copies, record the data set; return its id.

    With `into`, the id of a data set, what is new is added to that one; `job_id` is the job that asked for it, if any.
    `ask` is called where the photos can be understood in several ways, and files are decoded by `spread` if there is
    one. Accepted + set aside + ignored + known = found.
    Rows are written in one transaction at the end; until then a kill leaves only folders that `thaw.jobs.sweeper`
    removes. `check_stop` raises to end the import early, which leaves nothing. Raises DatasetError where no image could
    be accepted, the source cannot be read or the disk is too full.
    """
    folder_id = new_id(DATASET_PREFIX)
    check = _at_most_every(STOP_EVERY_S, check_stop)
    with _alone(store, into, progress, check), hold_folders(store.workspace, folder_id) as (folder, unpacked):
        progress(Stage.FINDING_FILES, 0, 0)
        found = collect(source, unpacked, progress, check, ask)
        admission = Admission(store, into, role)
        layout = _arrange(found, admission, ask, brought=into is None and source.kind in BROUGHT)
        known = admission.recognise([entry.path for entry in found.entries], layout.places, check)
        require_space(folder, sum(_copy_bytes(entry) for entry in found.entries))
        spendable = _spendable(source, store.workspace, unpacked)
        grey_range = store.dataset(into).grey_range if into else None
        orientations: dict[str, int] = {}
        decoded, refused, grey_range = _decode(
            found, layout.places, known, folder, admission, progress, check, spendable, grey_range, orientations, spread
        )
        decoded, thinned = recordings.thin(decoded)
        images, unfit = admission.admit(decoded, boxed=bool(found.annotations and found.annotations.sheets))
        for image in (*unfit, *thinned):
            _remove_copy(store.workspace, image)
        set_aside = [*found.set_aside, *refused, *map(admission.explain_unfit, unfit)]
        set_aside += map(recordings.explain_thinned, thinned)
        if not images and not admission.known:
            raise _nothing_usable(source, found, set_aside)
        assert len(images) + len(set_aside) + found.ignored + admission.known == found.count
        progress(Stage.FINDING_NEAR_DUPLICATES, 0, 0)
        with flushing():
            images, regrouped = admission.regroup(images)
        drawn = _draw(store, into, found, images, admission, orientations, ask)
        notes = [*layout.notes, *admission.notes(), *found.notes, *drawn.notes]
        notes += _class_notes(images, layout.places, admission)
        counts = found.ignored, admission.known
        arrival = Arrival(
            *(images, set_aside, *counts, notes, regrouped, admission.refiled, job_id, grey_range),
            *(drawn.boxes, drawn.rejected),
        )
        shutil.rmtree(unpacked, ignore_errors=True)
        if into is None:
            store.add_dataset(folder_id, name, source.origin, arrival)
        else:
            store.add_to_dataset(into, source.origin, arrival)
    return into or folder_id


@contextmanager
def _alone(store: Store, dataset_id: str | None, progress: Progress, check_stop: Callable[[], None]) -> Iterator[None]:
    """Hold a data set that is added to: of two additions at once neither would know what the other brings.

    Without that, one drop as photos to learn from and one as holdout would both take in the same picture.
    """
    if dataset_id is None:
        yield
        return
    # Asked first, so that no name but a data set's becomes a lock's.
    lock = FileLock(store.workspace.job_lock(store.dataset(dataset_id).id))
    while True:
        try:
            lock.acquire(timeout=STOP_EVERY_S)
            break
        except Timeout:
            progress(Stage.WAITING_FOR_IMPORT, 0, 0)
            check_stop()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def hold_folders(workspace: Workspace, dataset_id: str) -> Iterator[tuple[Path, Path]]:
    """Hold a data set's lock and its folders: its own, gone if the body fails, and one for unpacking, always gone.

    Until the body has ended, a file in its own says that it may be removed.
    """
    folder, unpacked = workspace.dataset(dataset_id), workspace.staging(dataset_id)
    with FileLock(workspace.job_lock(dataset_id)):
        try:
            folder.mkdir(parents=True)
            (folder / UNFINISHED_FILE).touch()
            (folder / "images").mkdir()
            (folder / "thumbnails").mkdir()
            yield folder, unpacked
            (folder / UNFINISHED_FILE).unlink()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)


def _arrange(found: Found, admission: Admission, ask: Ask, brought: bool) -> Layout:
    """Return where each entry belongs, by its table, else its folders and name, under what the data set calls it."""
    names = [entry.name for entry in found.entries]
    if found.annotations and found.annotations.sheets:
        return arrange_annotated(names, found.annotations, admission.role, admission.known_classes)
    if admission.role != "pile" and any(entry.label for entry in found.entries):
        named = [entry.label and admission.aliases.get(entry.label, entry.label) for entry in found.entries]
        layout = Layout(place_listed(named, [entry.split for entry in found.entries], admission.role), [])
        return merge_twins(layout, ask, admission.classes)
    return arrange(names, ask, admission.role, admission.classes, admission.aliases, brought)


def _draw(
    store: Store,
    into: str | None,
    found: Found,
    images: Sequence[Image],
    admission: Admission,
    orientations: Mapping[str, int],
    ask: Ask,
) -> boxes.Drawn:
    """Draw the boxes that came on the images that came, and on those that were there and have none yet."""
    if found.annotations is None:
        return boxes.Drawn()
    by_name = {tuple(image.name.split("/")): image for image in images}
    turned = dict(orientations)
    for row, image in admission.recognised.items():
        entry = found.entries[row]
        by_name[entry.name] = image
        turned[image.id] = boxes.read_orientation(entry.path)
    return boxes.draw(found.annotations, by_name, turned, store.boxes(into) if into else (), ask)


def _spendable(source: Source, workspace: Workspace, unpacked: Path) -> tuple[str, ...]:
    """Return what the paths begin with of files that are Thaw's own and would be removed after the import anyway."""
    folders = [unpacked]
    if source.kind == "staged" and source.path.resolve().parent == workspace.root / "staging":
        folders.append(source.path)
    return tuple(f"{folder}{os.sep}" for folder in folders)


def _decode(
    found: Found,
    places: Sequence[Place],
    known: Sequence[bool],
    folder: Path,
    admission: Admission,
    progress: Progress,
    check_stop: Callable[[], None],
    spendable: tuple[str, ...],
    grey_range: int | None,
    orientations: dict[str, int],
    spread: Spread | None,
) -> tuple[list[Image], list[SetAside], int | None]:
    """Decode what is found; return the images, the files set aside and the range of pictures of more than 8 bits.

    Without a `grey_range` it is the one that holds all that come, if any come. `orientations` takes that of each image
    that was turned upright, by id.
    """
    images: list[Image] = []
    ranges = {grey_range or 0}
    refused: list[SetAside] = []
    waiting: dict[DecodeJob, tuple[str, Place, str]] = {}

    def jobs() -> Iterator[DecodeJob]:
        for entry, place, there in zip(found.entries, places, known, strict=True):
            entry_name = "/".join(entry.name)
            reason = place.reason or (NO_CLASS if place.label is None else admission.refuse_class(place))
            if reason:
                refused.append(SetAside(entry_name, explain_no_picture(entry.path) or reason))
            elif not there:
                image_id = new_id("img")
                copy, thumbnail = folder / "images" / image_id, folder / "thumbnails" / f"{image_id}.jpg"
                job = DecodeJob(
                    entry.path,
                    copy,
                    thumbnail,
                    spent=str(entry.path).startswith(spendable),
                    mark=entry.mark,
                    grey_range=grey_range,
                )
                waiting[job] = (image_id, place, entry_name)
                yield job

    total = len(found.entries)
    progress(Stage.CHECKING_IMAGES, 0, total)
    with Decoder(allowance=Allowance(IMPORT_EXTRA_S)) as decoder:
        decodes = SpreadDecoder(decoder, spread, check_stop) if spread else decoder
        for job, outcome in decode_by_one_range(decodes, jobs()):
            image_id, place, entry_name = waiting.pop(job)
            if job.spent:
                # Now and not at the end: what is gone this soon is never written to the disk.
                job.path.unlink(missing_ok=True)
            if isinstance(outcome, ImageRejected):
                _remove_torn(job)
                refused.append(SetAside(entry_name, str(outcome)))
            else:
                ranges.add(outcome.grey_range or 0)
                images.append(_image(image_id, place, entry_name, folder.name, outcome))
                if outcome.orientation != UPRIGHT:
                    orientations[image_id] = outcome.orientation
            progress(Stage.CHECKING_IMAGES, len(images) + len(refused) + admission.known, total)
            check_stop()
    progress(Stage.CHECKING_IMAGES, total, total)
    # Children finish in any order; the rows are to have the same one every time.
    ordered = sorted(images, key=lambda image: (natural(image.label), natural(image.name), image.content))
    return ordered, refused, max(ranges) or None


def _image(image_id: str, place: Place, name: str, folder: str, decoded: Decoded) -> Image:
    label, role, part = place.label or "", place.role, place.part
    measured = {field: value for field, value in vars(decoded).items() if field not in ("grey_range", "orientation")}
    return Image(
        id=image_id, label=label, name=name, folder=folder, role=role, part=part, imported_label=label, **measured
    )


def _remove_torn(job: DecodeJob) -> None:
    """Remove what a child wrote before it died."""
    for path in (*(job.target.with_name(job.target.name + suffix) for suffix in (".png", ".jpg")), job.thumbnail):
        path.unlink(missing_ok=True)


def _remove_copy(workspace: Workspace, image: Image) -> None:
    workspace.image(image.folder, image.id, image.suffix).unlink(missing_ok=True)
    workspace.thumbnail(image.folder, image.id).unlink(missing_ok=True)


def _nothing_usable(source: Source, found: Found, set_aside: Sequence[SetAside]) -> DatasetError:
    reasons = Counter(row.reason for row in set_aside).most_common(3)
    why = "".join(f" {count:,} set aside: {reason}." for reason, count in reasons)
    why += f" {found.ignored:,} ignored: hidden, or a system's." if found.ignored else ""
    return DatasetError(
        f"Expected class folders with images, like flowers/rose/a.jpg. Received: 0 usable images among "
        f"{found.count:,} files of {source.origin}.{why}"
    )


def _class_notes(images: Sequence[Image], places: Sequence[Place], admission: Admission) -> list[str]:
    """Say which classes have no usable image, and where there are more classes than can be trained."""
    accepted = {image.label for image in images}
    named = {place.label for place in places if place.label and not place.reason}
    notes = [
        f"Class {label!r} has no usable image and is left out. Add images to its folder or remove it."
        for label in sorted(named - accepted - admission.known_classes, key=natural)
    ]
    classes = {image.label for image in images if image.role == "main"} | admission.known_classes
    return [*notes, too_many(len(classes))] if len(classes) > MAX_CLASSES else notes


def _copy_bytes(entry: Entry) -> int:
    """Estimate the disk that a copy and its thumbnail take: never more than a 640 px JPEG's worth."""
    return min(250_000, 20_000 + 2 * entry.size)


def make_durable() -> None:
    """Flush the copies before the rows that name them: one flush for all is far quicker than one for each."""
    if hasattr(os, "sync"):
        os.sync()


@contextmanager
def flushing() -> Iterator[None]:
    """Flush the copies that are written by now while the body runs, and wait for it."""
    flushed = start_thread(make_durable)
    try:
        yield
    finally:
        flushed.wait()


def _at_most_every(seconds: float, call: Callable[[], None]) -> Callable[[], None]:
    last = 0.0

    def spaced() -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            call()

    return spaced
