"""The fixes that a person made to a data set since a run saw it, and the run that learns from them."""

from thaw.datasets.run_split import read_seen
from thaw.jobs import starts
from thaw.retraining.fix_history import require_idle
from thaw.storage.records import Run
from thaw.storage.store import Store


def list_fixes(store: Store, run: Run) -> dict[str, str | None]:
    """Return what has become of the images that a run saw: by id the class it has by now, or None if excluded.

    Images that stand as the run saw them, an undone change among them, are left out.
    """
    if run.facts.dataset_version == store.dataset(run.dataset_id).version:
        return {}
    seen = read_seen(store, run) or {}
    return {
        image_id: label
        for image_id, label in store.standing(run.dataset_id).items()
        if image_id in seen and label != seen[image_id]
    }


def retrain(store: Store, run_id: str) -> str:
    """Start phase 1 anew with a run's own settings on its data set as it stands now; return the new run's id.

    Where it can, it begins with the weights of that run's head, on the same sides of the split
    (`thaw.retraining.retrain`). Raises RunError while a head of the data set is being retrained already.
    """
    run = store.run(run_id)
    require_idle(store, run)
    version = store.dataset(run.dataset_id).version
    retrained = starts.add_head_job(store, run.dataset_id, run.head)
    # Before its process starts, which writes facts as well.
    store.add_facts(retrained, {"retrained_from": run.id, "asked_at_version": version})
    starts.launch_worker(store, retrained)
    return retrained
