"""What both phases of a run start from: its photos, divided, and the backbone with its weights."""

from dataclasses import dataclass

from thaw.backbones.loading import load_backbone
from thaw.datasets.edits import grouping
from thaw.datasets.run_split import choose_split, read_split
from thaw.datasets.similarity import Compared, mark_similar
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Image, Run
from tlcore.features.inputs import Materials
from tlcore.models.backbones import find_backbone
from tlcore.models.loading import LoadedBackbone
from tlcore.models.weights import is_local
from tlcore.settings import HeadSettings
from tlcore.splits.splits import recommend_image_size


@dataclass(frozen=True)
class RunMaterials(Materials):
    """What both phases of a run start from; `dataset_version` is the one that phase 1 divided."""

    run: Run
    compared: Compared
    dataset_version: int


def gather(reporter: Reporter, run_id: str) -> RunMaterials:
    """Read a run's photos and settings, fetch the backbone's weights and build it.

    Before the photos are divided for the first time, the backbone looks for near-duplicates among them; in the place of
    one that knows nothing yet, the default one.
    """
    store = reporter.store
    run = store.run(run_id)
    settings, row = run.head, find_backbone(run.backbone)
    version = store.dataset(run.dataset_id).version
    images = store.images(run.dataset_id)
    image_size = settings.image_size or run.facts.image_size or recommend_image_size(images, row)
    compared = Compared()
    parts = read_split(store, run)
    if parts is None:
        # Asked first, so that what cannot be divided is told before the work.
        choose_split(store, run.dataset_id, settings, images)
    loaded = load_backbone(reporter, row, image_size, run.facts.weights_sha256)
    if parts is None:
        compared = _compare(reporter, run.dataset_id, loaded, images)
        # Of the images that were compared: what a person edits meanwhile is for the next run.
        parts = choose_split(store, run.dataset_id, settings, compared.images)
    return RunMaterials(
        **vars(loaded),
        settings=settings,
        split=parts,
        rules=grouping(store, run.dataset_id),
        caches=store.workspace.features,
        run=run,
        compared=compared,
        dataset_version=run.facts.dataset_version or version,
    )


def _compare(reporter: Reporter, dataset_id: str, loaded: LoadedBackbone, images: list[Image]) -> Compared:
    if not loaded.row.fresh:
        return mark_similar(reporter, dataset_id, loaded, images)
    eye = find_backbone(HeadSettings().backbone)
    if not is_local(eye):
        # What a fingerprint tells has to do.
        return Compared(images)
    looking = load_backbone(reporter, eye, recommend_image_size(images, eye))
    return mark_similar(reporter, dataset_id, looking, images)
