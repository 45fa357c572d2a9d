"""Runs with a map of their photos."""

import os

import numpy as np
from PIL import Image as Picture

from thaw.datasets.run_split import write_split
from thaw.jobs import starts
from thaw.runs.results import predictions_file
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.training.feature_map import Projection, keep_projection
from thaw.worker import work
from tlcore.evaluation.predictions import VALIDATION
from tlcore.features.cache import FeatureCache
from tlcore.settings import HeadSettings
from tlcore.splits.splits import Split


def cache_features(store, run_id):
    """Keep made-up features of every image of a run, as its phase 1 would."""
    every = store.every_image(store.run(run_id).dataset_id)
    features = np.random.default_rng(2).normal(size=(len(every), 6)).astype(np.float32)
    cache = FeatureCache(store.workspace.features, {"of": "the test"}, [(6,)], ["float32"])
    cache.append([image.content for image in every], [features])
    store.add_facts(run_id, {"feature_cache": {"folder": cache.folder.name, "channels": 6}})


def make_map(store, run_id):
    cache_features(store, run_id)
    job_id = starts.add_trial(store, "map", run_id, {})
    work(store, job_id)
    assert store.job(job_id).status == "finished", store.job(job_id).error


def add_large_map(store, number, method="t-SNE"):
    """Add a data set of two classes with a run that has judged ten images, two of them wrongly, and a map of all, on
    which they lie in rows of a hundred from the lower left, rose and tulip by turns; return the run's id."""
    dataset_id = "data-00000000ffff"
    labels = ["rose", "tulip"]
    images = [
        Image(f"img-{n:012x}", labels[n % 2], f"{n}.png", f"{n:064x}", 32, 32, suffix=".png", folder=dataset_id)
        for n in range(number)
    ]
    first = store.workspace.image(dataset_id, images[0].id, ".png")
    for image in images:
        paths = store.workspace.image(dataset_id, image.id, ".png"), store.workspace.thumbnail(dataset_id, image.id)
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            if first.exists():
                os.link(first, path)
            else:
                Picture.new("RGB", (32, 32), "teal").save(first)
    store.add_dataset(dataset_id, "large", "folder", Arrival(images))
    run_id = store.add_run(dataset_id, "efficientnet-lite0", HeadSettings().to_json())
    store.set_result(run_id, 1)
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    write_split(store, run_id, Split(labels=labels, training=images[10:], validation=images[:10]))
    probabilities = np.eye(2, dtype=np.float32)[[n % 2 for n in range(10)]]
    probabilities[:2] = probabilities[1::-1]
    np.savez(
        folder / predictions_file(1, VALIDATION),
        image_ids=np.array([image.id for image in images[:10]]),
        probabilities=probabilities,
    )
    places = np.stack([np.arange(number) % 100, np.arange(number) // 100], axis=1) / 50 - 0.99
    made = Projection([image.id for image in images], places.astype(np.float32), method)
    keep_projection(store, store.run(run_id), made)
    return run_id
