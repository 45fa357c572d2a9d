"""Teaching a data set as it stands with the defaults, and how far that is: what the Studio does without being asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from thaw.datasets.run_split import choose_split, read_labels
from thaw.jobs import starts
from thaw.storage.records import Dataset, Job, Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from thaw.summaries.summarise import ask, latest_summarising
from thaw.summaries.summary import division_key, is_large
from tlcore.errors import DatasetError
from tlcore.evaluation.predictions import VALIDATION
from tlcore.settings import HeadSettings
from tlcore.splits.groups import judged_by_itself

LOOKING = "Your photos are being looked through, which so many take a while for."


@dataclass(frozen=True)
class Exam:
    """How many of the photos that a model never learnt from it names right."""

    right: int
    total: int


@dataclass(frozen=True)
class Lessons:
    """How far the teaching of a data set is: `run` learns or has learnt it as it stands, `job` being its newest; `best`
    is the newest run that has a model, of an earlier state of the data set perhaps."""

    run: Run | None
    job: Job | None
    best: Run | None


def teach(store: Store, dataset: Dataset, settings: HeadSettings) -> str:
    """Start phase 1 on a data set as it stands, or find the run that does or did that; return the run's id."""
    known = find_lessons(store, dataset, settings)
    waiting = starts.find_head(store, dataset.id, settings)
    if known.run is not None and known.run.result_phase is not None:
        return known.run.id
    for run, job in _list_learning(store, dataset, settings):
        # It learns from photos that have changed since, and the next would wait for its end: worth it for a new class.
        if run.id != waiting and not _labels(store, run) - _labels(store, known.best):
            store.ask_to_stop(job.id)
    return waiting or starts.start_head(store, dataset.id, settings)


def find_lessons(store: Store, dataset: Dataset, settings: HeadSettings) -> Lessons:
    """Return how far the teaching of a data set with these settings is."""
    runs = [run for run in store.runs() if run.dataset_id == dataset.id and run.head.task == "classify"]
    best = next((run for run in runs if run.result_phase is not None and run.backbone == settings.backbone), None)
    for run in runs:
        job = store.latest_job(run.id)
        if run.head.backbone == settings.backbone and _learns(run, job, dataset.version):
            return Lessons(run, job, best)
    return Lessons(None, None, best)


def find_earlier(store: Store, dataset: Dataset, settings: HeadSettings) -> tuple[Run, Job] | None:
    """Return a run that is learning a data set with these settings, as it stands or as it was, and its job."""
    return next(_list_learning(store, dataset, settings), None)


def _list_learning(store: Store, dataset: Dataset, settings: HeadSettings) -> Iterator[tuple[Run, Job]]:
    for job in store.queue():
        if job.kind == "head" and job.dataset_id == dataset.id and (run := store.run(str(job.run_id))).head == settings:
            yield run, job


def _labels(store: Store, run: Run | None) -> set[str]:
    """Return the classes that a run learns; none of one that has not divided its photos yet."""
    try:
        return set(read_labels(store, run)) if run else set()
    except FileNotFoundError:
        return set()


def grade(run: Run) -> Exam | None:
    """Return how a run's model did on its validation photos, or None where it has no model, or there were none."""
    accuracy = run.facts.phase(run.result_phase).accuracies.get(VALIDATION) if run.result_phase else None
    total = run.facts.validation_images
    return None if accuracy is None or not total else Exam(round(accuracy * total), total)


def refuse(store: Store, dataset: Dataset, settings: HeadSettings) -> str | None:
    """Return why a data set cannot be taught as it stands, with advice, or None."""
    if is_large(dataset):
        kept = ask(store, dataset, settings)
        division = kept and kept.divisions.get(division_key(settings))
        if division is None:
            # Where the look through failed, the training itself finds out whether the photos can be divided.
            looking = latest_summarising(store, dataset.id)
            return None if looking and looking.status == "failed" else LOOKING
        return division if isinstance(division, str) else None
    return _examine(store.workspace.root, dataset.id, dataset.version, settings)[0]


def list_unfair(store: Store, dataset: Dataset, settings: HeadSettings) -> tuple[str, ...]:
    """Return the classes that are judged by the recording that they are learnt from, for want of another."""
    if is_large(dataset):
        kept = ask(store, dataset, settings)
        return tuple(kept.unfair) if kept else ()
    return _examine(store.workspace.root, dataset.id, dataset.version, settings)[1]


@lru_cache(maxsize=32)
def _examine(root: Path, dataset_id: str, _: int, settings: HeadSettings) -> tuple[str | None, tuple[str, ...]]:
    store = Store(Workspace(root))
    images = store.images(dataset_id)
    try:
        choose_split(store, dataset_id, settings, images)
    except DatasetError as problem:
        return str(problem), ()
    return None, tuple(judged_by_itself(images))


def _learns(run: Run, job: Job | None, version: int) -> bool:
    """Say whether a run learns, or has learnt or failed to, from a data set in this version; one that has yet to write
    down the version reads the newest."""
    if run.facts.dataset_version is None:
        return job is not None and job.active
    return run.facts.dataset_version == version
