"""The check of a data set: how well it can be learnt, and what a leak claims.

Cross-validation on cached features needs no training of its own: each image is predicted by a model that saw neither
it nor, in the leak-free half, anything of its group. Where it is surer of another class, the label may be wrong.
"""

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np

from thaw.datasets.cross_validation import Estimate, measure_inflation
from thaw.datasets.edits import grouping
from thaw.datasets.label_errors import find_label_errors
from thaw.jobs.queue import start_tensorflow
from thaw.jobs.reporter import Reporter
from thaw.storage.facts import Doubt
from thaw.storage.records import LABEL_ERRORS, Image, Job
from tlcore.images.looks import measure_looks
from tlcore.models.backbones import find_backbone
from tlcore.progress import Stage
from tlcore.settings import HeadSettings
from tlcore.splits.groups import group_images
from tlcore.splits.splits import choose_images, labels_of, recommend_image_size, split

FOLDS = 5
MOST_LABEL_ERRORS = 500
MOST_LOOKED_AT = 200


def check(reporter: Reporter, job: Job) -> None:
    """Compare the images by their features, then measure accuracy with random folds and with folds that keep groups."""
    start_tensorflow(reporter)
    from thaw.backbones.loading import load_backbone
    from thaw.datasets.similarity import mark_similar
    from tlcore.features.frozen import pooled_features

    store = reporter.store
    dataset_id, row, seed = str(job.dataset_id), find_backbone(job.request["backbone"]), int(job.request["seed"])
    version, images = store.dataset(dataset_id).version, store.images(dataset_id)
    rules = grouping(store, dataset_id)
    # Asked first, so that what cannot be divided is told before the work.
    split(images, HeadSettings().validation_split, seed, rules)
    image_size = recommend_image_size(images, row)
    loaded = load_backbone(reporter, row, image_size)
    # The version that was compared is the one that is judged: what a person edits meanwhile has no groups yet.
    images = mark_similar(reporter, dataset_id, loaded, images).images
    caches = store.workspace.features
    features, _ = pooled_features(loaded, images, caches, reporter.progress, reporter.check_stop)
    groups = group_images(images, rules)
    reporter.progress(Stage.CROSS_VALIDATING, 0, 2 * FOLDS)
    inflation = measure_inflation(
        features,
        _numbers(images),
        np.array(groups),
        folds=FOLDS,
        seed=seed,
        progress=lambda done, total: reporter.progress(Stage.CROSS_VALIDATING, done, total),
        check_stop=reporter.check_stop,
    )
    sizes = Counter(groups)
    facts: dict[str, Any] = {
        "naive": _figures(inflation.naive),
        "grouped": _figures(inflation.grouped),
        "images": len(images),
        "image_size": image_size,
        "seed": seed,
        "groups": sum(size > 1 for size in sizes.values()),
        "grouped_images": sum(size for size in sizes.values() if size > 1),
        "weights_sha256": loaded.weights_sha256,
        "looks": asdict(
            measure_looks([images[place].file for place in choose_images(images, groups, MOST_LOOKED_AT, seed)])
        ),
        LABEL_ERRORS: _label_errors(images, inflation.grouped),
    }
    store.add_check(dataset_id, row.name, version, facts)


def _numbers(images: list[Image]) -> np.ndarray:
    numbers = {label: number for number, label in enumerate(labels_of(images))}
    return np.array([numbers[image.label] for image in images], dtype=np.int64)


def _label_errors(images: list[Image], estimate: Estimate) -> list[dict[str, Any]]:
    """Return the likely label errors, at most MOST_LABEL_ERRORS; of folds that keep groups, or copies vouch for one."""
    labels = labels_of(images)
    found = find_label_errors(estimate.probabilities, _numbers(images))[:MOST_LABEL_ERRORS]
    return [
        asdict(Doubt(images[each.row].id, images[each.row].label, labels[each.suggested], each.margin))
        for each in found
    ]


def _figures(estimate: Estimate) -> dict[str, Any]:
    """Return the figures of an estimate without its predictions and probabilities."""
    return {name: value for name, value in vars(estimate).items() if not isinstance(value, np.ndarray)}
