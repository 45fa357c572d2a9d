"""Which images of an import a data set takes in, given what it holds already: nothing twice, nothing that leaks."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tlcore.edit_rows import ALIAS
from tlcore.errors import ImageRejected
from tlcore.images import digest
from tlcore.records import Image, Role, SetAside
from tlcore.resemblance import find_near_duplicates, group
from tlcore.store import Store

OTHER_ROLE = {
    "holdout": "it is, or looks nearly like, a photo of the data set; a holdout must be photos that training never saw",
    "main": "it is, or looks nearly like, a photo of the holdout, which training must never see",
}


class Admission:
    """Judges what comes into a data set (a new one if `dataset_id` is None) as images of one role."""

    def __init__(self, store: Store, dataset_id: str | None, role: Role) -> None:
        self.role = role
        self.known = 0
        self._present = store.every_image(dataset_id) if dataset_id else []
        self._aliases = store.marks(dataset_id, ALIAS) if dataset_id else {}
        # A drop that was undone may come again in the other role: that is how a wrong one is put right.
        withdrawn = store.withdrawn(dataset_id) if dataset_id else set()
        self._others = [image for image in self._present if image.role != role and image.id not in withdrawn]
        same_role = [image for image in self._present if image.role == role]
        self._originals = {(image.original, label) for image in same_role for label in _labels(image)}
        self.classes = set(store.dataset(dataset_id).classes) if dataset_id else set()

    def rename(self, label: str) -> str:
        """Return what the data set calls a class by now: folders keep the name that the class had at first."""
        return self._aliases.get(label, label)

    def refuse_class(self, label: str) -> str:
        """Say why images of a class cannot be taken in, or "" where they can."""
        if self.role == "main" or label in self.classes:
            return ""
        return f"its class {label!r} is none of the data set's classes, so a model cannot be judged by it"

    def knows(self, path: Path, label: str) -> bool:
        """Say, and count, whether a file is in the data set already, by its bytes and class."""
        if not self._originals:
            return False
        try:
            known = (digest(path), label) in self._originals
        except ImageRejected:
            return False
        self.known += known
        return known

    def admit(self, images: Sequence[Image]) -> tuple[list[Image], list[Image]]:
        """Part the images into those that may come in and those that are, or resemble, one of the other role."""
        others = self._others
        if not others:
            return list(images), []
        contents = {image.content for image in others}
        fingerprints = [image.fingerprint for image in (*others, *images)]
        groups = group(len(fingerprints), find_near_duplicates(fingerprints, len(others)))
        fit: list[Image] = []
        unfit: list[Image] = []
        for image, first in zip(images, groups[len(others) :], strict=True):
            (unfit if first < len(others) or image.content in contents else fit).append(image)
        return fit, unfit

    def explain_unfit(self, image: Image) -> SetAside:
        """Say why an image that `admit` did not let in is set aside."""
        return SetAside(image.name, OTHER_ROLE[self.role])

    def regroup(self, images: Sequence[Image]) -> tuple[list[Image], dict[str, str]]:
        """Return the images with their groups of near-duplicates, and the new groups of those that were there.

        A group's key is the id of its first member, so that a group that grows keeps its key.
        """
        everything = [*self._present, *images]
        pairs = find_near_duplicates([image.fingerprint for image in everything], len(self._present))
        pairs += self._present_pairs()
        keys = group_keys(everything, group(len(everything), pairs))
        regrouped = {
            image.id: keys[place] for place, image in enumerate(self._present) if image.lookalike != keys[place]
        }
        first = len(self._present)
        return [dataclasses.replace(image, lookalike=keys[first + n]) for n, image in enumerate(images)], regrouped

    def _present_pairs(self) -> list[tuple[int, int]]:
        members: defaultdict[str, list[int]] = defaultdict(list)
        for place, image in enumerate(self._present):
            if image.lookalike:
                members[image.lookalike].append(place)
        return [pair for places in members.values() for pair in pairwise(places)]


def _labels(image: Image) -> set[str]:
    return {image.label, image.imported_label}


def group_keys(images: Sequence[Image], groups: Sequence[int]) -> list[str]:
    """Return the key of each image's group, "" for an image that is alone in its group."""
    sizes: defaultdict[int, int] = defaultdict(int)
    for number in groups:
        sizes[number] += 1
    return [images[number].id if sizes[number] > 1 else "" for number in groups]
