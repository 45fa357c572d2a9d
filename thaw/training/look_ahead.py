"""Looks at the photos of a data set before anyone asks: their features under a backbone, and which are near-duplicates;
and for a run that may be fine-tuned, what phase 2 will learn from at the depth in view.

Nobody has asked for it, so it gives way: its process has a low priority, and ends where a job wants the device, where
the computer runs on its battery, and when the person says so. What it has computed by then is kept.
"""

from typing import Any

import psutil

from thaw.backbones.loading import load_backbone
from thaw.datasets.similarity import mark_similar
from thaw.jobs import lifecycle
from thaw.jobs.lifecycle import UNASKED
from thaw.jobs.reporter import Reporter
from thaw.jobs.standby import is_unasked_allowed
from thaw.storage.records import Dataset, Job, Run
from thaw.storage.store import Store
from thaw.summaries.summary import is_large
from tlcore.environment import KEPT_MEMORY
from tlcore.errors import Stopped
from tlcore.features.frozen import on_gpu, pooled_features
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import find_backbone
from tlcore.models.weights import is_local
from tlcore.progress import Stage
from tlcore.splits.splits import recommend_image_size

KNOWN = 50
# What a look ahead at a depth may write: what nobody has asked for is not to fill a disk or work for minutes.
MOST_BYTES = 500_000_000


class _GivesWay(Stopped):
    """Something that somebody waits for wants the processor."""


class _Yielding(Reporter):
    """Tells how the job stands, and ends it where it is in the way."""

    def check_stop(self) -> None:
        super().check_stop()
        if _in_the_way(self.store):
            raise _GivesWay


def start(store: Store, dataset: Dataset, backbone: Backbone) -> Job | None:
    """Return the look ahead at a data set, started in a process of its own if that is of use now; None without one.

    It is of use while nothing else is at work, for weights that are here, and on a processor: a GPU computes features
    in no time and is left to jobs that were asked for. So many photos that they take hours are looked at once somebody
    asks for it. What the person stopped, or what failed, is not begun again
    before photos are added.
    """
    if is_large(dataset):
        return None
    # What a person moves, names or takes out of training is looked at all the same, and stays so.
    return _start(store, dataset.id, backbone, {"backbone": backbone.name, "images": dataset.accepted})


def start_at_depth(store: Store, run: Run, layers: int, bytes_to_write: int | None) -> Job | None:
    """Return the look ahead for a phase 2 of a run's top `layers`, as `start` does; None also where it would write too
    much. `bytes_to_write` is what the cut takes on disk (`thaw.training.costs.expect_costs`), None where unknown."""
    if bytes_to_write is None or bytes_to_write > MOST_BYTES:
        return None
    request = {"backbone": run.backbone, "run": run.id, "layers": layers}
    return _start(store, run.dataset_id, find_backbone(run.backbone), request)


def _start(store: Store, dataset_id: str, backbone: Backbone, request: dict[str, Any]) -> Job | None:
    active, latest = None, None
    for job in store.jobs(UNASKED, limit=KNOWN):
        active = active or (job if job.active else None)
        if latest is None and job.dataset_id == dataset_id and job.request == request:
            latest = job
    if active:
        return active if active.dataset_id == dataset_id else None
    if backbone.fresh:
        return None
    done = latest is not None and (latest.status != "finished" or 0 < latest.total <= latest.done)
    if done or not is_unasked_allowed() or not is_local(backbone) or on_gpu() or _in_the_way(store):
        return None
    job_id = store.add_job(UNASKED, request, dataset_id)
    lifecycle.launch(store, job_id, KEPT_MEMORY, light="run" not in request)
    return store.job(job_id)


def look_ahead(reporter: Reporter, job: Job) -> None:
    """Do a look ahead; what is in its way ends it as if it had finished, with less done than there is."""
    yielding = _Yielding(reporter.store, reporter.job_id)
    try:
        if "run" in job.request:
            _look_below_cut(yielding, job.request["run"], job.request["layers"])
        else:
            _look(yielding, str(job.dataset_id), job.request)
    except _GivesWay:
        return


def _look(reporter: Reporter, dataset_id: str, request: dict[str, Any]) -> None:
    store, row = reporter.store, find_backbone(request["backbone"])
    images, pile = store.images(dataset_id), store.images(dataset_id, role="pile")
    loaded = load_backbone(reporter, row, recommend_image_size([*images, *pile], row))
    mark_similar(reporter, dataset_id, loaded, images)
    every = [*images, *pile]
    pooled_features(loaded, every, store.workspace.features, reporter.progress, reporter.check_stop)
    reporter.progress(Stage.COMPUTING_FEATURES, len(every), len(every))


def _look_below_cut(reporter: Reporter, run_id: str, layers: int) -> None:
    # Keras builds the network, and a server that starts this imports none of it.
    from thaw.training.materials import gather
    from tlcore.training.phases import compute_below_cut

    materials = gather(reporter, run_id)
    compute_below_cut(materials, layers, reporter.progress, reporter.check_stop)
    photos = len(materials.split.training)
    reporter.progress(Stage.COMPUTING_FEATURES, photos, photos)


def _in_the_way(store: Store) -> bool:
    """Say whether a job is at work on the device; one that is still loading TensorFlow may find more features here."""
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return any(job.status == "running" for job in store.queue()) or (
        battery is not None and battery.power_plugged is False
    )
