"""Whether classes are of like size, and the weights that make up for it where they are not."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tlcore.photos import natural
from tlcore.settings import ClassWeights, HeadSettings
from tlcore.splits.splits import Split

UNBALANCED = 3.0


def imbalance(classes: Mapping[str, int]) -> float:
    """Return how many times as large the largest class is as the smallest; 1 for none or one."""
    return max(classes.values()) / min(classes.values()) if classes else 1.0


def class_weights(labels: Sequence[str], chosen: ClassWeights) -> dict[str, float] | None:
    """Return a weight for each class by which all classes count alike in the loss, or None for no weighing.

    "auto" weighs where the largest class is more than `UNBALANCED` times the smallest. A class's weight is
    n / (classes * n of the class), as in King and Zeng, "Logistic Regression in Rare Events Data" (2001) and
    scikit-learn's "balanced"; over all images the weights have the mean 1, so that the learning rate keeps its meaning.
    """
    counts = Counter(labels)
    if chosen == "off" or (chosen == "auto" and imbalance(counts) <= UNBALANCED):
        return None
    return {label: len(labels) / (len(counts) * counts[label]) for label in sorted(counts, key=natural)}


def number_weights(settings: HeadSettings, parts: Split) -> dict[int, float] | None:
    """Return the class weights of a run by class number, as Keras takes them, or None where it weighs none."""
    weights = weigh_classes(settings, parts)
    if weights is None:
        return None
    return {number: weights[label] for number, label in enumerate(parts.labels)}


def weigh_classes(settings: HeadSettings, parts: Split) -> dict[str, float] | None:
    """Return the class weights of a run, by its settings and the images that it learns from."""
    return class_weights([image.label for image in parts.training], settings.class_weights)
