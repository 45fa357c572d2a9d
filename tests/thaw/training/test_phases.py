"""Both phases, for real, on a tiny data set: what they record, what they keep, and that the seed decides all."""

import json

import numpy as np
import pytest

from tests.support.runs import arrays, fine_tune, measured, train_head
from thaw.jobs import starts
from thaw.jobs.starts import waiting_job
from thaw.runs.results import read_predictions
from thaw.storage.datasets import Arrival
from thaw.worker import work
from tlcore.errors import GuardError, RunError
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.snapshots import save_snapshot

HEAD = HeadSettings(image_size=48, epochs=4, validation_split=0.25, patience=20)
TUNED = FineTuneSettings(layers=9, epochs=2, learning_rate=1e-5, insist=True)


def train(store, dataset_id, settings=HEAD):
    return train_head(store, dataset_id, settings)


def tune(store, run_id, settings=TUNED):
    return fine_tune(store, run_id, settings)


def best_epoch(epochs, phase):
    """The first epoch of least validation loss."""
    return min((epoch for epoch in epochs if epoch.phase == phase), key=lambda epoch: epoch.val_loss)


def require_same(store, run_id, other):
    """Check that two runs of the same seed have the same epochs and weights, to the last bit."""
    assert measured(store, run_id) == measured(store, other)
    for name in ("head.npz", "tuned.npz"):
        assert arrays(store.workspace.run(run_id) / name) == arrays(store.workspace.run(other) / name)


HEAD_FILES = {"run.json", "labels.json", "split.json", "layers.json", "head.npz", "predictions-1.npz"}


@pytest.fixture(scope="module")
def head_run(store, tiny_dataset):
    """A run with phase 1 only; what needs phase 2 branches off it or makes its own."""
    return train(store, tiny_dataset)


@pytest.fixture(scope="module")
def tuned_run(store, head_run):
    return tune(store, starts.branch(store, store.run(head_run)))


@pytest.fixture(scope="module")
def broken_off_run(store, tiny_dataset):
    """A run of its own of the same seed, whose phase 2 broke off after its first epoch."""
    run_id = train(store, tiny_dataset)

    def save_and_break_off(*saved):
        save_snapshot(*saved)
        raise ConnectionAbortedError("the test breaks it off here")

    starts.add_fine_tune_job(store, run_id, TUNED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tlcore.training.early_stopping.save_snapshot", save_and_break_off)
        with pytest.raises(ConnectionAbortedError):
            work(store, waiting_job(store, run_id))
    return run_id


@pytest.fixture(scope="module")
def short_run(store, tiny_dataset):
    """A head of another seed after one epoch."""
    return train(store, tiny_dataset, HeadSettings(**{**vars(HEAD), "seed": 1, "epochs": 1}))


@pytest.fixture(scope="module")
def settled_run(store, tiny_dataset):
    """A head that gained nothing any more, at a rate far too high."""
    settings = HeadSettings(**{**vars(HEAD), "learning_rate": 1.0, "epochs": 60, "patience": 3})
    return train(store, tiny_dataset, settings)


def test_phase_1_leaves_its_epochs_files_and_facts(store, tiny_dataset, head_run):
    run, folder = store.run(head_run), store.workspace.run(head_run)
    assert [(epoch.epoch, epoch.phase) for epoch in store.epochs(head_run)] == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert (run.result_phase, run.fine_tune, run.dataset_id) == (1, None, tiny_dataset)
    names = {path.name for path in folder.iterdir()}
    assert names == HEAD_FILES
    assert json.loads((folder / "labels.json").read_text()) == ["berry", "leaf", "sky"]
    split = json.loads((folder / "split.json").read_text())
    assert (len(split["training"]), len(split["validation"])) == (18, 6)
    seen = sorted(map(tuple, split["training"] + split["validation"]))
    assert seen == sorted((image.id, image.label) for image in store.images(tiny_dataset))
    assert len(json.loads((folder / "layers.json").read_text())) == 141
    assert run.facts.image_size == 48
    assert run.facts.grey_range == 65535
    assert (run.facts.training_images, run.facts.validation_images) == (18, 6)
    spent = run.facts.head.seconds
    assert 0 < spent.training < spent.total
    assert run.facts.head.images_per_second > 0
    assert run.facts.head.best_epoch == best_epoch(store.epochs(head_run), 1).epoch


def test_the_predictions_are_those_of_the_best_epoch(store, head_run):
    predictions = read_predictions(store, store.run(head_run))
    best = best_epoch(store.epochs(head_run), 1)
    assert predictions.accuracy == pytest.approx(best.val_accuracy)
    probable = predictions.probabilities[np.arange(6), predictions.true]
    assert -np.log(probable).mean() == pytest.approx(best.val_loss, rel=1e-4)


def test_phase_2_numbers_its_epochs_on_and_keeps_its_files(store, tuned_run):
    epochs = store.epochs(tuned_run)
    assert [(epoch.epoch, epoch.phase) for epoch in epochs] == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2)]
    run, folder = store.run(tuned_run), store.workspace.run(tuned_run)
    names = {path.name for path in folder.iterdir()}
    assert names == {*HEAD_FILES, "tuned.npz", "predictions-2.npz"}
    assert run.fine_tune == TUNED
    predictions = read_predictions(store, run, phase=2)
    assert predictions.accuracy == pytest.approx(best_epoch(epochs, 2).val_accuracy)
    layers = json.loads((folder / "layers.json").read_text())
    trained = [index for index in range(141 - TUNED.layers, 141) if layers[index]["trainable_parameters"]]
    assert 100 < store.dump_run(tuned_run)["run"]["facts"]["cut"]["boundary"] <= trained[0]


def test_phase_2_goes_on_from_the_head_of_phase_1(store, tuned_run):
    epochs = store.epochs(tuned_run)
    assert epochs[4].val_loss == pytest.approx(best_epoch(epochs, 1).val_loss, rel=0.1)


def test_the_same_seed_gives_the_same_epochs_and_weights_to_the_last_bit(store, head_run, tuned_run, broken_off_run):
    assert measured(store, broken_off_run)[:4] == measured(store, head_run)
    ours, theirs = (arrays(store.workspace.run(each) / "head.npz") for each in (broken_off_run, head_run))
    assert ours == theirs
    assert measured(store, broken_off_run)[4] == measured(store, tuned_run)[4]


def test_another_seed_gives_other_epochs(store, head_run, short_run):
    assert measured(store, short_run)[0] != measured(store, head_run)[0]


def test_phase_1_stays_the_result_when_phase_2_ends_worse(store, head_run):
    run_id = starts.branch(store, store.run(head_run))
    kept = arrays(store.workspace.run(run_id) / "head.npz")
    tune(store, run_id, FineTuneSettings(layers=9, epochs=2, learning_rate=0.5, insist=True))
    epochs = store.epochs(run_id)
    assert best_epoch(epochs, 2).val_loss > best_epoch(epochs, 1).val_loss
    assert store.run(run_id).result_phase == 1
    assert arrays(store.workspace.run(run_id) / "head.npz") == kept
    np.testing.assert_array_equal(
        read_predictions(store, store.run(run_id)).probabilities,
        read_predictions(store, store.run(run_id), phase=1).probabilities,
    )


def test_early_stopping_ends_a_phase_and_keeps_the_best_epoch(store, settled_run):
    epochs = store.epochs(settled_run)
    best = best_epoch(epochs, 1)
    assert len(epochs) == best.epoch + 3 < 60
    assert read_predictions(store, store.run(settled_run)).accuracy == pytest.approx(best.val_accuracy)


def test_a_head_that_has_not_settled_is_not_fine_tuned(store, head_run, short_run):
    for run_id, reason in (
        (short_run, "trained for 1 epochs"),
        (head_run, "still learning: its validation loss fell by"),
    ):
        with pytest.raises(GuardError, match=reason):
            starts.add_fine_tune_job(store, run_id, FineTuneSettings(layers=9))
        assert store.run(run_id).fine_tune is None
        assert not store.latest_job(run_id).active


def test_a_learning_rate_above_a_tenth_of_the_heads_is_refused_with_the_reason(store, settled_run):
    with pytest.raises(GuardError, match=r"at most 0\.1, a tenth of the head's 1\b.* Received: 0\.2"):
        starts.add_fine_tune_job(store, settled_run, FineTuneSettings(layers=9, learning_rate=0.2))
    assert store.run(settled_run).fine_tune is None


def test_a_second_fine_tuning_branches_and_leaves_the_first_as_it_was(store, tuned_run):
    folder = store.workspace.run(tuned_run)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    run, epochs = store.run(tuned_run), store.epochs(tuned_run)

    branched = tune(store, tuned_run, FineTuneSettings(layers=8, epochs=1, learning_rate=1e-5, insist=True))

    assert branched != tuned_run
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert (store.run(tuned_run), store.epochs(tuned_run)) == (run, epochs)
    assert measured(store, branched)[:4] == measured(store, tuned_run)[:4]
    assert [epoch.phase for epoch in store.epochs(branched)] == [1, 1, 1, 1, 2]
    assert store.run(branched).facts.branched_from == tuned_run
    assert store.run(branched).fine_tune.layers == 8


def test_a_sigmoid_head_trains_on_two_classes_and_says_both_probabilities(store, tiny_dataset):
    images = [image for image in store.images(tiny_dataset) if image.label != "sky"]
    pair = "data-pair"
    renamed = [type(image)(**{**vars(image), "id": f"pair-{image.id}", "folder": pair}) for image in images]
    for image, original in zip(renamed, images, strict=True):
        copy = store.workspace.image(pair, image.id, image.suffix)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(store.workspace.image(tiny_dataset, original.id, original.suffix).read_bytes())
    store.add_dataset(pair, "Pair", "here", Arrival(renamed))
    run_id = train(store, pair, HeadSettings(**{**vars(HEAD), "output": "sigmoid", "augmentation": "light"}))
    predictions = read_predictions(store, store.run(run_id))
    assert predictions.probabilities.shape == (4, 2)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, rtol=1e-6)
    assert predictions.accuracy == pytest.approx(best_epoch(store.epochs(run_id), 1).val_accuracy)


def test_settings_that_do_not_fit_the_data_fail_with_their_reason(store, tiny_dataset):
    run_id = starts.add_head_job(store, tiny_dataset, HeadSettings(**{**vars(HEAD), "output": "sigmoid"}))
    work(store, waiting_job(store, run_id))
    job = store.latest_job(run_id)
    assert job.status == "failed"
    assert "two classes for a sigmoid output. Received: 3 classes" in job.error
    assert store.run(run_id).result_phase is None
    with pytest.raises(RunError, match="whose head has been trained"):
        starts.add_fine_tune_job(store, run_id, TUNED)


def test_a_run_whose_job_is_done_has_no_work(store, head_run):
    with pytest.raises(RunError, match="Start or resume it first"):
        work(store, waiting_job(store, head_run))


def test_phase_2_broken_off_after_an_epoch_resumes_to_the_same_end(store, tiny_dataset, broken_off_run, tuned_run):
    assert store.latest_job(broken_off_run).status == "failed"
    assert [epoch.phase for epoch in store.epochs(broken_off_run)].count(2) == 1
    assert store.run(broken_off_run).result_phase == 1, "until phase 2 has ended, phase 1's model is the result"

    store.add_job("fine_tune", {"resume": True}, tiny_dataset, broken_off_run)
    work(store, waiting_job(store, broken_off_run))
    assert store.latest_job(broken_off_run).status == "finished"
    require_same(store, broken_off_run, tuned_run)
