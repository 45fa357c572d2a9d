"""Reads a folder of photos, one folder a class, without a workspace."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tlcore.errors import DatasetError, ImageRejected
from tlcore.images.copies import save_normalised
from tlcore.images.decode import explain_no_picture, normalise
from tlcore.images.deep_pictures import WIDEST, RangeUnknown, choose_range
from tlcore.images.quality import measure
from tlcore.photos import Photo, Photos, SetAside, is_junk, natural
from tlcore.splits.groups import group_keys
from tlcore.splits.near_duplicates import find_near_duplicates, group

NO_CLASS = "it is not inside a class folder: put it in a folder named after its class"


@dataclass(frozen=True)
class _Read:
    """A photo and its fingerprint, or why there is none; `largest` where it waits for the range of greys."""

    photo: Photo | None = None
    fingerprint: str = ""
    reason: str = ""
    largest: int = 0
    grey_range: int | None = None


def read_folder(folder: Path, copies: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Photos:
    """Read the photos of a folder of class folders and keep a normalised copy of each in `copies`.

    A photo's class is the folder right below `folder` that it lies in, however deep; hidden and system files are
    ignored. Copies and near-duplicates by fingerprint get one `lookalike`. `progress` is called with how many files
    are done, and of how many. Raises DatasetError where there is no such folder or no photo in it.

    Files are decoded in this process, within the limits on bytes and pixels, but not on time: what a stranger sent is
    better imported by the application, which decodes in processes of their own.
    """
    if not folder.is_dir():
        raise DatasetError(f"Expected a folder of class folders. Received: '{folder}', which is no folder.")
    copies.mkdir(parents=True, exist_ok=True)
    targets = {name: copies / f"{number:06d}" for number, name in enumerate(sorted(_list_names(folder), key=natural))}
    reads: dict[str, _Read] = {}

    def read(name: str, grey_range: int | None = None) -> None:
        reads[name] = _read(folder, name, targets[name], grey_range)
        progress(len(reads), len(targets))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(read, targets))
        # All greys of more than 8 bits by one range, the smallest that holds them.
        held = {name: each.largest for name, each in reads.items() if each.largest}
        known = {each.grey_range for each in reads.values() if each.grey_range}
        grey_range = max(known | {choose_range(largest) for largest in held.values()}, default=WIDEST)
        list(pool.map(lambda name: read(name, grey_range), held))
    found = [(each.photo, each.fingerprint) for name in targets if (each := reads[name]).photo]
    set_aside = [SetAside(name, reads[name].reason) for name in targets if not reads[name].photo]
    if not found:
        why = f" {len(set_aside):,} files were set aside, the first because {set_aside[0].reason}." if set_aside else ""
        raise DatasetError(f"Expected class folders with photos, like '{folder}/rose/a.jpg'. Received: none.{why}")
    photos = [photo for photo, _ in found]
    groups = group(len(photos), find_near_duplicates([fingerprint for _, fingerprint in found]))
    marked = [replace(photo, lookalike=key) for photo, key in zip(photos, group_keys(photos, groups), strict=True)]
    ordered = sorted(marked, key=lambda photo: (natural(photo.label), natural(photo.name)))
    return Photos(tuple(ordered), tuple(set_aside), grey_range)


def _list_names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not is_junk(name) and path.is_file():
            yield name


def _read(folder: Path, name: str, copy: Path, grey_range: int | None) -> _Read:
    label, below, _ = name.partition("/")
    if not below:
        return _Read(reason=explain_no_picture(folder / name) or NO_CLASS)
    try:
        normalised = normalise(folder / name, grey_range)
    except ImageRejected as problem:
        return _Read(reason=str(problem))
    except RangeUnknown as unknown:
        return _Read(largest=unknown.largest)
    suffix, content = save_normalised(normalised, copy)
    photo = Photo(
        id=name,
        label=label,
        name=name,
        content=content,
        width=normalised.width,
        height=normalised.height,
        taken_at=normalised.taken_at,
        file=str(copy.with_name(copy.name + suffix)),
    )
    return _Read(photo, measure(normalised.image).fingerprint, grey_range=normalised.grey_range)
