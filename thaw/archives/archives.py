"""Which files are archives, what is said of those that are not read, and which class the photos of several are of."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from thaw.archives.tars import SUFFIXES as TAR_SUFFIXES
from thaw.names import Parts
from thaw.tables.columns import split_of
from thaw.tables.file_index import common_folders

ArchiveKind = Literal["zip", "tar", ""]
# A project of Teachable Machine is a zip.
TEACHABLE = ".tm"
ZIP_SUFFIXES = (".zip", TEACHABLE)
MAX_ARCHIVES = 1000
_UNPACK = "unpack it and add the folder"
_PART = re.compile(r"\.(zip|7z|rar|tar|tgz|tar\.gz)\.\d{3}$|\.z\d{2}$|\.r\d{2}$|\.part\d+\.rar$", re.IGNORECASE)
_UNREAD = {
    (".7z",): "it is a 7-Zip archive",
    (".rar",): "it is a RAR archive",
    (".tar.xz", ".txz", ".tar.bz2", ".tbz", ".tbz2", ".tar.zst", ".tzst", ".tar.lz", ".tar.lzma", ".tar.z"): (
        "it is a tar in a compression other than gzip"
    ),
    (".gz", ".xz", ".bz2", ".zst", ".lz4", ".lzma"): "it is a packed file",
    (".zipx", ".cab", ".arj", ".lzh", ".lha", ".ace", ".sit", ".sitx", ".iso", ".dmg", ".wim"): (
        "it is an archive or a disk image of a kind"
    ),
}
# What browsers and web drives put behind the name of a folder that they pack.
_ADDED = re.compile(r"(-\d{8}T\d{6}Z(-\d+)*-\d{3}| ?\(\d+\)|-samples)+$")
_SAMPLE = "-!-"
_MANIFEST = "manifest.json"


def archive_kind(name: str) -> ArchiveKind:
    """Tell by its name which reader an archive needs; "" for a file that is none, or one that is not read."""
    lower = name.lower()
    if lower.endswith(TAR_SUFFIXES):
        return "tar"
    return "zip" if lower.endswith(ZIP_SUFFIXES) else ""


def explain_unread(name: str) -> str:
    """Say of an archive that is not read what it is and what to do; "" for any other file."""
    lower = name.lower()
    if _PART.search(lower):
        return (
            "it is one part of an archive in parts: put all parts into one folder, unpack the first and add the folder"
        )
    if archive_kind(name):
        return ""
    words = next((words for endings, words in _UNREAD.items() if lower.endswith(endings)), "")
    return f"{words} that is not read: {_UNPACK}" if words else ""


def class_of_archive(name: str) -> str:
    """Return the class that an archive is called after: its name without its ending and what programs add to it."""
    ending = next(each for each in (*TAR_SUFFIXES, *ZIP_SUFFIXES) if name.lower().endswith(each))
    stem = name[: -len(ending)].strip()
    return _ADDED.sub("", stem).strip() or stem or name


def is_teachable(archive: str, names: Sequence[str]) -> bool:
    """Say whether an archive is a project of Teachable Machine: a manifest, and photos called "CLASS-!-NUMBER.jpg"."""
    photos = [name for name in names if name != _MANIFEST]
    if len(photos) == len(names) or not photos:
        return False
    return archive.lower().endswith(TEACHABLE) or all(_SAMPLE in name for name in photos)


def sort_sample(name: str) -> str:
    """Return the name of a photo of a Teachable Machine project with its class as a folder: "cat/7.jpg"."""
    label, mark, number = name.rpartition(_SAMPLE)
    return f"{label}/{number}" if mark and label and "/" not in name else name


def place_archives(
    contents: Mapping[Parts, Sequence[Parts]], besides: Sequence[Parts]
) -> dict[Parts, tuple[Parts, int]]:
    """Tell for each of several archives the folders to put before its files, and how many of their own to take away.

    An archive that holds class folders adds to these, beside where it lies. One that holds photos alone makes the class
    that it, or its only folder, is called after; in a folder of photos it adds to them. `besides` are the files that
    were found with the archives.
    """
    commons = {archive: common_folders(names) for archive, names in contents.items()}
    top = common_folders([*contents, *besides])
    holding = {name[:-1] for name in besides if len(name) - 1 > len(top)}
    single = [
        common[-1] for archive, common in commons.items() if common and not _has_folders(contents[archive], common)
    ]
    one_for_all = len(single) > 1 and len(set(single)) == 1
    placed = {}
    for archive, common in commons.items():
        folder, stem = archive[:-1], class_of_archive(archive[-1])
        inner, last = _has_folders(contents[archive], common), common[-1] if common else ""
        if split_of(stem) or (inner and last == stem):
            before = (*folder, stem)
        elif inner or (not last and folder in holding):
            before = folder
        elif last and (stem.casefold().startswith(last.casefold()) or not one_for_all):
            before = (*folder, last)
        else:
            before = (*folder, stem)
        placed[archive] = (before, len(common))
    return placed


def _has_folders(names: Sequence[Parts], common: Parts) -> bool:
    return any(len(name) > len(common) + 1 for name in names)
