"""Photos in their groups, as a split sees them: which classes a group holds, how many photos of each, and its rank."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from hashlib import sha256

from tlcore.photos import Photo
from tlcore.splits.groups import GroupRules, group_images


class GroupedPhotos:
    """The groups of a data set: which images and classes each holds, and which must be trained on.

    The number of a group is the place of its first image, and nearly every group is that image alone: only of the
    others is anything held.
    """

    def __init__(self, images: Sequence[Photo], rules: GroupRules | None) -> None:
        self.of_image = group_images(images, rules)
        self.images = images
        self.of_class: defaultdict[str, set[int]] = defaultdict(set)
        labels, contents = [image.label for image in images], [image.content for image in images]
        for label, group in zip(labels, self.of_image, strict=True):
            self.of_class[label].add(group)
        repeated = {group for group, count in Counter(self.of_image).items() if count > 1}
        self._several: defaultdict[int, list[Photo]] = defaultdict(list)
        for image, group in zip(images, self.of_image, strict=True):
            if group in repeated:
                self._several[group].append(image)
        self._counts = {group: _count_distinct(members) for group, members in self._several.items()}
        latest = dict(zip(contents, labels, strict=True))
        disputed = {content for content, label in zip(contents, labels, strict=True) if latest[content] != label}
        self.disputed = (
            {group for content, group in zip(contents, self.of_image, strict=True) if content in disputed}
            if disputed
            else set()
        )

    def members(self, group: int) -> Sequence[Photo]:
        """Return the images of a group, in the order in which they came."""
        return self._several.get(group) or (self.images[group],)

    def count(self, group: int, label: str) -> int:
        """Count the distinct images of a class in a group."""
        counts = self._counts.get(group)
        return int(self.images[group].label == label) if counts is None else counts.get(label, 0)

    def labels(self, group: int) -> Collection[str]:
        counts = self._counts.get(group)
        return (self.images[group].label,) if counts is None else counts.keys()

    def count_all(self, groups: Set[int], label: str) -> int:
        """Count the distinct images of a class in groups that all have some of it."""
        several = groups & self._counts.keys()
        return len(groups) - len(several) + sum(self._counts[group].get(label, 0) for group in several)

    def rank(self, group: int, seed: int) -> bytes:
        """Return what groups are put in order by: the same for the same seed and content."""
        several = self._several.get(group)
        content = min(image.content for image in several) if several else self.images[group].content
        return sha256(f"{seed}:{content}".encode()).digest()

    def newest(self, group: int) -> float | None:
        """Return when the latest dated image of a group was taken, or None where none has a date."""
        return max((image.taken_at for image in self.members(group) if image.taken_at is not None), default=None)


def _count_distinct(members: Sequence[Photo]) -> Mapping[str, int]:
    """Count the images of each class, copies once: ten of one photo say no more than one."""
    return Counter(label for label, _ in {(image.label, image.content) for image in members})
