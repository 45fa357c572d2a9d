"""The search over backbones, learning rates and augmentations: a head for each, on the cluster that was named."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from thaw.cluster.runner import ClusterError
from thaw.cluster.spreading import require_cluster
from thaw.cluster.tuner import Tuning, tune
from thaw.datasets.edits import grouping
from thaw.datasets.run_split import choose_split
from thaw.datasets.similarity import mark_similar
from thaw.jobs.queue import start_tensorflow
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Image, Job
from thaw.training.prober import TRIAL_PACKAGES
from thaw.training.run_facts import read_versions
from thaw.tuning.search_record import (
    Combination,
    Search,
    SearchPlan,
    SearchSettings,
    SearchTrial,
    name_photos,
    read_search,
    write_search,
)
from tlcore import __version__
from tlcore.errors import RunError
from tlcore.files import scratch_folder
from tlcore.models.backbones import find_pretrained
from tlcore.models.loading import LoadedBackbone
from tlcore.models.plan import pooled_cut
from tlcore.progress import Stage
from tlcore.splits.splits import Split, recommend_image_size

# Of what Ray Tune wants beside Ray's core.
SEARCH_PACKAGES = (*TRIAL_PACKAGES, "pandas", "pyarrow")

if TYPE_CHECKING:
    from thaw.tuning.sent_materials import SentMaterials


def search(reporter: Reporter, job: Job) -> None:
    """Try what a job asks for and keep every trial that is finished with the data set; a search of the same photos,
    divided alike, goes on with the trials that are missing.

    Raises ClusterError where no cluster is named, none of its machines is fit, or it is lost.
    """
    address, settings = require_cluster(), SearchSettings(**job.request["settings"])
    start_tensorflow(reporter)
    store, dataset_id = reporter.store, str(job.dataset_id)
    folder, images = store.workspace.dataset(dataset_id), store.images(dataset_id)

    # 1. Asked first, so that what cannot be divided, and a cluster of no use, are told before the work.
    choose_split(store, dataset_id, settings.head(settings.combinations[0]), images)
    with _plan_trials(reporter, settings, images, {}, {}) as nothing:
        list(tune(address, nothing, reporter.note, reporter.check_stop))

    # 2. The photos, divided as `train` would divide them, and what is known already.
    parts = _divide(reporter, dataset_id, settings, images)
    plan = SearchPlan(name_photos(parts), settings.epochs, settings.seed, read_versions() | {"thaw": __version__})
    kept = read_search(folder)
    found = Search(plan, settings.combinations, kept.trials if kept and kept.plan == plan else [])
    write_search(folder, found)

    # 3. The features, once for all rates: trials find them in the cache.
    missing = found.missing
    if not missing:
        return
    backbones = dict.fromkeys(each.backbone for each in missing)
    sent = {name: _prepare(reporter, dataset_id, name, images, parts, settings, missing) for name in backbones}

    # 4. The trials, each kept as it ends.
    trials = dict(enumerate(missing))
    with _plan_trials(reporter, settings, images, sent, trials) as tuning:
        for trial in _try_each(reporter, address, tuning):
            found = replace(found, trials=[*found.trials, trial])
            write_search(folder, found)


@contextmanager
def _plan_trials(
    reporter: Reporter,
    settings: SearchSettings,
    images: Sequence[Image],
    sent: Mapping[str, "SentMaterials"],
    trials: Mapping[int, Combination],
) -> Iterator[Tuning]:
    """Yield what is asked of Ray Tune; what it keeps is gone afterwards."""
    from thaw.tuning.search_task import try_combination

    with scratch_folder("search", reporter.store.workspace.root / "staging") as storage:
        witness = Path(images[0].file)
        yield Tuning(try_combination, sent, trials, settings.epochs, witness, SEARCH_PACKAGES, storage)


def _divide(reporter: Reporter, dataset_id: str, settings: SearchSettings, images: list[Image]) -> Split[Image]:
    """Look for near-duplicates where nobody has yet, and divide the photos."""
    head = settings.head(settings.combinations[0])
    compared = mark_similar(reporter, dataset_id, _load(reporter, head.backbone, images), images)
    return choose_split(reporter.store, dataset_id, head, compared.images)


def _load(reporter: Reporter, backbone: str, images: Sequence[Image]) -> LoadedBackbone:
    from thaw.backbones.loading import load_backbone

    row = find_pretrained(backbone)
    return load_backbone(reporter, row, recommend_image_size(images, row))


def _prepare(
    reporter: Reporter,
    dataset_id: str,
    backbone: str,
    images: Sequence[Image],
    parts: Split[Image],
    settings: SearchSettings,
    missing: Sequence[Combination],
) -> "SentMaterials":
    """Compute what a backbone's trials learn from, and return what they start from."""
    from thaw.tuning.sent_materials import SentMaterials
    from tlcore.features.inputs import Materials, prepare_feed

    store, loaded = reporter.store, _load(reporter, backbone, images)
    heads = [settings.head(each) for each in missing if each.backbone == backbone]
    # Of heads that differ by their rate alone any one will do.
    for head in {each.augmentation: each for each in heads}.values():
        materials = Materials(
            **vars(loaded),
            settings=head,
            split=parts,
            rules=grouping(store, dataset_id),
            caches=store.workspace.features,
        )
        cut = pooled_cut(loaded.row)
        feed = prepare_feed(materials, cut, head.batch_size, 1, reporter.progress, reporter.check_stop)
        feed.frozen.verify(parts.training)
    return SentMaterials.pack(materials)


def _try_each(reporter: Reporter, address: str, tuning: Tuning) -> Iterator[SearchTrial]:
    """Yield what each trial reached, as they end."""
    told, count, succeeded = list[str](), len(tuning.trials), 0

    def tell(words: str) -> None:
        told.append(words)
        reporter.note(" ".join(told))

    reporter.progress(Stage.TRYING_SETTINGS, 0, count)
    try:
        for done, outcome in enumerate(tune(address, tuning, tell, reporter.check_stop), 1):
            tried = asdict(tuning.trials[outcome.number])
            if outcome.reason is None:
                over = outcome.result.pop("over") or outcome.result["epochs"] >= tuning.epochs
                yield SearchTrial(**tried, **outcome.result, stopped_early=not over)
                succeeded += 1
            else:
                tell(f"{' with '.join(map(str, tried.values()))} failed: {outcome.reason}.")
            reporter.progress(Stage.TRYING_SETTINGS, done, count)
    except ClusterError as problem:
        raise ClusterError(
            f"{problem} Every finished trial is kept: search again to go on with the others."
        ) from problem
    if not succeeded:
        raise RunError(f"Expected trials that end with a figure. Received: none. {told[-1]}")
