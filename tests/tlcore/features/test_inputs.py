"""The feed of both phases, for real: cached views, views drawn anew, and the seed that decides them."""

import pytest

from thaw.jobs import starts
from thaw.jobs.starts import waiting_job
from thaw.worker import work
from tlcore.settings import FineTuneSettings, HeadSettings

TRAINING, VALIDATION = 18, 6
TUNED = FineTuneSettings(layers=9, epochs=1, learning_rate=1e-5, insist=True)


def train(store, dataset_id, **chosen):
    """Do both phases with an augmentation; return the run's losses and how many features phase 2 computed."""
    head = HeadSettings(image_size=52, epochs=2, validation_split=0.25, patience=20, **chosen)
    run_id = starts.add_head_job(store, dataset_id, head)
    work(store, waiting_job(store, run_id))
    assert starts.add_fine_tune_job(store, run_id, TUNED) == run_id
    work(store, waiting_job(store, run_id))
    assert store.latest_job(run_id).status == "finished", store.latest_job(run_id).error
    losses = [(epoch.loss, epoch.val_loss) for epoch in store.epochs(run_id)]
    return losses, store.run(run_id).facts.fine_tune.features_computed


@pytest.fixture(scope="module")
def exact(store, tiny_dataset):
    return train(store, tiny_dataset, augmentation="strong", exact=True)


def test_views_drawn_anew_train_both_phases_and_cache_only_what_judges(exact):
    losses, computed = exact
    assert len(losses) == 3
    assert computed == VALIDATION


def test_the_same_seed_draws_the_same_views_anew(exact, store, tiny_dataset):
    losses, computed = train(store, tiny_dataset, augmentation="strong", exact=True)
    assert losses == exact[0]
    assert computed == 0


def test_as_many_views_are_cached_as_were_asked_for(exact, store, tiny_dataset):
    losses, computed = train(store, tiny_dataset, augmentation="strong", views=3)
    # What judges was cached by the runs before.
    assert computed == 3 * TRAINING
    assert losses != exact[0]
