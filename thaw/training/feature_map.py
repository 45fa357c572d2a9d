"""The map of a run's images: places on a plane by the features of phase 1, made once and kept with the run."""

import zipfile
from dataclasses import dataclass

import numpy as np

from thaw.datasets.run_split import SIDES, read_sides, read_split
from thaw.jobs import lifecycle, starts
from thaw.jobs.reporter import Reporter
from thaw.runs.results import read_features
from thaw.storage.records import Job, Run
from thaw.storage.store import Store
from thaw.storage.workspace import MAP_FILE
from thaw.training.embedding import embed
from tlcore.errors import RunError
from tlcore.files import replacing
from tlcore.splits.splits import choose_images

# More would take hours to arrange, and lie upon one another: of more, the same share of each class has a place.
MOST_PLACED = 50_000
# Goes up whenever the same features would give another map.
VERSION = 2


@dataclass(frozen=True)
class Projection:
    """Where the images of a run lie: `places` float32 (n, 2) within -1..1, a row an image of `image_ids`.

    `method` is "t-SNE", which keeps neighbours together and means little by far distances, or "PCA".
    """

    image_ids: list[str]
    places: np.ndarray
    method: str


def start_projection(store: Store, run_id: str) -> str:
    """Start making the map of a run in a process of its own, which wants no device; return the job's id.

    Raises RunError while the run has no head, or while its map is being made.
    """
    job_id = starts.add_trial(store, "map", run_id, {})
    lifecycle.launch(store, job_id)
    return job_id


def make_map(reporter: Reporter, job: Job) -> None:
    """Make the map that a job asks for."""
    make_projection(reporter, job.request["run"])


def make_projection(reporter: Reporter, run_id: str) -> None:
    """Place the images of a run by their cached features and keep the result with the run, in one durable step.

    Nothing is done where the map is there, or can be borrowed. Raises RunError where the run's features are gone.
    """
    store = reporter.store
    run = store.run(run_id)
    if read_projection(store, run) or borrow_projection(store, run):
        return
    features, parts = read_features(store, run), read_split(store, run)
    if features is None or parts is None:
        raise RunError(
            f"Expected the cached features of a trained head. Received: {run_id!r}, whose features are not on this "
            "disk any more. Train its head again, which computes them anew."
        )
    images = [image for side in SIDES for image in getattr(parts, side) if image.content in features.rows]
    if len(images) > MOST_PLACED:
        images = [images[place] for place in choose_images(images, range(len(images)), MOST_PLACED, run.head.seed)]
    rows = [features.rows[image.content] for image in images]
    places, method = embed(features.tensor[rows], reporter.progress, reporter.check_stop)
    # The last moment to be stopped at.
    reporter.check_stop()
    keep_projection(store, run, Projection([image.id for image in images], places, method))


def borrow_projection(store: Store, run: Run) -> bool:
    """Give a run without a map that of another run by the same features, the newest which has a place for each of its
    images, as that of the head before a fix has; say whether there was one.

    Places stay as they were: an image that was excluded in between leaves a gap.
    """
    sides = read_sides(store, run.id)
    if sides is None or run.facts.feature_cache is None:
        return False
    wanted = {image_id for side in sides.values() for image_id, _ in side}
    for other in store.runs():
        if other.id == run.id or other.dataset_id != run.dataset_id or _key(other) != _key(run):
            continue
        found = read_projection(store, other)
        if found and wanted.issubset(found.image_ids):
            kept = [row for row, image_id in enumerate(found.image_ids) if image_id in wanted]
            image_ids = [found.image_ids[row] for row in kept]
            keep_projection(store, run, Projection(image_ids, found.places[kept], found.method))
            return True
    return False


def keep_projection(store: Store, run: Run, made: Projection) -> None:
    """Keep a map with its run, whole or not at all."""
    with replacing(store.workspace.run(run.id) / MAP_FILE) as temporary:
        np.savez(
            temporary,
            image_ids=np.array(made.image_ids),
            places=made.places,
            method=made.method,
            key=_key(run),
            allow_pickle=False,
        )


def read_projection(store: Store, run: Run) -> Projection | None:
    """Return the map of a run, or None before it has been made of the features that the run has now."""
    try:
        with np.load(store.workspace.run(run.id) / MAP_FILE, allow_pickle=False) as archive:
            if str(archive["key"]) != _key(run):
                return None
            return Projection(archive["image_ids"].tolist(), archive["places"], str(archive["method"]))
    except (FileNotFoundError, zipfile.BadZipFile):
        return None


def _key(run: Run) -> str:
    """Return what a map depends on besides the run's images, which never change: the features and this program."""
    return f"{VERSION} {run.facts.feature_cache and run.facts.feature_cache.folder}"
