"""The two phases of a run, each one linear function that reads from top to bottom."""

import dataclasses
import time
from typing import Any, TypeVar

import numpy as np

from thaw.jobs.reporter import Reporter, Stopped
from thaw.runs.results import predictions_file
from thaw.training.lineage import record_materials, record_times
from thaw.training.materials import Materials, gather
from thaw.training.run_facts import add_phase_facts, record_outcome
from tlcore.errors import RunError
from tlcore.evaluation.predictions import VALIDATION
from tlcore.features.inputs import Feed, prepare_feed
from tlcore.models import classifier as models
from tlcore.models.architectures import build_backbone
from tlcore.models.backend import keras
from tlcore.models.devices import gains_from_half_precision
from tlcore.models.memory import OUT_OF_MEMORY
from tlcore.models.precision import FULL, HALF, use_half_precision
from tlcore.models.weights import fetch
from tlcore.splits.class_weights import number_weights
from tlcore.splits.groups import group_images
from tlcore.splits.svm import fit_svm
from tlcore.training.drift import measure_drift
from tlcore.training.early_stopping import EpochKeeper
from tlcore.training.guards import smashed
from tlcore.training.history import Epoch
from tlcore.training.recommendations import better_phase, kept_epoch
from tlcore.training.recovery import Incidents
from tlcore.training.sanity_checks import examine_head
from tlcore.training.snapshots import (
    load_arrays,
    name_variables,
    read_start,
    read_variables,
    save_arrays,
    trainable,
    write_start,
    write_variables,
)

Setting = TypeVar("Setting")

# A step of the head takes less time than Python takes between two: 16 at once train the same weights in three quarters
# of the time, 64 are no faster.
HEAD_STEPS = 16


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
    incidents = Incidents(reporter, run_id, "head")
    batch_size = incidents.batch_size(settings.batch_size)
    feed = prepare_feed(reporter, materials, cut, batch_size, first_epoch=1)
    features = {"folder": feed.cache, "channels": cut.shapes[0][0]}
    reporter.store.add_facts(run_id, {"seconds_per_image": feed.seconds_per_image, "feature_cache": features})

    # 3. Training.
    folder = reporter.store.workspace.run(run_id)
    model = models.upper_model(materials.row, materials.backbone, cut, head)
    compile_model(model, settings.output, settings.learning_rate, 1 if settings.draws_anew else HEAD_STEPS)
    named = name_variables(materials.backbone, head)
    epochs = 1 if settings.method == "svm" else settings.epochs
    keeper = EpochKeeper(reporter, run_id, 1, 1, epochs, settings.patience, folder / "snapshot-1.npz", trainable(named))
    if settings.method == "svm":
        seconds, stopped = fit_at_once(model, head, keeper, feed, materials), False
    else:
        seconds, stopped = fit(model, keeper, feed, materials, incidents, settings.learning_rate)

    # 4. The result: the best head, and what it says of the validation photos.
    keeper.restore_best()
    save_arrays(folder / "head.npz", read_variables(trainable(named)))
    save_predictions(reporter, materials, model, feed, phase=1)
    record_outcome(reporter, run_id, phase=1)
    checks = examine_head(reporter.store.workspace, materials, settings.batch_size)
    add_phase_facts(reporter, run_id, "head", {"checks": checks})
    record_times(reporter, run_id, "head", feed, keeper, seconds, started)
    reporter.store.set_result(run_id, 1)
    if stopped:
        raise Stopped
    (folder / "snapshot-1.npz").unlink(missing_ok=True)


def fine_tune(reporter: Reporter, run_id: str) -> None:
    """Phase 2: train the top layers of the backbone and the head together, at a rate far below the head's.

    Follows the same guide: recompiled after unfreezing, Adam at 1e-5, BatchNormalization frozen and in inference mode.
    Training starts from the cached cut. A first epoch that loses too much of phase 1's accuracy is given up and tried
    once more at a tenth of the rate. If the result is not better on validation than phase 1's, phase 1's stays.
    """
    started = time.perf_counter()

    # 1. The photos, the backbone and the head that phase 1 left.
    materials = gather(reporter, run_id)
    folder = reporter.store.workspace.run(run_id)
    settings = _required(materials.run.fine_tune)
    keras.utils.set_random_seed(materials.settings.seed)
    head = models.build_head(models.row_channels(materials.backbone), len(materials.split.labels), materials.settings)
    named = name_variables(materials.backbone, head)
    write_variables(named, load_arrays(folder / "head.npz"))

    # 2. Unfreeze the top, and compute once what the frozen part makes of each photo.
    models.freeze_below_top(materials.backbone, _required(settings.layers))
    cut = models.find_cut(materials.row, materials.backbone, materials.image_size)
    earlier = reporter.store.epochs(run_id)
    first_epoch = max(epoch.epoch for epoch in earlier if epoch.phase == 1) + 1
    incidents = Incidents(reporter, run_id, "fine_tune")
    feed = prepare_feed(reporter, materials, cut, incidents.batch_size(settings.batch_size), first_epoch)

    # 3. Training, with epochs numbered on from phase 1.
    model = models.upper_model(materials.row, materials.backbone, cut, head)
    precision = HALF if gains_from_half_precision() else FULL
    if precision == HALF:
        use_half_precision(model, materials.backbone, cut.boundary)
    add_phase_facts(reporter, run_id, "fine_tune", {"precision": precision})
    learning_rate = incidents.learning_rate(_required(settings.learning_rate))
    compile_model(model, materials.settings.output, learning_rate)
    # Half precision keeps more in its snapshot, so that a resume on another device starts phase 2 anew.
    snapshot = folder / ("snapshot-2-half.npz" if precision == HALF else "snapshot-2.npz")
    before = kept_epoch(materials.run, earlier, 1)

    def smashes(accuracy: float | None) -> bool:
        images = len(materials.split.validation)
        if before is None or incidents.retries:
            return False
        return smashed(before.val_accuracy, accuracy, images, settings.largest_drop)

    keeper = EpochKeeper(
        reporter,
        run_id,
        2,
        first_epoch,
        first_epoch + settings.epochs - 1,
        settings.patience,
        snapshot,
        trainable(named),
        smashes,
    )
    seconds, stopped = fit(model, keeper, feed, materials, incidents, learning_rate, before)

    # 4. The result: the better of the two phases' models.
    keeper.restore_best()
    save_arrays(folder / "tuned.npz", read_variables(trainable(named)))
    save_predictions(reporter, materials, model, feed, phase=2)
    record_outcome(reporter, run_id, phase=2)
    record_times(reporter, run_id, "fine_tune", feed, keeper, seconds, started)
    reporter.store.add_facts(run_id, {"cut": dataclasses.asdict(cut)})
    run, epochs = reporter.store.run(run_id), reporter.store.epochs(run_id)
    head_kept, tuned_kept = kept_epoch(run, epochs, 1), kept_epoch(run, epochs, 2)
    if head_kept and tuned_kept:
        reporter.store.set_result(run_id, better_phase(head_kept, tuned_kept))
    record_drift(reporter, materials)
    if stopped:
        raise Stopped
    for left in folder.glob("snapshot-2*.npz"):
        left.unlink()


def compile_model(model: keras.Model, output: str, learning_rate: float, steps_at_once: int = 1) -> None:
    """Compile with Adam and cross-entropy. No XLA: on a CPU it made these networks twenty times slower.

    Python is left alone for `steps_at_once` steps, during which nobody is asked whether to stop.
    """
    model.compile(
        keras.optimizers.Adam(learning_rate),
        loss="binary_crossentropy" if output == "sigmoid" else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
        steps_per_execution=steps_at_once,
    )


def fit(
    model: keras.Model,
    keeper: EpochKeeper,
    feed: Feed,
    materials: Materials,
    incidents: Incidents,
    learning_rate: float,
    before: Epoch | None = None,
) -> tuple[float, bool]:
    """Train until the keeper says it is over; return the seconds spent and whether the person stopped it.

    Where memory runs out, training goes on from the last finished epoch with batches half as large; where the keeper
    condemns the first epoch of phase 2, which `before` is the measure of, it starts again at a tenth of the rate. A
    stop before the first finished epoch leaves nothing to keep, so Stopped is raised on.
    """
    start = read_start(model)
    keeper.restore(model)
    started, stopped = time.perf_counter(), False
    while not keeper.over:
        feed.training.start_at(keeper.standing.epoch + 1)
        try:
            fit_batches(model, keeper, feed, materials)
        except Stopped:
            if not keeper.best:
                raise
            stopped = True
            break
        except OUT_OF_MEMORY:
            smaller = incidents.shrink_batch(feed.training.batch_size, keeper.standing.epoch + 1)
            for batches in (feed.training, feed.validation, *feed.extra.values()):
                batches.resize(smaller)
        else:
            if not keeper.smashed:
                break
            learning_rate = incidents.lower_rate(learning_rate, _required(before).val_accuracy, keeper.smashed_accuracy)
        # Compiled anew, so that nothing of the given-up steps is left in the optimizer.
        write_start(model, start)
        compile_model(model, materials.settings.output, learning_rate, model.steps_per_execution)
        keeper.restore(model)
    return time.perf_counter() - started, stopped


def fit_batches(model: keras.Model, keeper: EpochKeeper, feed: Feed, materials: Materials) -> None:
    """Train from the keeper's last finished epoch until it ends the training."""
    model.fit(
        feed.training,
        validation_data=feed.validation,
        initial_epoch=keeper.standing.epoch,
        epochs=keeper.last_epoch,
        callbacks=[keeper],
        class_weight=number_weights(materials.settings, materials.split),
        shuffle=False,
        verbose=0,
    )


def fit_at_once(model: keras.Model, head: keras.Model, keeper: EpochKeeper, feed: Feed, materials: Materials) -> float:
    """Fit the head as a linear support vector machine, a step that counts as the only epoch; return the seconds."""
    keeper.restore(model)
    started = time.perf_counter()
    if not keeper.over:
        keeper.set_model(model)
        keeper.on_epoch_begin(0)
        features, classes = feed.training.plain()
        groups = np.array(group_images(materials.split.training, materials.rules))
        weights = number_weights(materials.settings, materials.split)
        fitted = fit_svm(features[0], classes, groups, weights, materials.settings.seed, keeper.check_stop)
        head.set_weights([fitted.kernel, fitted.bias])
        training, validation = (
            model.evaluate(batches, verbose=0, return_dict=True) for batches in (feed.training, feed.validation)
        )
        keeper.on_epoch_end(0, training | {f"val_{name}": value for name, value in validation.items()})
    return time.perf_counter() - started


def probabilities(model: keras.Model, inputs: Any, output: str) -> np.ndarray:
    """Run `model` and return float32 (n, classes) whatever its output (see `tlcore.models.classifier.share_out`)."""
    return models.share_out(np.asarray(model.predict(inputs, verbose=0), dtype=np.float32), output)


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


def record_drift(reporter: Reporter, materials: Materials) -> None:
    """Write down how far phase 2 moved the BatchNormalization statistics from those of the weights' file."""
    reporter.progress("comparing BatchNorm with the pretrained statistics", 0, 0)
    weights = fetch(materials.row, lambda done, total: None)
    drift = measure_drift(materials.backbone, build_backbone(materials.row, materials.image_size, weights))
    add_phase_facts(reporter, materials.run.id, "fine_tune", {"drift": drift})


def _required(value: Setting | None) -> Setting:
    if value is None:
        raise RunError("Expected a run with settings for phase 2. Received: a run without. Start phase 2 anew.")
    return value
