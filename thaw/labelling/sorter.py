"""The sorting of a pile as a job: what the backbone sees of its photos, and the groups that they fall into."""

import numpy as np

from thaw.backbones.loading import load_backbone
from thaw.jobs import lifecycle
from thaw.jobs.queue import start_tensorflow
from thaw.jobs.reporter import Reporter
from thaw.labelling.groups import find_groups, reduce
from thaw.labelling.pile import Sorting, keep_sorting
from thaw.storage.records import Job
from thaw.storage.store import Store
from tlcore.environment import KEPT_MEMORY
from tlcore.errors import DatasetError
from tlcore.features.frozen import on_gpu, pooled_features
from tlcore.models.backbones import find_backbone, find_pretrained
from tlcore.progress import Stage
from tlcore.splits.groups import group_images
from tlcore.splits.splits import recommend_image_size

KNOWN = 50
# So many photos that have a class teach what is suggested; more would only make the page slower.
MOST_NAMED = 2_000


def start_sorting(store: Store, dataset_id: str, backbone: str) -> str:
    """Start sorting the pile of a data set in a process of its own; return the job's id.

    One that goes on is not started again. Raises BackboneError for a backbone that is unknown, or knows nothing yet.
    """
    find_pretrained(backbone)
    lifecycle.reconcile(store)
    latest = latest_sorting(store, dataset_id)
    if latest and latest.active:
        return latest.id
    job_id = store.add_job("sort", {"backbone": backbone}, dataset_id)
    lifecycle.launch(store, job_id, KEPT_MEMORY)
    return job_id


def latest_sorting(store: Store, dataset_id: str) -> Job | None:
    """Return the newest sorting of a data set, or None before the first."""
    return next((job for job in store.jobs("sort", limit=KNOWN) if job.dataset_id == dataset_id), None)


def sort(reporter: Reporter, job: Job) -> None:
    """Do the sorting that a job asks for; TensorFlow is loaded only where there is a GPU.

    Raises DatasetError where no photo waits for a class.
    """
    store, dataset_id = reporter.store, str(job.dataset_id)
    pile = store.images(dataset_id, role="pile")
    if not pile:
        raise DatasetError("Expected photos without a class. Received: none, all have one. Add photos without folders.")
    named = store.images(dataset_id)
    named = named[:: -(-len(named) // MOST_NAMED) or 1]
    photos, row = [*pile, *named], find_backbone(job.request["backbone"])
    if on_gpu():
        start_tensorflow(reporter)
    loaded = load_backbone(reporter, row, recommend_image_size(photos, row))
    features, _ = pooled_features(loaded, photos, store.workspace.features, reporter.progress, reporter.check_stop)
    reporter.progress(Stage.FINDING_ALIKE, 0, 0)
    directions = reduce(features)
    reporter.check_stop()
    alike = group_images(photos)
    groups = find_groups(directions[: len(pile)], np.array(alike[: len(pile)]))
    # The last moment to be stopped at.
    reporter.check_stop()
    numbers = np.array([*groups.tolist(), *[-1] * len(named)])
    keep_sorting(store, dataset_id, Sorting(job.id, [each.id for each in photos], directions, numbers, np.array(alike)))
