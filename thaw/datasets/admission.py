"""Which images of an import a data set takes in, given what it holds already: nothing twice, nothing that leaks."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from thaw.archives.entries import Place
from thaw.pictures.decode import digest
from thaw.sources.derivatives import find_derivatives
from thaw.storage.edits import ALIAS
from thaw.storage.records import Image, Role
from thaw.storage.store import Store
from tlcore.errors import ImageRejected
from tlcore.photos import SetAside
from tlcore.splits.groups import group_keys
from tlcore.splits.near_duplicates import find_near_duplicates, group

OTHER_ROLE = {
    "holdout": "it is, or looks nearly like, a photo of the data set; a holdout must be photos that training never saw",
    "main": "it is, or looks nearly like, a photo of the holdout, which training must never see",
}
OTHER_ROLE["pile"] = OTHER_ROLE["main"]


class Admission:
    """Judges what comes into a data set (a new one if `dataset_id` is None); `role` is that of the whole import."""

    def __init__(self, store: Store, dataset_id: str | None, role: Role) -> None:
        self.role = role
        self.known = 0
        self.refiled: dict[str, str] = {}
        self.recognised: dict[int, Image] = {}
        self.known_classes = set(store.dataset(dataset_id).classes) if dataset_id else set()
        self.classes = set(self.known_classes)
        self.aliases = store.marks(dataset_id, ALIAS) if dataset_id else {}
        self._present = store.every_image(dataset_id) if dataset_id else []
        # A drop that was undone may come again in the other role: that is how a wrong one is put right.
        self._withdrawn = store.withdrawn(dataset_id) if dataset_id else set()
        self._moves: Counter[tuple[str, str]] = Counter()
        self._kept = 0

    def refuse_class(self, place: Place) -> str:
        """Say why an image of a class cannot be taken in, or "" where it can."""
        if place.role != "holdout" or not place.label or place.label in self.classes:
            return ""
        return f"its class {place.label!r} is none of the data set's classes, so a model cannot be judged by it"

    def recognise(self, files: Sequence[Path], places: Sequence[Place], tick: Callable[[], None]) -> list[bool]:
        """Say, and count, which files are in the data set already, by their bytes and class.

        One that is there under another class, and no longer comes under that, was moved by the person: it is noted in
        `refiled` with its new class, unless it has been moved within Thaw too, which stands. A photo of the pile that
        comes in a class folder moves there. `recognised` has by its place the image that each of those files is. `tick`
        is called for every file.
        """
        self.classes |= {place.label for place in places if place.label and place.role == "main" and not place.reason}
        if not self._present:
            return [False] * len(files)
        arrivals = [_digest(path) if _comes(place) else "" for path, place in _ticking(files, places, tick)]
        arriving: defaultdict[str, set[str]] = defaultdict(set)
        for original, place in zip(arrivals, places, strict=True):
            arriving[original].add(place.label or "")
        there: defaultdict[str, list[Image]] = defaultdict(list)
        for image in self._present:
            there[image.original].append(image)
        known = [
            bool(original) and self._knows(there.get(original, []), place, arriving[original])
            for original, place in zip(arrivals, places, strict=True)
        ]
        self.known += sum(known)
        self.recognised = {row: there[arrivals[row]][0] for row, is_known in enumerate(known) if is_known}
        return known

    def _knows(self, images: Sequence[Image], place: Place, arriving: Collection[str]) -> bool:
        """Say whether `images`, those of the same bytes, make a file known that comes under the classes `arriving`."""
        label = place.label or ""
        if any(image.role == place.role and label in _labels(image) for image in images):
            return True
        if place.role == "pile":
            return bool(images)
        others = [image for image in images if image.role in (place.role, "pile") and image.id not in self._withdrawn]
        left = [image for image in others if not _labels(image) & set(arriving) or image.role == "pile"]
        if len(others) != 1 or len(left) != 1 or len(set(arriving)) > 1:
            return False
        (image,) = left
        if self.aliases.get(image.imported_label, image.imported_label) != image.label:
            self._kept += 1
        elif image.id not in self.refiled:
            self.refiled[image.id] = label
            self._moves[image.label, label] += 1
        return True

    def notes(self) -> list[str]:
        """Say which photos moved with their files, and which stay where the person has put them within Thaw."""
        notes = [
            f"{count:,} {'photo' if count == 1 else 'photos'} moved from {repr(old) if old else 'no class'} to {new!r} "
            "where the files are now. Undo puts them back."
            for (old, new), count in self._moves.items()
        ]
        if self._kept:
            files = "file lies" if self._kept == 1 else "files lie"
            notes.append(
                f"{self._kept:,} {files} in another class folder than before, but you had moved the photo within Thaw: "
                "that stands."
            )
        return notes

    def admit(self, images: Sequence[Image], boxed: bool = False) -> tuple[list[Image], list[Image]]:
        """Part the images into those that may come in and those that are, or resemble, one of the other role.

        Of an import that brings both, what is to be learnt from comes first. Photos with boxes are learnt from without
        a class, in the pile.
        """
        roles = ("main", "pile") if boxed else ("main",)
        present = [image for image in self._present if image.id not in self._withdrawn]
        learnt = [image for image in images if image.role in roles]
        held_out = [image for image in images if image.role == "holdout"]
        rest = [image for image in images if image.role not in (*roles, "holdout")]
        fit, unfit = _part(learnt, [image for image in present if image.role == "holdout"])
        fit_too, unfit_too = _part(held_out, [*(image for image in present if image.role in roles), *fit])
        return [*fit, *fit_too, *rest], [*unfit, *unfit_too]

    def explain_unfit(self, image: Image) -> SetAside:
        """Say why an image that `admit` did not let in is set aside."""
        return SetAside(image.name, OTHER_ROLE[image.role])

    def regroup(self, images: Sequence[Image]) -> tuple[list[Image], dict[str, dict[str, str]]]:
        """Return the images with their groups of near-duplicates, and by kind the new groups of those that were there.

        A group's key is the id of its first member, so that a group that grows keeps its key.
        """
        everything, first = [*self._present, *images], len(self._present)
        pairs = find_near_duplicates([image.fingerprint for image in everything], first)
        pairs += self._present_pairs()
        lookalike = group_keys(everything, group(len(everything), pairs))
        derived = group_keys(everything, group(len(everything), _derived_pairs(everything)))
        regrouped = {
            kind: {
                image.id: key for image, key in zip(self._present, keys, strict=False) if getattr(image, kind) != key
            }
            for kind, keys in (("lookalike", lookalike), ("derived", derived))
        }
        grouped = [
            dataclasses.replace(image, lookalike=lookalike[place], derived=derived[place])
            for place, image in enumerate(images, first)
        ]
        return grouped, regrouped

    def _present_pairs(self) -> list[tuple[int, int]]:
        members: defaultdict[str, list[int]] = defaultdict(list)
        for place, image in enumerate(self._present):
            if image.lookalike:
                members[image.lookalike].append(place)
        return [pair for places in members.values() for pair in pairwise(places)]


def _part(images: Sequence[Image], others: Sequence[Image]) -> tuple[list[Image], list[Image]]:
    """Part images into those unlike all others and those that are, or resemble, or were made of the photo of, one."""
    if not others or not images:
        return list(images), []
    contents = {image.content for image in others}
    every = [*others, *images]
    pairs = find_near_duplicates([image.fingerprint for image in every], len(others))
    groups = group(len(every), [*pairs, *_derived_pairs(every)])
    fit: list[Image] = []
    unfit: list[Image] = []
    for image, first in zip(images, groups[len(others) :], strict=True):
        (unfit if first < len(others) or image.content in contents else fit).append(image)
    return fit, unfit


def _derived_pairs(images: Sequence[Image]) -> list[tuple[int, int]]:
    return find_derivatives([image.imported_label for image in images], [image.name for image in images])


def _comes(place: Place) -> bool:
    return place.label is not None and not place.reason


def _ticking(files: Sequence[Path], places: Sequence[Place], tick: Callable[[], None]) -> Iterator[tuple[Path, Place]]:
    for pair in zip(files, places, strict=True):
        tick()
        yield pair


def _digest(path: Path) -> str:
    try:
        return digest(path)
    except ImageRejected:
        return ""


def _labels(image: Image) -> set[str]:
    return {image.label, image.imported_label}
