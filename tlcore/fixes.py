"""The fixes that a person made to a data set since a run saw it, and what they bring to a head that learns again."""

from dataclasses import dataclass

import numpy as np

from tlcore import jobs
from tlcore.comparison import Verdict, judge
from tlcore.errors import RunError
from tlcore.evaluation import Predictions, read_predictions
from tlcore.records import Run
from tlcore.run_split import read_seen
from tlcore.settings import HeadSettings
from tlcore.store import Store


@dataclass(frozen=True)
class Effect:
    """What a head that learnt again does differently. `before` and `after` are the accuracies (0..1) of the two heads,
    each on its own validation images; in `verdict` the new head is the first, on the images that judged both."""

    before: float
    after: float
    verdict: Verdict


def list_fixes(store: Store, run: Run) -> dict[str, str | None]:
    """Return what has become of the images that a run saw: by id the class it has by now, or None if excluded.

    Images that stand as the run saw them, an undone change among them, are left out.
    """
    if run.facts.get("dataset_version") == store.dataset(run.dataset_id).version:
        return {}
    seen = read_seen(store, run) or {}
    return {
        image_id: label
        for image_id, label in store.standing(run.dataset_id).items()
        if image_id in seen and label != seen[image_id]
    }


def retrain(store: Store, run_id: str) -> str:
    """Start phase 1 anew with a run's own settings on its data set as it stands now; return the new run's id."""
    run = store.run(run_id)
    retrained = jobs.add_head_job(store, run.dataset_id, HeadSettings.from_json(run.head))
    # Before its process starts, which writes facts as well.
    store.add_facts(retrained, {"retrained_from": run.id})
    jobs.launch_worker(store, retrained)
    return retrained


def measure_effect(store: Store, run: Run) -> Effect | None:
    """Compare the head of a run with that of the run which it was retrained from, by the labels that it saw itself.

    Returns None for a run that is no such one, whose earlier run has no model, or that shares no image with it.
    """
    earlier_id = run.facts.get("retrained_from")
    if earlier_id is None:
        return None
    try:
        earlier = read_predictions(store, store.run(earlier_id), phase=1)
        later = read_predictions(store, run, phase=1)
    except RunError:
        return None
    before, after = _shared(earlier, later)
    return Effect(earlier.accuracy, later.accuracy, judge(after, before)) if before.images else None


def _shared(earlier: Predictions, later: Predictions) -> tuple[Predictions, Predictions]:
    """Return both on the images that both have, in one order and with the later's labels and classes."""
    rows = {image.id: row for row, image in enumerate(later.images)}
    kept = [row for row, image in enumerate(earlier.images) if image.id in rows]
    own = [rows[earlier.images[row].id] for row in kept]
    images = [later.images[row] for row in own]
    # A class that is new gets no share from the earlier head: it could not know it.
    new = [label for label in later.labels if label not in earlier.labels]
    padded = np.pad(earlier.probabilities[kept], ((0, 0), (0, len(new))))
    return Predictions(images, [*earlier.labels, *new], padded), Predictions(
        images, later.labels, later.probabilities[own]
    )
