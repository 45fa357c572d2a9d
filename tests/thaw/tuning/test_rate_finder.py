"""A search of the learning rate for real on the tiny photos, in both phases."""

import keras
import numpy as np
import pytest

from tests.support.runs import train_head
from thaw.jobs import starts
from thaw.tuning.rate_curve import read_curve, suggest
from thaw.tuning.rate_finder import BATCHES, try_rates
from thaw.worker import work
from tlcore.progress import Stage
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.phases import compile_model

HEAD = HeadSettings(image_size=48, epochs=2, validation_split=0.25, batch_size=8)


@pytest.fixture(scope="module")
def head_run(store, tiny_dataset):
    return train_head(store, tiny_dataset, HEAD)


def search(store, run_id, phase, settings=None):
    job_id = starts.add_rate_job(store, run_id, phase, settings)
    told = []
    work(store, job_id, lambda *report: told.append(report))
    assert store.job(job_id).status == "finished", store.job(job_id).error
    assert any(stage == Stage.TRYING_RATES and total == BATCHES for stage, _, total in told)
    return read_curve(store.workspace.run(run_id), phase)


def unchanged(store, run_id):
    folder = store.workspace.run(run_id)
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith("rates-")}


def test_a_head_is_searched_up_to_a_rate_of_one_and_the_run_stays_as_it_was(store, head_run):
    before = unchanged(store, head_run), store.run(head_run), store.epochs(head_run)
    curve = search(store, head_run, 1)
    assert (unchanged(store, head_run), store.run(head_run), store.epochs(head_run)) == before
    assert (curve.phase, curve.layers, curve.batch_size, curve.cap) == (1, None, 8, None)
    assert curve.rates[0] == pytest.approx(1e-7)
    assert curve.rates == sorted(curve.rates)
    assert curve.rates[-1] <= 1 + 1e-9
    assert len(curve.rates) == len(curve.losses) > 50
    assert 1e-5 < curve.suggestion <= 1
    assert curve.suggestion == suggest(curve.rates, curve.losses)
    again = search(store, head_run, 1)
    assert again.losses == curve.losses


def test_phase_2_is_searched_at_its_depth_and_never_advises_more_than_a_tenth(store, head_run):
    before = unchanged(store, head_run)
    curve = search(store, head_run, 2, FineTuneSettings(layers=9, batch_size=4))
    assert unchanged(store, head_run) == before
    assert (curve.layers, curve.batch_size) == (9, 4)
    assert curve.cap == pytest.approx(1e-4)
    assert curve.rates[-1] <= 1e-3 + 1e-9
    assert curve.suggestion is None or curve.suggestion <= curve.cap


class OneBatch(keras.utils.PyDataset):
    """The same batch for ever, so that the loss depends on the steps alone."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        chance = np.random.default_rng(0)
        return (chance.normal(size=(16, 4)).astype(np.float32),), np.arange(16) % 2


def test_a_search_ends_when_the_loss_has_run_away():
    keras.utils.set_random_seed(0)
    features = keras.Input((4,))
    model = keras.Model([features], keras.layers.Dense(2, activation="softmax")(features))
    compile_model(model, "softmax", 1e-7)
    rates = np.geomspace(1e-3, 1e4, 100).tolist()
    losses = try_rates(model, OneBatch(), rates, None)
    assert 20 < len(losses) < 100
    assert losses[-1] > 3 * min(losses)
