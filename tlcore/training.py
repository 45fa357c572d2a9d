"""The two phases of a run, each one linear function that reads from top to bottom."""

import dataclasses
import time
from typing import Any, TypeVar

import keras
import numpy as np

from tlcore import model as models
from tlcore.advice import better_phase, kept_epoch
from tlcore.balance import weigh_classes
from tlcore.epochs import EpochKeeper
from tlcore.errors import RunError
from tlcore.evaluation import VALIDATION, predictions_file
from tlcore.feeds import Feed, prepare_feed
from tlcore.groups import group_images
from tlcore.lineage import record_materials, record_times
from tlcore.materials import Materials, gather
from tlcore.reporter import Reporter, Stopped
from tlcore.settings import FineTuneSettings
from tlcore.snapshots import load_arrays, name_variables, read_variables, save_arrays, trainable, write_variables
from tlcore.svm import fit_svm

Setting = TypeVar("Setting")


def train_head(reporter: Reporter, run_id: str) -> None:
    """Phase 1: train the head of a run on features that the frozen backbone computes once.

    Follows Keras's guide "Transfer learning & fine-tuning": backbone frozen and in inference mode, Adam at 1e-3,
    early stopping on validation loss. A stop after the first epoch keeps the best head so far as the result; Stopped
    is raised on, and a later call resumes from the last finished epoch.
    """
    started = time.perf_counter()

    # 1. The photos, which of them the head learns from, and the backbone.
    materials = gather(reporter, run_id)
    settings = materials.settings
    record_materials(reporter, materials)

    # 2. The head, and the features it learns from.
    keras.utils.set_random_seed(settings.seed)
    materials.backbone.trainable = False
    cut = models.find_cut(materials.row, materials.backbone, materials.image_size)
    head = models.build_head(models.row_channels(materials.backbone), len(materials.split.labels), settings)
    feed = prepare_feed(reporter, materials, cut, settings.batch_size, first_epoch=1)
    reporter.store.add_facts(run_id, {"seconds_per_image": feed.seconds_per_image})

    # 3. Training.
    folder = reporter.store.workspace.run(run_id)
    model = models.upper_model(materials.row, materials.backbone, cut, head)
    compile_model(model, settings.output, settings.learning_rate)
    named = name_variables(materials.backbone, head)
    epochs = 1 if settings.method == "svm" else settings.epochs
    keeper = EpochKeeper(reporter, run_id, 1, 1, epochs, settings.patience, folder / "snapshot-1.npz", trainable(named))
    if settings.method == "svm":
        seconds, stopped = fit_at_once(model, head, keeper, feed, materials), False
    else:
        seconds, stopped = fit(model, keeper, feed, materials)

    # 4. The result: the best head, and what it says of the validation photos.
    keeper.restore_best()
    save_arrays(folder / "head.npz", read_variables(trainable(named)))
    save_predictions(reporter, materials, model, feed, phase=1)
    record_times(reporter, run_id, "head", feed, keeper, seconds, started)
    reporter.store.set_result(run_id, 1)
    if stopped:
        raise Stopped
    (folder / "snapshot-1.npz").unlink(missing_ok=True)


def fine_tune(reporter: Reporter, run_id: str) -> None:
    """Phase 2: train the top layers of the backbone and the head together, at a rate far below the head's.

    Follows the same guide: recompiled after unfreezing, Adam at 1e-5, BatchNormalization frozen and in inference mode.
    Training starts from the cached cut. If the result is not better on validation than phase 1's, phase 1's stays.
    """
    started = time.perf_counter()

    # 1. The photos, the backbone and the head that phase 1 left.
    materials = gather(reporter, run_id)
    folder = reporter.store.workspace.run(run_id)
    settings = FineTuneSettings.from_json(_required(materials.run.fine_tune))
    keras.utils.set_random_seed(materials.settings.seed)
    head = models.build_head(models.row_channels(materials.backbone), len(materials.split.labels), materials.settings)
    named = name_variables(materials.backbone, head)
    write_variables(named, load_arrays(folder / "head.npz"))

    # 2. Unfreeze the top, and compute once what the frozen part makes of each photo.
    models.freeze_below_top(materials.backbone, _required(settings.layers))
    cut = models.find_cut(materials.row, materials.backbone, materials.image_size)
    earlier = reporter.store.epochs(run_id)
    first_epoch = max(epoch.epoch for epoch in earlier if epoch.phase == 1) + 1
    feed = prepare_feed(reporter, materials, cut, settings.batch_size, first_epoch)

    # 3. Training, with epochs numbered on from phase 1.
    model = models.upper_model(materials.row, materials.backbone, cut, head)
    compile_model(model, materials.settings.output, _required(settings.learning_rate))
    keeper = EpochKeeper(
        reporter,
        run_id,
        2,
        first_epoch,
        first_epoch + settings.epochs - 1,
        settings.patience,
        folder / "snapshot-2.npz",
        trainable(named),
    )
    seconds, stopped = fit(model, keeper, feed, materials)

    # 4. The result: the better of the two phases' models.
    keeper.restore_best()
    save_arrays(folder / "tuned.npz", read_variables(trainable(named)))
    save_predictions(reporter, materials, model, feed, phase=2)
    record_times(reporter, run_id, "fine_tune", feed, keeper, seconds, started)
    reporter.store.add_facts(run_id, {"cut": dataclasses.asdict(cut)})
    run, epochs = reporter.store.run(run_id), reporter.store.epochs(run_id)
    head_kept, tuned_kept = kept_epoch(run, epochs, 1), kept_epoch(run, epochs, 2)
    if head_kept and tuned_kept:
        reporter.store.set_result(run_id, better_phase(head_kept, tuned_kept))
    if stopped:
        raise Stopped
    (folder / "snapshot-2.npz").unlink(missing_ok=True)


def compile_model(model: keras.Model, output: str, learning_rate: float) -> None:
    """Compile with Adam and cross-entropy. No XLA: on a CPU it made these networks twenty times slower."""
    loss = "binary_crossentropy" if output == "sigmoid" else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(learning_rate), loss=loss, metrics=["accuracy"], jit_compile=False)


def fit(model: keras.Model, keeper: EpochKeeper, feed: Feed, materials: Materials) -> tuple[float, bool]:
    """Train until the keeper says it is over; return the seconds spent and whether the person stopped it.

    A stop before the first finished epoch leaves nothing to keep, so Stopped is raised on.
    """
    keeper.restore(model)
    started, stopped = time.perf_counter(), False
    feed.training.start_at(keeper.standing.epoch + 1)
    if not keeper.over:
        try:
            model.fit(
                feed.training,
                validation_data=feed.validation,
                initial_epoch=keeper.standing.epoch,
                epochs=keeper.last_epoch,
                callbacks=[keeper],
                class_weight=_number_weights(materials),
                shuffle=False,
                verbose=0,
            )
        except Stopped:
            if not keeper.best:
                raise
            stopped = True
    return time.perf_counter() - started, stopped


def fit_at_once(model: keras.Model, head: keras.Model, keeper: EpochKeeper, feed: Feed, materials: Materials) -> float:
    """Fit the head as a linear support vector machine, a step that counts as the only epoch; return the seconds."""
    keeper.restore(model)
    started = time.perf_counter()
    if not keeper.over:
        keeper.set_model(model)
        keeper.on_epoch_begin(0)
        features, classes = feed.training.plain()
        groups = np.array(group_images(materials.split.training, materials.rules))
        weights = _number_weights(materials)
        fitted = fit_svm(features[0], classes, groups, weights, materials.settings.seed, keeper.check_stop)
        head.set_weights([fitted.kernel, fitted.bias])
        training, validation = (
            model.evaluate(batches, verbose=0, return_dict=True) for batches in (feed.training, feed.validation)
        )
        keeper.on_epoch_end(0, training | {f"val_{name}": value for name, value in validation.items()})
    return time.perf_counter() - started


def probabilities(model: keras.Model, inputs: Any, output: str) -> np.ndarray:
    """Run `model` and return float32 (n, classes) whatever its output; a sigmoid's p becomes (1 - p, p)."""
    predicted = np.asarray(model.predict(inputs, verbose=0), dtype=np.float32)
    return np.hstack([1 - predicted, predicted]) if output == "sigmoid" else predicted


def save_predictions(reporter: Reporter, materials: Materials, model: keras.Model, feed: Feed, phase: int) -> None:
    """Keep what the model says of each photo that judges it, for pages to read without TensorFlow."""
    parts = materials.split
    folder = reporter.store.workspace.run(materials.run.id)
    judged = {VALIDATION: (parts.validation, feed.validation)}
    judged |= {name: (parts.extra[name], batches) for name, batches in feed.extra.items()}
    for name, (images, batches) in judged.items():
        predicted = probabilities(model, batches, materials.settings.output)
        ids = np.array([image.id for image in images])
        save_arrays(folder / predictions_file(phase, name), {"image_ids": ids, "probabilities": predicted})


def _number_weights(materials: Materials) -> dict[int, float] | None:
    weights = weigh_classes(materials.settings, materials.split)
    if weights is None:
        return None
    return {number: weights[label] for number, label in enumerate(materials.split.labels)}


def _required(value: Setting | None) -> Setting:
    if value is None:
        raise RunError("Expected a run with settings for phase 2. Received: a run without. Start phase 2 anew.")
    return value
