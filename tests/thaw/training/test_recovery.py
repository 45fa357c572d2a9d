"""What mends itself in a real training: a smashed first epoch, memory that runs out, and a kill right in between."""

import keras
import pytest

from tests.support.runs import arrays, finish, measured
from thaw.jobs import starts
from thaw.jobs.starts import waiting_job
from thaw.training.evidence import judge_run
from thaw.training.run_facts import kept_epoch
from thaw.worker import work
from tlcore.features.batches import CachedBatches
from tlcore.models.rematerialisation import Rematerialised
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training import phases
from tlcore.training.history import MemoryIncident
from tlcore.training.recovery import Incidents

HEAD = HeadSettings(image_size=48, epochs=4, validation_split=0.25, patience=20, learning_rate=1e-2, dropout=0.3)
WILD = FineTuneSettings(layers=9, epochs=2, learning_rate=0.05, patience=5, insist=True)
GENTLE = FineTuneSettings(layers=9, epochs=2, learning_rate=1e-5, patience=5, insist=True)


@pytest.fixture(scope="module")
def head_run(store, tiny_dataset):
    return finish(store, starts.add_head_job(store, tiny_dataset, HEAD))


@pytest.fixture(scope="module")
def branch(store, head_run):
    """Return a function that makes a run of its own with phase 1 done and phase 2 waiting."""

    def make(settings):
        run_id = starts.branch(store, store.run(head_run))
        store.set_fine_tune(run_id, settings.to_json())
        store.add_job("fine_tune", {}, store.run(run_id).dataset_id, run_id)
        return run_id

    return make


def condemn(patched):
    """Condemn the first epoch of phase 2 whatever it did: six validation images are too few to be sure of anything."""
    patched.setattr(phases, "smashed", lambda before, after, images, largest: True)


@pytest.fixture(scope="module")
def retried(store, branch):
    """A run whose phase 2 was tried twice."""
    with pytest.MonkeyPatch.context() as patched:
        condemn(patched)
        return finish(store, branch(WILD))


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and nothing is cleaned up on its way."""


def test_a_smashed_first_epoch_is_undone_and_tried_once_more_at_a_tenth(store, branch, retried):
    (retry,) = store.run(retried).facts.fine_tune.retries
    assert (retry.rate, retry.next_rate) == (0.05, pytest.approx(0.005))
    assert retry.accuracy_before == kept_epoch(store.run(retried), store.epochs(retried), 1).val_accuracy
    assert 0 <= retry.accuracy_after <= 1
    assert [epoch.epoch for epoch in store.epochs(retried) if epoch.phase == 2] == [5, 6], "the first try left no epoch"

    # Once more from phase 1's weights is what a run at that rate from the start would have been.
    direct = finish(store, branch(FineTuneSettings(**{**vars(WILD), "learning_rate": retry.next_rate})))
    assert not store.run(direct).facts.fine_tune.retries
    assert measured(store, retried) == measured(store, direct)
    ours, theirs = (arrays(store.workspace.run(each) / "tuned.npz") for each in (retried, direct))
    assert ours == theirs


@pytest.mark.parametrize("moment", ["before the record", pytest.param("after the record", marks=pytest.mark.slow)])
def test_a_kill_about_the_retry_resumes_to_the_same_end(store, branch, retried, monkeypatch, moment):
    run_id, lower = branch(WILD), Incidents.lower_rate
    condemn(monkeypatch)

    def die(self, *measured):
        if moment == "after the record":
            lower(self, *measured)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Incidents, "lower_rate", die)
        with pytest.raises(Killed):
            work(store, waiting_job(store, run_id))
    assert not list(store.workspace.run(run_id).glob("snapshot-2*"))
    assert bool(store.run(run_id).facts.fine_tune.retries) == (moment == "after the record")
    store.add_job("fine_tune", {"resume": True}, store.run(run_id).dataset_id, run_id)
    finish(store, run_id)
    assert measured(store, run_id) == measured(store, retried)
    ours, theirs = (arrays(store.workspace.run(each) / "tuned.npz") for each in (run_id, retried))
    assert ours == theirs
    retries = [store.run(each).facts.fine_tune.retries for each in (run_id, retried)]
    assert retries[0] == retries[1]


def test_what_the_guards_found_is_on_record(store, retried):
    run = store.run(retried)
    drift = run.facts.fine_tune.drift
    assert len(drift) == 49
    assert {(row.mean, row.variance) for row in drift} == {(0.0, 0.0)}
    assert run.facts.fine_tune.precision == "float32"
    checks = run.facts.head.checks
    assert checks.backbone_training == 0
    assert checks.training == {"berry": 6, "leaf": 6, "sky": 6}
    assert checks.validation == {"berry": 2, "leaf": 2, "sky": 2}
    batch = checks.batch
    assert batch.images == 18
    assert -127 / 128 <= batch.low < batch.mean < batch.high <= 1
    assert batch.high - batch.low > 1

    rules = {each.rule: each for phase in (1, 2) for each in judge_run(run, store.epochs(retried), phase)}
    assert len(rules) == 8
    assert not rules["First epoch of phase 2"].passed
    assert "0 of 49" in rules["BatchNormalization statistics"].words
    assert "18 images for 3 classes" in rules["Batch size"].words


@pytest.fixture
def small_memory(monkeypatch):
    """Return a function that lets the computer hold no batch above a size once so many have been fed."""
    feed, run = CachedBatches.__getitem__, CachedBatches.runs

    def limit(largest, after=0):
        fed = []

        def take(self, index):
            inputs, labels = feed(self, index)
            if self.images > 1:
                # The one blank image that phase 2 rehearses with is none of its batches.
                fed.append(index)
            if len(labels) > largest and len(fed) > after:
                raise MemoryError
            return inputs, labels

        def go(self, count):
            for inputs, labels in run(self, count):
                if min(self.batch_size, len(labels)) > largest:
                    raise MemoryError
                yield inputs, labels

        # Phase 2 is fed by the batch, phase 1 by runs of batches.
        monkeypatch.setattr(CachedBatches, "__getitem__", take)
        monkeypatch.setattr(CachedBatches, "runs", go)

    return limit


def test_memory_that_runs_out_keeps_less_then_halves_the_batch_and_the_run_goes_on_from_its_last_epoch(
    store, branch, small_memory
):
    undisturbed, run_id = finish(store, branch(GENTLE)), branch(GENTLE)
    # An epoch is one batch of 18 images to learn from and one of 6 to judge by; Keras looks at the first batch once
    # more before it begins, of each.
    small_memory(largest=9, after=4)
    finish(store, run_id)
    incidents = store.run(run_id).facts.fine_tune.out_of_memory
    sizes = [(each.batch_size, each.next_batch_size) for each in incidents]
    # First less is kept of a batch, then batches are halved.
    assert sizes == [(32, 32), (32, 16), (16, 8)]
    assert [each.rematerialised for each in incidents] == [True, False, False]
    assert {each.epoch for each in incidents} == {6}
    ours, theirs = measured(store, run_id), measured(store, undisturbed)
    assert ours[:5] == theirs[:5], "the epoch before it is as it was"
    assert [row[:2] for row in ours] == [row[:2] for row in theirs]
    assert ours[5] != theirs[5]


@pytest.fixture
def short_of_memory(monkeypatch):
    """Return a function after which memory runs out once more, as at first: in the second epoch of phase 2."""
    feed, make_room, fed, chosen = CachedBatches.__getitem__, Incidents.make_room, [], []

    def take(self, index):
        fed.extend([index] * (self.images > 1))
        if len(fed) > 4 and not chosen:
            raise MemoryError
        return feed(self, index)

    def choose(self, *asked):
        chosen.append(asked)
        return make_room(self, *asked)

    def begin():
        fed.clear()
        chosen.clear()

    monkeypatch.setattr(CachedBatches, "__getitem__", take)
    monkeypatch.setattr(Incidents, "make_room", choose)
    # Each epoch is kept, as those that take long are.
    monkeypatch.setattr("tlcore.training.early_stopping.KEEP_EVERY_S", -1.0)
    return begin


class Dying(keras.callbacks.Callback):
    """Kills the training at the end of its first epoch."""

    def on_epoch_end(self, epoch, logs=None):
        raise Killed


@pytest.mark.parametrize("moment", ["as it was chosen", "an epoch later"])
def test_a_kill_after_less_was_kept_resumes_with_less_to_the_same_end(
    store, branch, short_of_memory, monkeypatch, moment
):
    settings = FineTuneSettings(**{**vars(GENTLE), "epochs": 4})
    undisturbed, run_id = finish(store, branch(settings)), branch(settings)
    (incident,) = store.run(undisturbed).facts.fine_tune.out_of_memory
    assert (incident.epoch, incident.rematerialised, incident.next_batch_size) == (6, True, 32)
    fit_batches, rematerialise, keeps_less = phases.fit_batches, Rematerialised.rematerialise, []

    def fit(model, keeper, feed, materials, callbacks):
        chosen = store.run(run_id).facts.fine_tune.out_of_memory
        if chosen and moment == "as it was chosen":
            raise Killed
        fit_batches(model, keeper, feed, materials, [*callbacks, Dying()] if chosen else callbacks)

    def watch(part):
        keeps_less.append(rematerialise(part))
        return keeps_less[-1]

    short_of_memory()
    with monkeypatch.context() as patched:
        patched.setattr(phases, "fit_batches", fit)
        with pytest.raises(Killed):
            work(store, waiting_job(store, run_id))
    monkeypatch.setattr(Rematerialised, "rematerialise", watch)
    store.add_job("fine_tune", {"resume": True}, store.run(run_id).dataset_id, run_id)
    finish(store, run_id)
    assert keeps_less == [True], "from its start on, and no second time"
    assert store.run(run_id).facts.fine_tune.out_of_memory == (incident,)
    assert measured(store, run_id) == measured(store, undisturbed)
    ours, theirs = (arrays(store.workspace.run(each) / "tuned.npz") for each in (run_id, undisturbed))
    assert ours == theirs


def test_phase_1_goes_on_with_smaller_batches_too_and_a_resumed_one_starts_with_them(store, tiny_dataset, small_memory):
    small_memory(largest=4)
    run_id = finish(store, starts.add_head_job(store, tiny_dataset, HeadSettings(**{**vars(HEAD), "batch_size": 8})))
    facts = store.run(run_id).facts.head
    assert facts.out_of_memory == (MemoryIncident(1, 8, 4),)
    assert len(store.epochs(run_id)) == HEAD.epochs
    assert facts.best_epoch >= 1

    direct = finish(store, starts.add_head_job(store, tiny_dataset, HeadSettings(**{**vars(HEAD), "batch_size": 4})))
    assert measured(store, run_id) == measured(store, direct)


def test_memory_too_small_for_one_image_is_a_plain_failure(store, branch, small_memory):
    run_id = branch(GENTLE)
    small_memory(largest=0)
    work(store, waiting_job(store, run_id))
    job = store.latest_job(run_id)
    assert job.status == "failed"
    assert "Expected enough memory for one image at a time" in job.error
    tried = [each.batch_size for each in store.run(run_id).facts.fine_tune.out_of_memory]
    assert tried == [32, 32, 16, 8, 4, 2]
    assert store.run(run_id).result_phase == 1
