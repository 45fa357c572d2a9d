"""How a pile stands: which photos wait, in which groups, what has been named; and what is kept of its sorting."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from thaw.datasets.edits import PILE_GROUP, arrange_pile
from thaw.labelling.groups import halve
from thaw.storage.records import Dataset
from thaw.storage.store import Store
from tlcore.files import replacing

FILE = "pile.npz"


@dataclass(frozen=True)
class Sorting:
    """What a sorting found, a row a photo of `ids`: `directions` float32 (n, axes), see `groups.reduce`; `groups` int
    (n,), -1 for photos that had a class already; `alike` int (n,), the same for near-duplicates. `key` names it."""

    key: str
    ids: list[str]
    directions: np.ndarray
    groups: np.ndarray
    alike: np.ndarray


@dataclass(frozen=True)
class Pile:
    """A pile as it stands: a row a photo of `sorting`.

    `named` has each photo's class, None for one that waits or was excluded; `waits` bool (n,); `groups` int (n,) with
    what the person has merged, parted and moved. `unseen` photos wait that no sorting has seen yet.
    """

    sorting: Sorting
    named: list[str | None]
    waits: np.ndarray
    groups: np.ndarray
    unseen: int = 0

    @cached_property
    def places(self) -> np.ndarray:
        """Return the rows of the photos that wait, int (n,)."""
        return np.flatnonzero(self.waits)

    def members(self, group: int) -> np.ndarray:
        """Return the rows of the photos of a group that wait, int (n,)."""
        return np.flatnonzero(self.waits & (self.groups == group))

    def ids(self, places: Sequence[int] | np.ndarray) -> list[str]:
        """Return the ids of the photos of some rows."""
        return [self.sorting.ids[place] for place in places]


def keep_sorting(store: Store, dataset_id: str, sorting: Sorting) -> None:
    """Keep a sorting with its data set, whole or not at all."""
    with replacing(store.workspace.dataset(dataset_id) / FILE) as temporary:
        np.savez(
            temporary,
            key=sorting.key,
            ids=np.array(sorting.ids, dtype=np.str_),
            directions=sorting.directions,
            groups=sorting.groups,
            alike=sorting.alike,
            allow_pickle=False,
        )


def read_sorting(store: Store, dataset_id: str) -> Sorting | None:
    """Return the sorting that was kept with a data set, or None before the first."""
    try:
        with np.load(store.workspace.dataset(dataset_id) / FILE, allow_pickle=False) as archive:
            return Sorting(
                str(archive["key"]),
                archive["ids"].tolist(),
                *(archive[each] for each in ("directions", "groups", "alike")),
            )
    except (FileNotFoundError, zipfile.BadZipFile):
        return None


def look_at(store: Store, dataset_id: str, sorting: Sorting) -> Pile:
    """Return how the photos of a sorting stand now."""
    rows = {row["id"]: row for row in store.outline(dataset_id)}
    waiting = {each for each, row in rows.items() if row["role"] == "pile" and not row["excluded"]}
    named = [
        rows[each]["label"] if each in rows and rows[each]["role"] == "main" and not rows[each]["excluded"] else None
        for each in sorting.ids
    ]
    groups = sorting.groups.copy()
    marks = _read_marks(store, dataset_id, sorting)
    for place, each in enumerate(sorting.ids):
        groups[place] = marks.get(each, groups[place])
    waits = np.array([each in waiting for each in sorting.ids], dtype=bool) & (groups >= 0)
    return Pile(sorting, named, waits, groups, len(waiting) - int(waits.sum()))


def list_labels(store: Store, dataset_id: str) -> list[dict[str, str]]:
    """Return a row a photo with the "file" that it came as and its "label" so far, "" for one that waits."""
    return [
        {"file": row["name"], "label": row["label"]}
        for row in store.outline(dataset_id)
        if row["role"] in ("main", "pile") and not row["excluded"]
    ]


def put_into(
    store: Store,
    dataset_id: str,
    pile: Pile,
    places: Sequence[int] | np.ndarray,
    group: int | None,
    seen: Dataset | None = None,
) -> int:
    """Put photos that wait into a group, or with None into a new one; return how many changed. It can be undone.

    `seen` and what is raised with it are those of `thaw.datasets.edits`.
    """
    target = int(pile.groups.max()) + 1 if group is None else group
    return arrange_pile(store, dataset_id, _marks(pile, {int(place): target for place in places}), seen)


def part(store: Store, dataset_id: str, pile: Pile, group: int, seen: Dataset | None = None) -> int:
    """Part a group where it falls apart by itself; return how many photos are in the new one. It can be undone.

    Raises ValueError for a group of one photo.
    """
    members = pile.members(group)
    second = halve(pile.sorting.directions[members])
    return put_into(store, dataset_id, pile, members[second], None, seen)


def _marks(pile: Pile, groups: Mapping[int, int]) -> dict[str, str]:
    return {pile.sorting.ids[place]: f"{pile.sorting.key} {group}" for place, group in groups.items()}


def _read_marks(store: Store, dataset_id: str, sorting: Sorting) -> dict[str, int]:
    """Return the groups that the person has put photos into, of this sorting: another has numbers of its own."""
    marks = {each: value.rpartition(" ") for each, value in store.marks(dataset_id, PILE_GROUP).items()}
    return {each: int(number) for each, (key, _, number) in marks.items() if key == sorting.key}
