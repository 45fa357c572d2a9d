"""A search of settings: its trials reach what training with them reaches here, each is kept as it ends, and a second
search goes on with the others."""

import pickle
from collections import Counter

import pytest

from tests.support.cluster.nodes import cluster, free_port
from tests.support.runs import train_head
from thaw.cluster.runner import ClusterError, Outcome
from thaw.cluster.spreading import VARIABLE
from thaw.jobs import starts
from thaw.training import searcher
from thaw.training.run_facts import kept_epoch
from thaw.tuning.search_record import SEARCH_FILE, SearchSettings, read_search
from thaw.worker import work
from tlcore.errors import BackboneError, RunError
from tlcore.models.backbone_table import SMALL_RESIDUAL

LITE0, LITE1 = "efficientnet-lite0", "efficientnet-lite1"
SETTINGS = SearchSettings([LITE0, LITE1], [3e-3, 1e-6], ["none"], epochs=8, seed=1)
STOPPED_AFTER = 2


def search(store, dataset_id, settings=SETTINGS):
    """Do a search in this process; return its job as it ended, and what is kept."""
    job_id = starts.add_search_job(store, dataset_id, settings)
    work(store, job_id)
    return store.job(job_id), read_search(store.workspace.dataset(dataset_id))


def reached_here(store, dataset_id, trial):
    """Train with the settings of a trial; return what the trial should say of accuracy, loss and epochs."""
    run = store.run(train_head(store, dataset_id, SETTINGS.head(trial.combination)))
    epochs = store.epochs(run.id)
    best = kept_epoch(run, epochs, 1)
    return best.val_accuracy, best.val_loss, best.epoch, len(epochs)


class Somewhere:
    """Stands for Tune on a cluster: trials go there and back pickled; one is stopped early, one fails, and the cluster
    is lost after `most` trials."""

    def __init__(self, most):
        self.most, self.asked = most, Counter()

    def __call__(self, address, tuning, tell, check_stop):
        tell(f"On 1 machine of the cluster at {address}.")
        assert "keras" in tuning.packages
        assert tuning.witness.is_file()
        assert tuning.storage.is_dir()
        for made, (number, tried) in enumerate(tuning.trials.items()):
            if made == self.most:
                raise ClusterError(f"The cluster at {address} was lost.")
            self.asked[tried] += 1
            if tried.backbone == LITE1 and self.asked[tried] == 1:
                yield Outcome(number, address, reason="its process died, perhaps for want of memory")
                continue
            reports = []

            def report(told, tried=tried, reports=reports):
                reports.append(told)
                if tried.learning_rate == min(SETTINGS.rates) and told["epochs"] == STOPPED_AFTER:
                    raise SystemExit

            try:
                tuning.function(*pickle.loads(pickle.dumps((tuning.common, tried))), report)  # noqa: S301
            except SystemExit:
                assert len(reports) == STOPPED_AFTER
            yield Outcome(number, address, reports[-1])


def test_a_search_needs_a_cluster_and_one_is_enough_at_a_time(store, tiny_dataset, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    job, _ = search(store, tiny_dataset)
    assert job.status == "failed"
    assert "by --cluster HOST:PORT or the variable THAW_CLUSTER. Received: none. `ray start --head`" in job.error
    monkeypatch.setenv(VARIABLE, f"127.0.0.1:{free_port()}")
    job, found = search(store, tiny_dataset)
    assert "Received: no answer" in job.error
    assert found is None, "nothing was begun"
    waiting = starts.add_search_job(store, tiny_dataset, SETTINGS)
    with pytest.raises(RunError, match="Expected no search for this data set to be going on"):
        starts.add_search_job(store, tiny_dataset, SETTINGS)
    store.fail_job(waiting, "enough")
    with pytest.raises(BackboneError, match="Expected a backbone that has learnt from photos"):
        starts.add_search_job(store, tiny_dataset, SearchSettings([SMALL_RESIDUAL.name]))


def test_trials_are_kept_as_they_end_and_another_search_goes_on(store, tiny_dataset, monkeypatch):
    monkeypatch.setenv(VARIABLE, "lab:6379")
    lab = Somewhere(most=2)
    monkeypatch.setattr(searcher, "tune", lab)
    job, found = search(store, tiny_dataset)
    assert job.status == "failed"
    assert job.error.startswith("The cluster at lab:6379 was lost. Every finished trial is kept: search again")
    assert [trial.combination for trial in found.trials] == SETTINGS.combinations[:2]
    assert found.missing == SETTINGS.combinations[2:]

    lab.most = None
    job, found = search(store, tiny_dataset)
    assert job.error.startswith("Expected trials that end with a figure. Received: none. efficientnet-lite1 with 1e-06")
    assert "failed: its process died, perhaps for want of memory." in job.error
    assert len(found.trials) == 2

    job, found = search(store, tiny_dataset)
    assert (job.status, job.error) == ("finished", None)
    assert job.note == "On 1 machine of the cluster at lab:6379."
    assert not found.missing
    assert lab.asked == Counter({each: 1 if each.backbone == LITE0 else 2 for each in SETTINGS.combinations})
    assert not list((store.workspace.root / "staging").iterdir())
    for trial in found.trials:
        if trial.learning_rate == max(SETTINGS.rates):
            assert not trial.stopped_early
            assert (trial.accuracy, trial.loss, trial.best_epoch, trial.epochs) == reached_here(
                store, tiny_dataset, trial
            )
        else:
            assert (trial.stopped_early, trial.epochs) == (True, STOPPED_AFTER)

    # All of it is known: nothing is asked of the cluster.
    assert search(store, tiny_dataset)[1] == found
    assert sum(lab.asked.values()) == 6
    other = SearchSettings([LITE0], [3e-3], ["none"], epochs=3, seed=1)
    _, begun_anew = search(store, tiny_dataset, other)
    assert [(trial.combination, trial.epochs) for trial in begun_anew.trials] == [(other.combinations[0], 3)]


@pytest.mark.slow
def test_a_search_on_a_real_cluster_reaches_what_training_reaches_here(store, tiny_dataset, monkeypatch):
    pytest.importorskip("ray.tune", reason="pip install '.[cluster]', to search settings on a real Ray cluster")
    (store.workspace.dataset(tiny_dataset) / SEARCH_FILE).unlink(missing_ok=True)
    with cluster(cpus=2) as lab:
        monkeypatch.setenv(VARIABLE, lab.address)
        job, found = search(store, tiny_dataset)
    assert (job.status, job.error) == ("finished", None)
    assert job.note == f"On 1 machine of the cluster at {lab.address}."
    assert {trial.combination for trial in found.trials} == set(SETTINGS.combinations)
    assert len(found.trials) == len(SETTINGS.combinations)
    assert any(trial.stopped_early for trial in found.trials), "a rate of a millionth is no match"
    assert any(not trial.stopped_early for trial in found.trials)
    for trial in found.trials:
        if trial.stopped_early:
            assert trial.epochs < SETTINGS.epochs
        else:
            assert (trial.accuracy, trial.loss, trial.best_epoch, trial.epochs) == reached_here(
                store, tiny_dataset, trial
            )
    assert not list((store.workspace.root / "staging").iterdir())
