"""Judges several runs by the same labels, on the same images, where photos were fixed between one and the next."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tlcore.evaluation.comparison import Entry
from tlcore.evaluation.predictions import Predictions, widen

# Runs of one split share nearly all images, however much was fixed; those of two splits share few.
SHARED = 0.9


def level(entries: Sequence[Entry]) -> list[Entry]:
    """Return the runs as the newest of them would be judged: on the images that judged both, by the labels it saw.

    That is done where two runs of a data set share `SHARED` of their images at least; `told` then is the accuracy that
    a run has by its own images and labels. All others stay as they are.
    """
    levelled: dict[str, Entry] = {}
    for group in _group(entries):
        shared = set.intersection(*(_ids(judged) for _, judged in group))
        labels = {image.id: image.label for image in group[0][1].images if image.id in shared}
        for entry, judged in group:
            now = relabel(judged, labels)
            if now.images != judged.images:
                levelled[entry.letter] = replace(entry, judged=now, told=judged.accuracy)
    return [levelled.get(entry.letter, entry) for entry in entries]


def relabel(predictions: Predictions, labels: Mapping[str, str]) -> Predictions:
    """Return what a model says of the images whose ids `labels` names, with those labels."""
    rows = [row for row, image in enumerate(predictions.images) if image.id in labels]
    # Most bear the same label, and a copy takes time.
    images = [
        image if image.label == labels[image.id] else replace(image, label=labels[image.id])
        for image in (predictions.images[row] for row in rows)
    ]
    return Predictions(images, *widen(predictions.labels, predictions.probabilities[rows], labels.values()))


def _group(entries: Sequence[Entry]) -> list[list[tuple[Entry, Predictions]]]:
    """Gather the runs that share nearly all images, the newest of each group first."""
    groups: list[list[tuple[Entry, Predictions]]] = []
    for entry in sorted(entries, key=lambda entry: -entry.run.number):
        if entry.judged is None:
            continue
        own = _ids(entry.judged)
        for group in groups:
            newest, judged = group[0]
            common = len(own & _ids(judged))
            if newest.run.dataset_id == entry.run.dataset_id and common >= SHARED * max(len(own), len(judged.images)):
                group.append((entry, entry.judged))
                break
        else:
            groups.append([(entry, entry.judged)])
    return groups


def _ids(predictions: Predictions) -> set[str]:
    return {image.id for image in predictions.images}
