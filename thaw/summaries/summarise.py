"""Finds what pages tell of all photos of a large data set, as a job that wants no device, and has it begun."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from thaw.datasets import health
from thaw.datasets.edits import grouping, ignored
from thaw.datasets.run_split import choose_split
from thaw.datasets.similarity import list_groups
from thaw.jobs import lifecycle
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Dataset, Image, Job
from thaw.storage.store import Store
from thaw.summaries.summary import (
    FIRST,
    MOST_CLASSES,
    Details,
    Sides,
    Summary,
    describe,
    division_key,
    is_large,
    keep,
    read_details,
    read_summary,
    recall_first,
)
from tlcore.environment import uncollected
from tlcore.errors import DatasetError
from tlcore.models.backbones import BACKBONES
from tlcore.progress import Stage
from tlcore.settings import HeadSettings
from tlcore.splits.groups import GroupRules, judged_by_itself
from tlcore.splits.splits import count_straddling, fit_image_size, measure_middle_side

KNOWN = 20
# So often a look through may die before it is left alone.
DEATHS_BORNE = 2


def ask(
    store: Store, dataset: Dataset, settings: HeadSettings | None = None, size: int | None = None
) -> Summary | None:
    """Return what is kept of a data set, and have what it lacks found: all of a state that has changed since, the
    division that `settings` make, the findings at an image size.

    What is returned may be of an earlier state (`Summary.recorded`); None stands for nothing yet.
    """
    kept = read_summary(store, dataset.id)
    asked = division_key(settings or HeadSettings())
    lacks = kept is None or kept.recorded != dataset.recorded or asked not in kept.divisions
    if lacks or (size is not None and kept is not None and str(size) not in kept.findings):
        _begin(store, dataset, {"recorded": dataset.recorded, "division": asked, "size": size})
    return kept


def latest_summarising(store: Store, dataset_id: str) -> Job | None:
    """Return the newest job that looks through a data set, or None before the first."""
    return next((job for job in store.jobs("summarise", limit=KNOWN) if job.dataset_id == dataset_id), None)


def _begin(store: Store, dataset: Dataset, request: dict[str, object]) -> None:
    latest = latest_summarising(store, dataset.id)
    if latest and latest.active:
        lifecycle.reconcile(store)
        latest = latest_summarising(store, dataset.id)
    if (latest and latest.active) or _is_hopeless(store, dataset.id, request):
        return
    lifecycle.launch(store, store.add_job("summarise", request, dataset.id))


def _is_hopeless(store: Store, dataset_id: str, request: dict[str, object]) -> bool:
    """Say whether what is asked for has failed, which it would at every look; a death alone says nothing of that, two
    in a row that there may be too little memory."""
    asked = [
        job for job in store.jobs("summarise", limit=KNOWN) if (job.dataset_id, job.request) == (dataset_id, request)
    ]
    ends = [job.error for job in asked[:DEATHS_BORNE] if job.status == "failed"]
    return len(ends) == DEATHS_BORNE or any(error != lifecycle.SUMMARY_DIED for error in ends)


@uncollected()
def summarise(reporter: Reporter, job: Job) -> None:
    """Look through a data set as it stands and keep what is found; answers for the same state stay."""
    store, dataset_id = reporter.store, str(job.dataset_id)
    recorded = store.dataset(dataset_id).recorded
    reporter.progress(Stage.CHECKING_IMAGES, 0, 0)
    images = store.images(dataset_id)
    reporter.check_stop()
    rules = grouping(store, dataset_id)
    earlier, before = read_summary(store, dataset_id), read_details(store, dataset_id)
    same = earlier is not None and earlier.recorded == recorded
    middle = measure_middle_side(images)
    sizes = {job.request["size"] or fit_image_size(middle, BACKBONES[HeadSettings().backbone])}
    found = {str(size): _examine(store, dataset_id, images, size) for size in sizes}
    reporter.check_stop()
    divisions = {key: _divide(store, dataset_id, images, key) for key in _list_asked(job)}
    reporter.check_stop()
    validation = sum(image.part == "validation" for image in images)
    summary = Summary(
        recorded=recorded,
        middle_side=middle,
        dated=sum(image.taken_at is not None for image in images),
        validation=validation,
        straddling=count_straddling(images, rules) if validation else 0,
        others=sum(not image.part for image in images),
        unfair=judged_by_itself(images),
        first=_list_first(images),
        divisions={**(earlier.divisions if earlier and same else {}), **divisions},
        findings={
            **(earlier.findings if earlier and same else {}),
            **{size: len(each) for size, each in found.items()},
        },
    )
    details = Details({**(before.findings if before and same else {}), **found}, _list_groups(images, rules))
    keep(store, dataset_id, summary, details)
    reporter.progress(Stage.CHECKING_IMAGES, len(images), len(images))


def _list_asked(job: Job) -> Collection[str]:
    return {job.request["division"], division_key(HeadSettings())}


def _divide(store: Store, dataset_id: str, images: Sequence[Image], key: str) -> Sides | str:
    share, seed, later, theirs = json.loads(key)
    settings = replace(HeadSettings(), validation_split=share, seed=seed, later_share=later, parts=theirs)
    try:
        parts = choose_split(store, dataset_id, settings, images)
    except DatasetError as problem:
        return str(problem)
    training, validation, newest = (
        Counter(image.label for image in side) for side in (parts.training, parts.validation, parts.later)
    )
    return {label: (training[label], validation[label], newest[label]) for label in parts.labels}


def _examine(store: Store, dataset_id: str, images: Sequence[Image], size: int) -> list[dict[str, object]]:
    found = health.examine(images, size, ignored(store, dataset_id), store.latest_check(dataset_id))
    return [describe(finding) for finding in found]


def _list_first(images: Sequence[Image]) -> dict[str, list[str]]:
    """Return the ids of the first photos of each class; they come in the order in which they are shown."""
    first: defaultdict[str, list[str]] = defaultdict(list)
    for image in images:
        if len(first[image.label]) < FIRST:
            first[image.label].append(image.id)
    return {
        label: ids if place < MOST_CLASSES else ids[: FIRST // 4] for place, (label, ids) in enumerate(first.items())
    }


def _list_groups(images: Sequence[Image], rules: GroupRules) -> list[list[str]]:
    return [[image.id for image in group] for group in list_groups(images, rules)]


def show_first(store: Store, dataset: Dataset, label: str, most: int) -> list[Image]:
    """Return the first `most` photos of a class, up to FIRST: of a large data set as they are kept, and before there is
    a summary in the order of their names' letters."""
    if not is_large(dataset):
        return store.images(dataset.id, label, most)
    kept = ask(store, dataset)
    return recall_first(store, kept, label, most) if kept else store.sample(dataset.id, most, label)
