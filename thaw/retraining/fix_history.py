"""The history of fixes: each round of changes that a head has learnt from, and what it brought on the same images."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from thaw.datasets.run_split import read_labels, read_sides
from thaw.runs.results import predictions_file
from thaw.runs.significance import Difference, judge
from thaw.storage.records import Edit, Image, Job, Run
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.evaluation.metrics import Interval, wilson
from tlcore.evaluation.predictions import VALIDATION, Predictions, widen
from tlcore.photos import natural


@dataclass(frozen=True)
class ClassChange:
    """The share of a class's photos found (recall) before and after a round, on the same photos."""

    label: str
    before: Interval
    after: Interval

    @property
    def points(self) -> float:
        """Return by how many percentage points the share grew."""
        return 100 * (self.after.value - self.before.value)


@dataclass(frozen=True)
class Round:
    """One retraining: what was fixed before it and what it brought.

    `moved` counts photos by the class they had and the one they have; `excluded` and `restored` count photos. The
    accuracies, the verdict (the later head is the first) and the class changes are by the labels that the later head
    saw, on the photos that judged both; `before_as_told` is what the earlier head was told to have by the labels of its
    own time, on all that judged it. `edits` are the changes to the data set that came before it and still stand,
    the newest first.
    """

    run: Run
    moved: dict[tuple[str, str], int]
    excluded: int
    restored: int
    before: float
    before_as_told: float
    after: float
    verdict: Difference
    classes: list[ClassChange]
    edits: list[Edit]


@dataclass(frozen=True)
class HeadAccuracy:
    """The accuracy of one head of a chain on the photos that judge all of its heads, with a 95% interval."""

    run: Run
    accuracy: Interval


@dataclass(frozen=True)
class History:
    """The rounds of a chain of runs, the oldest first, and the accuracy of each of its heads on the same photos."""

    rounds: list[Round]
    levels: list[HeadAccuracy]


@dataclass(frozen=True)
class _Record:
    """What a run left on disk: the label of every photo it saw, and what its head says of those that judge it."""

    run: Run
    seen: dict[str, str]
    judged: dict[str, np.ndarray]
    labels: list[str]


def list_chain(store: Store, run: Run) -> list[Run]:
    """Return the runs with a model that `run` was retrained from, itself and those retrained from it, oldest first.

    Of several that were retrained from one, the newest is followed.
    """
    runs = {each.id: each for each in store.runs() if each.dataset_id == run.dataset_id}
    chain = [run]
    while (earlier := runs.get(_from(chain[0]) or "")) is not None:
        chain.insert(0, earlier)
    while (later := _retrained(runs.values(), chain[-1].id)) is not None:
        chain.append(later)
    return [each for each in chain if each.result_phase is not None]


def find_retraining(store: Store, run: Run) -> Job | None:
    """Return the newest retraining of a run's data set, whichever way it stands, or None before the first."""
    found = (each for each in store.runs() if each.dataset_id == run.dataset_id and _from(each) is not None)
    newest = next(found, None)
    return None if newest is None else store.latest_job(newest.id)


def read_history(store: Store, chain: Sequence[Run]) -> History:
    """Read the rounds between the runs of a chain (see `list_chain`) from what they left on disk."""
    images = {image.id: image for image in store.every_image(chain[0].dataset_id)} if chain else {}
    records = [record for run in chain if (record := _read(store, run))]
    if len(records) < 2:
        return History([], [])
    edits = store.edits(chain[0].dataset_id)
    rounds = [
        each
        for earlier, later in pairwise(records)
        if (each := _compare(earlier, later, images, _edits_between(edits, earlier.run, later.run)))
    ]
    return History(rounds, _level(records, images))


def undo_round(store: Store, dataset_id: str, edits: Sequence[Edit]) -> None:
    """Undo the changes of a round, the newest first; raise DatasetError where others came after them."""
    for edit in edits:
        store.undo_edit(dataset_id, edit.number)


def can_undo(store: Store, dataset_id: str, edits: Sequence[Edit]) -> bool:
    """Say whether the changes of a round stand and are the latest ones of a data set."""
    standing = [edit.number for edit in store.edits(dataset_id) if edit.undone_at is None]
    return bool(edits) and standing[: len(edits)] == [edit.number for edit in edits]


def require_idle(store: Store, run: Run) -> None:
    """Raise RunError while a head of a run's data set is being retrained: one at a time, and the last fixes win."""
    job = find_retraining(store, run)
    if job is not None and job.active:
        raise RunError(
            f"Expected no retraining of this data set to be going on. Received: {job.run_id!r}, which is. Wait for its "
            "end: what was fixed meanwhile is learnt next."
        )


def _from(run: Run) -> str | None:
    """Return the id of the run that this one was retrained from; a run that was branched off one was not itself."""
    return run.facts.retrained_from if run.facts.branched_from is None else None


def _retrained(runs: Iterable[Run], run_id: str) -> Run | None:
    found = [each for each in runs if _from(each) == run_id and each.result_phase is not None]
    return max(found, key=lambda each: each.number, default=None)


def _read(store: Store, run: Run) -> _Record | None:
    """Return what a run left on disk, or None where it left no predictions of phase 1 or no labels."""
    path = store.workspace.run(run.id) / predictions_file(1, VALIDATION)
    sides = read_sides(store, run.id)
    if sides is None or not path.exists():
        return None
    with np.load(path, allow_pickle=False) as archive:
        judged = dict(zip(archive["image_ids"].tolist(), archive["probabilities"], strict=True))
    seen = {image_id: label for side in sides.values() for image_id, label in side}
    return _Record(run, seen, judged, read_labels(store, run))


def _edits_between(edits: Sequence[Edit], earlier: Run, later: Run) -> list[Edit]:
    return [
        edit for edit in edits if earlier.created_at < edit.created_at <= later.created_at and edit.undone_at is None
    ]


def _compare(earlier: _Record, later: _Record, images: dict[str, Image], edits: list[Edit]) -> Round | None:
    ids = [image_id for image_id in later.judged if image_id in earlier.judged and image_id in images]
    if not ids:
        return None
    judged = _label(ids, later, images)
    before, after = (_predictions(record, judged, later.labels) for record in (earlier, later))
    moved = Counter(
        (label, later.seen[image_id])
        for image_id, label in earlier.seen.items()
        if image_id in later.seen and later.seen[image_id] != label
    )
    return Round(
        run=later.run,
        moved=dict(moved.most_common()),
        excluded=len(earlier.seen.keys() - later.seen.keys()),
        restored=len(later.seen.keys() - earlier.seen.keys()),
        before=before.accuracy,
        before_as_told=_accuracy_then(earlier),
        after=after.accuracy,
        verdict=judge(after, before),
        classes=_compare_classes(before, after),
        edits=edits,
    )


def _accuracy_then(record: _Record) -> float:
    """Return a head's accuracy (0..1) by the labels that it saw itself."""
    right = [record.labels[int(shares.argmax())] == record.seen[image_id] for image_id, shares in record.judged.items()]
    return float(np.mean(right))


def _label(ids: Sequence[str], last: _Record, images: dict[str, Image]) -> list[Image]:
    """Return images as the `last` run saw them; most still bear the same label, and a copy takes time."""
    return [
        images[id] if images[id].label == last.seen[id] else dataclasses.replace(images[id], label=last.seen[id])
        for id in ids
    ]


def _predictions(record: _Record, judged: list[Image], labels: Sequence[str]) -> Predictions:
    """Return what one head says of images whose classes are among `labels`; one that it lacks gets no share."""
    shares = np.stack([record.judged[image.id] for image in judged])
    return Predictions(judged, *widen(record.labels, shares, labels))


def _compare_classes(before: Predictions, after: Predictions) -> list[ClassChange]:
    """Return every class with photos among those that judged both, the largest change first."""
    right = {name: each.predicted == each.true for name, each in (("before", before), ("after", after))}
    true = np.array([image.label for image in after.images])
    changes = []
    for label in sorted(set(true.tolist()), key=natural):
        own = true == label
        counts = [wilson(int(right[name][own].sum()), int(own.sum())) for name in ("before", "after")]
        if counts[0] and counts[1]:
            changes.append(ClassChange(label, counts[0], counts[1]))
    return sorted(changes, key=lambda change: (-abs(change.points), natural(change.label)))


def _level(records: Sequence[_Record], images: dict[str, Image]) -> list[HeadAccuracy]:
    """Judge every head on the photos that judge all of them, by the labels that the last run saw."""
    last = records[-1]
    ids = [id for id in last.judged if id in images and all(id in record.judged for record in records)]
    if not ids:
        return []
    judged = _label(ids, last, images)
    return [HeadAccuracy(each.run, _estimate(_predictions(each, judged, last.labels))) for each in records]


def _estimate(predictions: Predictions) -> Interval:
    """Return the accuracy with Wilson's interval over groups of near-duplicates, which are right or wrong together; the
    bootstrap of `tlcore.evaluation.metrics` would take a third of a second a head."""
    groups = len({image.similar or image.lookalike or image.id for image in predictions.images})
    value = predictions.accuracy
    bounds = wilson(round(value * groups), groups)
    assert bounds is not None
    return Interval(value, min(bounds.low, value), max(bounds.high, value), len(predictions.images))
