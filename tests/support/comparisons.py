"""Runs that have judged photos, to be compared."""

from dataclasses import replace

import numpy as np

from thaw.runs.comparison import ComparedRun
from thaw.storage.facts import RunFacts
from thaw.storage.records import Image, Run
from tlcore.evaluation.predictions import Predictions
from tlcore.settings import HeadSettings

LABELS = ["rose", "tulip"]


def judged(right, first=0, relabelled=()):
    """Return predictions of images numbered from `first`, right where `right` says so."""
    images = [
        Image(f"img-{first + n}", LABELS[(n + (n in relabelled)) % 2], f"{n}.png", "", 32, 32, suffix=".png")
        for n in range(len(right))
    ]
    probabilities = np.full((len(right), 2), 0.1, dtype=np.float32)
    for row, (image, each) in enumerate(zip(images, right, strict=True)):
        true = LABELS.index(image.label)
        probabilities[row, true if each else 1 - true] = 0.9
    return Predictions(images, LABELS, probabilities)


def entry(letter, predictions=None, head=None, tuned=None, dataset="data-1", **facts):
    head = head or HeadSettings()
    run = Run(
        f"run-{letter}",
        dataset,
        head.backbone,
        head,
        tuned,
        0.0,
        (2 if tuned else 1) if predictions else None,
        replace(RunFacts(image_size=224, dataset_version=1), **facts),
    )
    return ComparedRun(letter, run, "Photos", predictions)


def split(both, first_alone, second_alone, neither):
    """Return two models' answers on the same images, by who of them is right on how many."""
    one = [True] * (both + first_alone) + [False] * (second_alone + neither)
    other = [True] * both + [False] * first_alone + [True] * second_alone + [False] * neither
    return judged(one), judged(other)
