"""What pages tell of all photos of a large data set: kept beside it, and read in no time.

What has to look at every row is found once for each state of a data set, in a process of its own
(`thaw.summaries.summarise`), and pages show what is kept.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from thaw.datasets.health import Finding
from thaw.storage.records import Dataset, Image
from thaw.storage.store import Store
from tlcore.files import write_atomically
from tlcore.settings import HeadSettings

LARGE = 50_000
"""Of more photos pages show what is kept; the rows of fewer are read when a page asks."""
# What the Studio shows of a class, and of how many classes.
FIRST, MOST_CLASSES = 60, 200
SUMMARY_FILE, DETAILS_FILE = "summary.json", "summary-details.json"

Sides = Mapping[str, tuple[int, int, int]]
"""How many photos of each class go to training, to validation and to the newest kept for later."""


@dataclass(frozen=True)
class Summary:
    """What is known of all photos of a data set whose journal had `recorded` bytes.

    `middle_side` is the median of the longer sides in pixels; `dated` say when they were taken; `validation` came as
    validation photos, of which `straddling` are near-duplicates of the training part, and `others` came without a part;
    `unfair` classes are judged by the recording that they are learnt from. `first` are the ids of the photos that each
    class is shown by. `divisions` tell by `division_key` how many go to each side, or why they cannot be divided;
    `findings` by image size in pixels how many things there are to look at.
    """

    recorded: int
    middle_side: float
    dated: int
    validation: int
    straddling: int
    others: int
    unfair: Sequence[str] = ()
    first: Mapping[str, Sequence[str]] = field(default_factory=dict)
    divisions: Mapping[str, Sides | str] = field(default_factory=dict)
    findings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Details:
    """The photos behind a summary, by id: what the health report found by image size in pixels, and the groups of
    near-duplicates, the largest first."""

    findings: Mapping[str, Sequence[Mapping[str, Any]]]
    groups: Sequence[Sequence[str]]


def is_large(dataset: Dataset) -> bool:
    """Say whether a data set has so many photos that pages show what is kept of them."""
    return dataset.accepted > LARGE


def division_key(settings: HeadSettings) -> str:
    """Return what of a head's settings decides which photos go where, as text to be looked up by."""
    return json.dumps([settings.validation_split, settings.seed, settings.later_share, settings.parts])


def read_summary(store: Store, dataset_id: str) -> Summary | None:
    """Return what is kept of a data set, of an earlier state perhaps, or None."""
    return _read(_stamp(store.workspace.dataset(dataset_id) / SUMMARY_FILE))


def read_details(store: Store, dataset_id: str) -> Details | None:
    """Return the photos behind what is kept of a data set, or None."""
    try:
        content = (store.workspace.dataset(dataset_id) / DETAILS_FILE).read_bytes()
    except FileNotFoundError:
        return None
    return Details(**json.loads(content))


def keep(store: Store, dataset_id: str, summary: Summary, details: Details) -> None:
    """Keep what was found; the summary last, so that the details of one that is read are there."""
    folder = store.workspace.dataset(dataset_id)
    write_atomically(folder / DETAILS_FILE, json.dumps(vars(details)).encode())
    write_atomically(folder / SUMMARY_FILE, json.dumps(vars(summary)).encode())


def describe(finding: Finding) -> dict[str, Any]:
    """Return a finding as what is kept of it: its photos by id."""
    plain = {name: value for name, value in vars(finding).items() if name != "images"}
    return plain | {"images": [image.id for image in finding.images]}


@dataclass(frozen=True)
class RecalledGroups(Sequence[tuple[Image, ...]]):
    """Groups of near-duplicates, whose photos are read where one looks; `photos` are in them in all."""

    store: Store
    ids: Sequence[Sequence[str]]

    @property
    def photos(self) -> int:
        return sum(map(len, self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> tuple[Image, ...]: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[tuple[Image, ...]]: ...

    def __getitem__(self, place: int | slice) -> tuple[Image, ...] | Sequence[tuple[Image, ...]]:
        chosen = self.ids[place] if isinstance(place, slice) else [self.ids[place]]
        by_id = self.store.images_by_id([each for group in chosen for each in group])
        groups = [tuple(_standing(by_id, group)) for group in chosen]
        return [group for group in groups if len(group) > 1] if isinstance(place, slice) else groups[0]


def recall_groups(store: Store, dataset_id: str) -> RecalledGroups:
    """Return the groups of near-duplicates that are kept of a data set, the largest first."""
    return RecalledGroups(store, _read_details(store, dataset_id).groups)


def recall_findings(store: Store, dataset_id: str, size: int) -> list[Finding]:
    """Return the findings that are kept at an image size, with those of their photos that still take part."""
    found = []
    for kept in _read_details(store, dataset_id).findings.get(str(size), ()):
        images = tuple(_standing(store.images_by_id(kept["images"]), kept["images"]))
        if images or not kept["images"]:
            found.append(Finding(**{**kept, "images": images, "classes": tuple(kept["classes"])}))
    return found


def recall_first(store: Store, summary: Summary, label: str, most: int) -> list[Image]:
    """Return the photos that a class is shown by, those that are still in it."""
    ids = list(summary.first.get(label, ()))[:most]
    return [image for image in _standing(store.images_by_id(ids), ids) if image.label == label]


def _standing(by_id: Mapping[str, Image], ids: Sequence[str]) -> list[Image]:
    """Return those of the photos that still take part in training."""
    images = (by_id[each] for each in ids if each in by_id)
    return [image for image in images if image.role == "main" and not image.excluded]


def _read_details(store: Store, dataset_id: str) -> Details:
    return read_details(store, dataset_id) or Details({}, [])


def _stamp(path: Path) -> tuple[Path, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return path, 0, 0
    return path, found.st_mtime_ns, found.st_ino


@functools.lru_cache(maxsize=8)
def _read(stamp: tuple[Path, int, int]) -> Summary | None:
    path, written, _ = stamp
    return Summary(**json.loads(path.read_bytes())) if written else None
