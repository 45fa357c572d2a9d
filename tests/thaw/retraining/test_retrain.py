"""A head that learns again from cached features: honest about its sides, and after a kill the same as without one."""

import dataclasses

import numpy as np
import pytest

from tests.support.runs import arrays, measured, train_head
from thaw.datasets import edits
from thaw.datasets.run_split import SIDES, read_sides, read_split, write_split
from thaw.jobs import starts
from thaw.jobs.starts import waiting_job
from thaw.retraining import fixes
from thaw.retraining.inherited_split import inherit, keep_sides
from thaw.retraining.numpy_head import PlainHead
from thaw.retraining.retrain import choose_batch, fit_weights, prepare
from thaw.runs.results import read_predictions
from thaw.storage.facts import RunFacts
from thaw.tracking import mlflow
from thaw.worker import work
from tlcore.errors import Stopped
from tlcore.progress import Stage
from tlcore.settings import HeadSettings

pytestmark = pytest.mark.usefixtures("warm_decoder")

HEAD = HeadSettings(image_size=48, epochs=12, batch_size=4, validation_split=0.25)


@pytest.fixture(scope="module")
def taught(store, tiny_dataset):
    """Return the id of a run whose head was trained in the ordinary way."""
    return train_head(store, tiny_dataset, HEAD)


@pytest.fixture
def as_imported(store, tiny_dataset):
    """Take back, after a test, every change to the data set that it made."""
    yield
    while any(edit.undone_at is None for edit in store.edits(tiny_dataset)):
        edits.undo(store, tiny_dataset)


@pytest.fixture
def ask(store, monkeypatch):
    """Return a function that asks for a retraining of a run, whose process is not started."""
    monkeypatch.setattr("thaw.jobs.starts.launch_worker", lambda *_: None)
    return lambda run_id: fixes.retrain(store, run_id)


def places(store, run_id):
    return {image_id: side for side, seen in read_sides(store, run_id).items() for image_id, _ in seen}


def test_a_retrained_head_begins_where_the_earlier_one_ended_and_leaves_what_any_run_leaves(
    store, tiny_dataset, taught, ask, as_imported
):
    moved = read_split(store, store.run(taught)).training[0]
    edits.move_images(store, tiny_dataset, [moved.id], "sky" if moved.label != "sky" else "leaf")
    run_id = ask(taught)
    stages = []
    work(store, waiting_job(store, run_id), lambda stage, done, total: stages.append(stage))
    assert store.latest_job(run_id).status == "finished", store.latest_job(run_id).error
    assert not [stage for stage in stages if stage == Stage.STARTING_TENSORFLOW]
    run = store.run(run_id)
    assert run.result_phase == 1
    assert (run.facts.warm_start, run.facts.sides_of) == (taught, taught)
    assert run.facts.grey_range == 65535
    assert run.facts.warm_learning_rate == pytest.approx(3e-4)
    assert run.facts.warm_batch_size == run.head.batch_size
    # What the pages and phase 2 read of a run is there, whichever way its head was trained.
    before, after = (store.dump_run(each)["run"]["facts"] for each in (taught, run_id))
    assert before.keys() <= after.keys()
    assert before["head"].keys() <= after["head"].keys()
    assert run.facts.dataset_version == store.dataset(tiny_dataset).version
    names = {path.name for path in store.workspace.run(taught).iterdir()}
    assert {path.name for path in store.workspace.run(run_id).iterdir()} == names
    # The same images judge both; the moved one bears its new class.
    assert places(store, run_id) == places(store, taught)
    (label,) = [image.label for image in read_split(store, run).training if image.id == moved.id]
    assert label != moved.label
    # The kept head says what the predictions say, and its epoch measured that.
    head = arrays_of(store, run_id, "head.npz")
    predictions = read_predictions(store, run)
    features = prepare(store, run, read_split(store, run)).features["validation"]
    shares = PlainHead([head["head/0"], head["head/1"]], 0.2, 1e-3).probabilities(features)
    np.testing.assert_allclose(shares, predictions.probabilities, atol=1e-6)
    kept = store.epochs(run_id)[run.facts.head.best_epoch - 1]
    assert kept.val_accuracy == pytest.approx(predictions.accuracy)
    assert kept.val_loss == min(epoch.val_loss for epoch in store.epochs(run_id))


def arrays_of(store, run_id, name):
    with np.load(store.workspace.run(run_id) / name) as archive:
        return {key: archive[key] for key in archive.files}


def test_an_interrupted_retraining_ends_as_an_undisturbed_one(store, taught, ask, monkeypatch):
    whole = ask(taught)
    work(store, waiting_job(store, whole))
    halved = ask(taught)
    monkeypatch.setattr("thaw.retraining.numpy_keeper.KEEP_EVERY_S", 0.0)
    calls = []

    def kill_in_the_fourth_epoch(self, *batch):
        calls.append(1)
        if len(calls) > 3 * 5:
            raise RuntimeError("killed")
        return step(self, *batch)

    step = PlainHead.train_batch
    monkeypatch.setattr(PlainHead, "train_batch", kill_in_the_fourth_epoch)
    with pytest.raises(RuntimeError, match="killed"):
        work(store, waiting_job(store, halved))
    monkeypatch.setattr(PlainHead, "train_batch", step)
    assert store.latest_job(halved).status == "failed"
    assert store.run(halved).result_phase is None
    finished = len(store.epochs(halved))
    assert finished >= 2
    starts.add_resume_job(store, halved)
    work(store, waiting_job(store, halved))
    assert store.latest_job(halved).status == "finished", store.latest_job(halved).error
    assert measured(store, halved) == measured(store, whole)
    for name in ("head.npz", "predictions-1.npz"):
        folders = (store.workspace.run(each) for each in (halved, whole))
        first, second = (arrays(folder / name) for folder in folders)
        assert first == second


def test_a_stop_keeps_the_best_head_so_far(store, taught, ask, monkeypatch):
    run_id = ask(taught)
    monkeypatch.setattr("thaw.retraining.numpy_keeper.KEEP_EVERY_S", 0.0)
    epochs = []

    def stop_after_two(self):
        if len(store.epochs(run_id)) >= 2:
            epochs.append(len(store.epochs(run_id)))
            raise Stopped

    monkeypatch.setattr("thaw.retraining.numpy_keeper.PlainKeeper.check_stop", stop_after_two)
    # Port 9 discards what it gets; nobody listens there.
    monkeypatch.setenv(mlflow.VARIABLE, "http://127.0.0.1:9")
    work(store, waiting_job(store, run_id))
    assert store.latest_job(run_id).status == "stopped"
    assert store.run(run_id).facts.mlflow.sent is False, "a result that a stop left is told of as well"
    assert epochs == [2]
    assert store.run(run_id).result_phase == 1
    assert read_predictions(store, store.run(run_id)).images


def test_a_kill_between_the_split_and_its_fact_changes_nothing(store, taught, ask):
    run_id = ask(taught)
    parts = keep_sides(store, store.run(run_id), store.images(store.run(taught).dataset_id))
    write_split(store, run_id, parts)
    assert inherit(store, store.run(run_id)) == parts
    assert store.run(run_id).facts.sides_of == taught
    store.update_job(store.latest_job(run_id).id, status="finished")


def test_sides_are_kept_over_exclusion_and_return_and_not_where_images_are_new(
    store, tiny_dataset, taught, ask, as_imported
):
    judge = read_split(store, store.run(taught)).validation[0]
    edits.exclude_images(store, tiny_dataset, [judge.id])
    first = ask(taught)
    assert inherit(store, store.run(first))
    assert judge.id not in places(store, first)
    store.update_job(store.latest_job(first).id, status="finished")
    edits.undo(store, tiny_dataset)
    second = store.run(ask(first))
    store.update_job(store.latest_job(second.id).id, status="finished")
    images = store.images(tiny_dataset)
    # The run before did not see it, the one before that did.
    parts = keep_sides(store, second, images)
    assert judge.id in {image.id for image in parts.validation}
    assert {image.id: side for side in SIDES for image in getattr(parts, side)} == places(store, taught)
    stranger = dataclasses.replace(images[0], id="img-stranger", content="f" * 64, similar="", lookalike="")
    assert keep_sides(store, second, [*images, stranger]) is None
    berries = [image for image in images if image.label != "berry" or image in parts.training]
    assert {image.label for image in berries} == {"berry", "leaf", "sky"}
    assert keep_sides(store, second, berries) is None


def test_a_group_on_two_sides_or_an_image_in_two_classes_is_not_kept_to_judge(store, taught, tiny_dataset):
    run = dataclasses.replace(store.run(taught), facts=RunFacts(retrained_from=taught))
    images = store.images(tiny_dataset)
    parts = read_split(store, store.run(taught))
    learnt, judge = parts.training[0], parts.validation[0]
    alike = [
        dataclasses.replace(image, lookalike="one scene") if image.id in (learnt.id, judge.id) else image
        for image in images
    ]
    assert keep_sides(store, run, alike) is None
    other = next(label for label in parts.labels if label != judge.label)
    pair = [each for each in parts.validation if each.label == judge.label][:1]
    twin = next(each for each in parts.validation if each.label == other)
    disputed = [
        dataclasses.replace(image, content=pair[0].content) if image.id == twin.id else image for image in images
    ]
    kept = keep_sides(store, run, disputed)
    assert kept is None or not {pair[0].id, twin.id} & {image.id for image in kept.validation}


@pytest.mark.parametrize(
    ("images", "asked", "expected"),
    [(7_679, 32, (32, 0.0003)), (7_680, 32, (256, 0.00045)), (7_680, 512, (512, 0.0003))],
)
def test_many_images_are_learnt_in_larger_batches(images, asked, expected):
    settings = HeadSettings("efficientnet-lite0", batch_size=asked, learning_rate=0.001)
    assert choose_batch(settings, images) == pytest.approx(expected)


def test_a_new_class_begins_at_zero_and_the_others_keep_their_weights():
    kernel, bias = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([7, 8], np.float32)
    fitted_kernel, fitted_bias = fit_weights([kernel, bias], ["leaf", "sky"], ["berry", "leaf", "sky"])
    assert fitted_kernel.tolist() == [[0, 0, 1], [0, 2, 3], [0, 4, 5]]
    assert fitted_bias.tolist() == [0, 7, 8]
    (alone, _) = fit_weights([kernel, bias], ["leaf", "sky"], ["sky"])
    assert alone.tolist() == [[1], [3], [5]]
    assert fit_weights([kernel[:, :1], bias[:1]], ["leaf", "sky"], ["leaf", "sea"]) is None


@pytest.mark.parametrize(
    "changes", [{"method": "svm"}, {"augmentation": "light", "exact": True}, {"views": 2, "augmentation": "light"}]
)
def test_what_cannot_be_learnt_from_the_cache_is_trained_as_any_run_is(store, taught, changes):
    parts = read_split(store, store.run(taught))
    run = store.run(taught)
    settings = dataclasses.replace(HEAD, **changes)
    asked = dataclasses.replace(run, id="run-asked", head=settings, facts=RunFacts(sides_of=taught))
    assert prepare(store, asked, parts) is None
    assert prepare(store, dataclasses.replace(asked, head=HEAD), parts) is not None
