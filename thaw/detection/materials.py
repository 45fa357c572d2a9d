"""What both phases of a detector's run start from: photos with boxes as they were when it began, and the backbone."""

from dataclasses import dataclass

from thaw.backbones.loading import load_backbone
from thaw.datasets.run_split import read_split
from thaw.datasets.similarity import Compared, mark_similar
from thaw.detection.boxed_split import LEARNT_FROM, choose_boxed, read_seen_boxes
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Run
from tlcore.detection.inputs import DetectorMaterials
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import find_pretrained
from tlcore.splits.splits import recommend_image_size


@dataclass(frozen=True)
class RunDetectorMaterials(DetectorMaterials):
    """What both phases of a detector start from; `dataset_version` is the one that phase 1 divided."""

    run: Run
    compared: Compared
    dataset_version: int


def gather(reporter: Reporter, run_id: str) -> RunDetectorMaterials:
    """Read a run's photos, their boxes and its settings, and fetch the backbone's weights.

    Before the photos are divided for the first time, the backbone looks for near-duplicates among them. Raises
    DatasetError where boxes are lacking, with what to do.
    """
    store = reporter.store
    run = store.run(run_id)
    settings, row = run.head.detector, find_pretrained(run.backbone)
    version = store.dataset(run.dataset_id).version
    parts, compared = read_split(store, run), Compared()
    if parts is None:
        # Asked first, so that what cannot be divided is told before the work.
        choose_boxed(store, run.dataset_id, settings)
        compared = _compare(reporter, run.dataset_id, row)
        parts, boxes = choose_boxed(store, run.dataset_id, settings)
    else:
        boxes = read_seen_boxes(store, run)
    loaded = load_backbone(reporter, row, settings.image_size, run.facts.weights_sha256)
    return RunDetectorMaterials(
        **vars(loaded),
        settings=settings,
        split=parts,
        boxes=boxes,
        caches=store.workspace.features,
        run=run,
        compared=compared,
        dataset_version=run.facts.dataset_version or version,
    )


def _compare(reporter: Reporter, dataset_id: str, row: Backbone) -> Compared:
    images = [image for role in LEARNT_FROM for image in reporter.store.images(dataset_id, role=role)]
    size = recommend_image_size(images, row)
    return mark_similar(reporter, dataset_id, load_backbone(reporter, row, size), images)
