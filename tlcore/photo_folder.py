"""Reads a folder of photos, one folder a class, without a workspace."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

from tlcore.errors import DatasetError, ImageRejected
from tlcore.images.pixels import WIDEST, Picture, RangeUnknown, Reader, choose_range, read_picture
from tlcore.photos import Photo, SetAside, is_junk, natural
from tlcore.splits.groups import group_keys
from tlcore.splits.near_duplicates import find_near_duplicates, group

NO_CLASS = "it is not inside a class folder: put it in a folder named after its class"


@dataclass(frozen=True)
class Photos(Sequence[Photo]):
    """Labelled photos in the order of their classes and names; `set_aside` lists the files that could not be read.

    `read` is what read them. Greys of more than 8 bits were brought to 0..255 from 0..`grey_range`.
    """

    photos: tuple[Photo, ...]
    set_aside: tuple[SetAside, ...] = ()
    grey_range: int = WIDEST
    read: Reader = read_picture

    @property
    def classes(self) -> dict[str, int]:
        """Return how many photos each class has, in the order of their names."""
        counts = Counter(photo.label for photo in self.photos)
        return {label: counts[label] for label in sorted(counts, key=natural)}

    def __len__(self) -> int:
        return len(self.photos)

    @overload
    def __getitem__(self, place: int) -> Photo: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Photo, ...]: ...
    def __getitem__(self, place: int | slice) -> Photo | tuple[Photo, ...]:
        return self.photos[place]


@dataclass(frozen=True)
class _Read:
    """A photo and its fingerprint, or why there is none; `largest` where it waits for the range of greys."""

    photo: Photo | None = None
    fingerprint: str = ""
    reason: str = ""
    largest: int = 0
    grey_range: int | None = None


def read_folder(
    folder: Path,
    copies: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    read: Reader = read_picture,
) -> Photos:
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

    def look(name: str, grey_range: int | None = None) -> None:
        reads[name] = _read(read, folder, name, targets[name], grey_range)
        progress(len(reads), len(targets))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(look, targets))
        # All greys of more than 8 bits by one range, the smallest that holds them.
        held = {name: each.largest for name, each in reads.items() if each.largest}
        known = {each.grey_range for each in reads.values() if each.grey_range}
        grey_range = max(known | {choose_range(largest) for largest in held.values()}, default=WIDEST)
        list(pool.map(lambda name: look(name, grey_range), held))
    found = [(each.photo, each.fingerprint) for name in targets if (each := reads[name]).photo]
    set_aside = [SetAside(name, reads[name].reason) for name in targets if not reads[name].photo]
    if not found:
        why = f" {len(set_aside):,} files were set aside, the first because {set_aside[0].reason}." if set_aside else ""
        raise DatasetError(f"Expected class folders with photos, like '{folder}/rose/a.jpg'. Received: none.{why}")
    photos = [photo for photo, _ in found]
    groups = group(len(photos), find_near_duplicates([fingerprint for _, fingerprint in found]))
    marked = [replace(photo, lookalike=key) for photo, key in zip(photos, group_keys(photos, groups), strict=True)]
    ordered = sorted(marked, key=lambda photo: (natural(photo.label), natural(photo.name)))
    return Photos(tuple(ordered), tuple(set_aside), grey_range, read)


def _list_names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not is_junk(name) and path.is_file():
            yield name


def _read(read: Reader, folder: Path, name: str, copy: Path, grey_range: int | None) -> _Read:
    try:
        picture = read(folder / name, copy, grey_range)
    except ImageRejected as problem:
        return _Read(reason=str(problem))
    except RangeUnknown as unknown:
        return _Read(largest=unknown.largest)
    label, below, _ = name.partition("/")
    if not below:
        picture.file.unlink()
        return _Read(reason=NO_CLASS)
    return _Read(_label(picture, name, label), picture.fingerprint, grey_range=picture.grey_range)


def _label(picture: Picture, name: str, label: str) -> Photo:
    return Photo(
        id=name,
        label=label,
        name=name,
        content=picture.content,
        width=picture.width,
        height=picture.height,
        taken_at=picture.taken_at,
        file=str(picture.file),
    )
