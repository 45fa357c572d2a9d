"""The two phases of transfer learning, each one linear function that reads from top to bottom."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.errors import RunError, SettingsError
from tlcore.features.batches import CachedBatches
from tlcore.features.inputs import Feed, Materials, prepare_feed
from tlcore.models import classifier as models
from tlcore.models.backend import (
    FULL,
    HALF,
    gains_from_half_precision,
    keras,
    trains_by_graphs,
    use_half_precision,
)
from tlcore.models.plan import pooled_cut
from tlcore.models.rematerialisation import find_rematerialised
from tlcore.progress import CheckStop, Progress
from tlcore.settings import FineTuneSettings
from tlcore.splits.class_weights import number_weights
from tlcore.splits.groups import group_images
from tlcore.splits.svm import fit_svm
from tlcore.training.attempts import train_through
from tlcore.training.early_stopping import EpochKeeper
from tlcore.training.head_epochs import HeadEpochs, answer
from tlcore.training.history import Epoch
from tlcore.training.recovery import Incidents, smashed
from tlcore.training.rehearsal import rehearsing
from tlcore.training.results import FineTuneResult, HeadResult, Observer
from tlcore.training.sanity_checks import examine_head, measure_drift, read_statistics
from tlcore.training.snapshots import name_variables, trainable, write_variables

HEAD_SNAPSHOT = "snapshot-1.npz"
MakeOptimizer = Callable[[float], keras.optimizers.Optimizer]
# Half precision keeps more in its snapshot, so that a resume on another device starts phase 2 anew.
FINE_TUNE_SNAPSHOTS = {FULL: "snapshot-2.npz", HALF: "snapshot-2-half.npz"}


def train_head(
    materials: Materials,
    folder: Path,
    observer: Observer | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    incidents: Incidents | None = None,
    history: Sequence[Epoch] = (),
) -> HeadResult:
    """Phase 1: train the head on features that the frozen backbone computes once.

    Follows Keras's guide "Transfer learning & fine-tuning": backbone frozen and in inference mode, Adam at 1e-3,
    early stopping on validation loss. `folder` holds a snapshot of the last finished epoch, from which a later call
    with the same materials goes on to the same end, given the `incidents` and the `history` so far; remove it with
    `forget_snapshots` once the result is safe. A stop after the first epoch returns the best head so far; one before
    raises Stopped on.
    """
    observer, incidents = observer or Observer(), incidents or Incidents()
    settings = materials.settings

    # 1. The head, and the features it learns from.
    keras.utils.set_random_seed(settings.seed)
    cut = pooled_cut(materials.row)
    head = build_head(materials)
    batch_size = incidents.batch_size(settings.batch_size)
    feed = prepare_feed(materials, cut, batch_size, 1, observer.progress, observer.check_stop)
    observer.measure_features(feed, cut)

    # 2. Training.
    model = models.head_model(cut, head)
    compile_model(model, settings.output, settings.learning_rate)
    trained = trainable(name_variables(None, head))
    epochs = 1 if settings.method == "svm" else settings.epochs
    keeper = EpochKeeper(observer, 1, 1, epochs, settings.patience, folder / HEAD_SNAPSHOT, trained, history)
    if settings.method == "svm":
        seconds, stopped = fit_at_once(model, head, keeper, feed, materials, observer), False
    else:
        seconds, stopped = fit(model, keeper, feed, materials, incidents, settings.learning_rate, callbacks)

    # 3. The result: the best head, and what it says of the photos that judge it.
    keeper.restore_best()
    _verify(feed, materials, folder, 1)
    beside_head = len(model.trainable_variables) - len(head.trainable_variables)
    return HeadResult(
        **_result(materials, head, model, keeper, feed, cut),
        training_s=seconds,
        stopped=stopped,
        checks=examine_head(materials, settings.batch_size, beside_head),
    )


def fine_tune(
    materials: Materials,
    settings: FineTuneSettings,
    head_weights: Mapping[str, np.ndarray],
    history: Sequence[Epoch],
    before: Epoch | None,
    folder: Path,
    observer: Observer | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    incidents: Incidents | None = None,
) -> FineTuneResult:
    """Phase 2: train the top layers of the backbone and the head together, at a rate far below the head's.

    Follows the same guide: recompiled after unfreezing, Adam at 1e-5, BatchNormalization frozen and in inference mode.
    The backbone is freshly loaded, `head_weights` are what phase 1 left, `history` its epochs (and those of a phase 2
    that was broken off) and `before` the one whose weights were kept. Training starts from the cached cut. A first
    epoch that loses too much of phase 1's accuracy is given up and tried once more at a tenth of the rate. Resumes and
    stops as `train_head` does; whether the result is better than phase 1's is for `better_phase` to say.
    """
    observer, incidents = observer or Observer(), incidents or Incidents()
    layers, asked_rate = settings.layers, settings.learning_rate
    if layers is None or asked_rate is None:
        raise SettingsError(
            "Expected a number of layers and a learning rate for phase 2. Received: "
            f"layers={layers}, learning_rate={asked_rate}. Take what `tlcore.training.recommendations` advises."
        )

    # 1. The head that phase 1 left.
    keras.utils.set_random_seed(materials.settings.seed)
    head = build_head(materials)
    named = name_variables(materials.backbone, head)
    write_variables(named, head_weights)

    # 2. Unfreeze the top; below it what the frozen part makes of a photo is computed once.
    pretrained = read_statistics(materials.backbone)
    cut = _freeze(materials, layers)

    # 3. The model, which TensorFlow gets ready while the frozen part works.
    precision = HALF if gains_from_half_precision() else FULL
    model = models.upper_model(materials.row, materials.backbone, cut, head, folded=precision == FULL)
    if precision == HALF:
        use_half_precision(model, materials.backbone, cut.boundary)
    part = find_rematerialised(model)
    if part and incidents.rematerialised:
        part.rematerialise()
    learning_rate = incidents.learning_rate(asked_rate)
    compile_model(model, materials.settings.output, learning_rate)
    first_epoch = max(epoch.epoch for epoch in history if epoch.phase == 1) + 1
    batch_size = incidents.batch_size(settings.batch_size)
    with rehearsing(model, materials, cut):
        feed = prepare_feed(materials, cut, batch_size, first_epoch, observer.progress, observer.check_stop)
    observer.measure_features(feed, cut)

    # 4. Training, with epochs numbered on from phase 1.
    def smashes(accuracy: float | None) -> bool:
        if before is None or incidents.retries:
            return False
        return smashed(before.val_accuracy, accuracy, len(materials.split.validation), settings.largest_drop)

    keeper = EpochKeeper(
        observer,
        2,
        first_epoch,
        first_epoch + settings.epochs - 1,
        settings.patience,
        folder / FINE_TUNE_SNAPSHOTS[precision],
        trainable(named),
        history,
        smashes,
    )
    seconds, stopped = fit(model, keeper, feed, materials, incidents, learning_rate, callbacks, before)

    # 5. The result: the best epoch's weights, and that BatchNormalization is as it was.
    keeper.restore_best()
    _verify(feed, materials, folder, 2)
    result = _result(materials, head, model, keeper, feed, cut)
    return FineTuneResult(
        **result,
        training_s=seconds,
        stopped=stopped,
        precision=precision,
        drift=measure_drift(materials.backbone, pretrained),
    )


def compute_below_cut(materials: Materials, layers: int, progress: Progress, check_stop: CheckStop) -> None:
    """Compute and cache what `fine_tune` of the top `layers` will learn from, so that it finds it there."""
    prepare_feed(materials, _freeze(materials, layers), materials.settings.batch_size, 1, progress, check_stop)


def _freeze(materials: Materials, layers: int) -> models.Cut:
    models.freeze_below_top(materials.backbone, layers)
    return models.find_cut(materials.row, materials.backbone, materials.image_size)


def forget_snapshots(folder: Path, phase: int) -> None:
    """Remove what only a resumed phase would need."""
    for left in folder.glob(f"snapshot-{phase}*.npz"):
        left.unlink()


def build_head(materials: Materials) -> keras.Model:
    """Build the head that the settings ask for, with fresh weights."""
    return models.build_head(materials.row.features, len(materials.split.labels), materials.settings)


def compile_model(
    model: keras.Model, output: str, learning_rate: float, make: MakeOptimizer = keras.optimizers.Adam
) -> None:
    """Compile with Adam, or what else `make` makes of the rate, and cross-entropy. No XLA: on a CPU it made these
    networks twenty times slower."""
    model.compile(
        make(learning_rate),
        loss="binary_crossentropy" if output == "sigmoid" else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    if trains_by_graphs():
        _make_variables(model, output)


def _make_variables(model: keras.Model, output: str) -> None:
    """Make what the first step would make: TensorFlow traces a step that makes variables a second time."""
    model.optimizer.build(model.trainable_variables)
    targets = np.zeros((1, 1), np.float32) if output == "sigmoid" else np.zeros(1, np.int32)
    model.compute_metrics(None, targets, np.ones((1, model.output.shape[-1]), np.float32))
    model.reset_metrics()


def fit(
    model: keras.Model,
    keeper: EpochKeeper,
    feed: Feed,
    materials: Materials,
    incidents: Incidents,
    learning_rate: float,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    before: Epoch | None = None,
    make: MakeOptimizer = keras.optimizers.Adam,
) -> tuple[float, bool]:
    """Train as `train_through` does, by cross-entropy and an optimizer that `make` makes."""
    return train_through(
        model,
        keeper,
        (feed.training, feed.validation, *feed.extra.values()),
        incidents,
        learning_rate,
        lambda rate: compile_model(model, materials.settings.output, rate, make),
        lambda: fit_batches(model, keeper, feed, materials, callbacks),
        before,
    )


def fit_batches(
    model: keras.Model,
    keeper: EpochKeeper,
    feed: Feed,
    materials: Materials,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Train from the keeper's last finished epoch until it ends the training."""
    heard = [keeper, *callbacks]
    class_weight = number_weights(materials.settings, materials.split)
    if keeper.phase == 1 and isinstance(feed.training, CachedBatches) and trains_by_graphs():
        first = keeper.standing.epoch + 1
        HeadEpochs(model, class_weight).run(feed.training, feed.validation, first, keeper.last_epoch, heard)
        return
    model.fit(
        feed.training,
        validation_data=feed.validation,
        initial_epoch=keeper.standing.epoch,
        epochs=keeper.last_epoch,
        callbacks=heard,
        class_weight=class_weight,
        shuffle=False,
        verbose=0,
    )


def fit_at_once(
    model: keras.Model,
    head: keras.Model,
    keeper: EpochKeeper,
    feed: Feed,
    materials: Materials,
    observer: Observer,
) -> float:
    """Fit the head as a linear support vector machine, a step that counts as the only epoch; return the seconds."""
    keeper.restore(model)
    started = time.perf_counter()
    if not keeper.over:
        keeper.set_model(model)
        keeper.on_epoch_begin(0)
        features, classes = feed.training.plain()
        groups = np.array(group_images(materials.split.training, materials.rules))
        weights = number_weights(materials.settings, materials.split)
        fitted = fit_svm(features[0], classes, groups, weights, materials.settings.seed, observer.check_stop)
        head.set_weights([fitted.kernel, fitted.bias])
        training, validation = (
            model.evaluate(batches, verbose=0, return_dict=True) for batches in (feed.training, feed.validation)
        )
        keeper.on_epoch_end(0, training | {f"val_{name}": value for name, value in validation.items()})
    return time.perf_counter() - started


def _verify(feed: Feed, materials: Materials, folder: Path, phase: int) -> None:
    """Make sure of what a phase has learnt from, where that was put off; keep nothing of it where it is refused."""
    try:
        feed.frozen.verify(materials.split.training)
    except RunError:
        forget_snapshots(folder, phase)
        raise


def _result(
    materials: Materials, head: keras.Model, model: keras.Model, keeper: EpochKeeper, feed: Feed, cut: models.Cut
) -> dict[str, Any]:
    judged: dict[str, CachedBatches] = {"validation": feed.validation, **feed.extra}
    alone = keeper.phase == 1 and trains_by_graphs()
    said = {name: answer(model, each) if alone else model.predict(each, verbose=0) for name, each in judged.items()}
    return {
        "head": head,
        "weights": keeper.best,
        "epochs": keeper.epochs,
        "kept": next(epoch for epoch in keeper.epochs if epoch.epoch == keeper.standing.best_epoch),
        "probabilities": {name: models.share_out(each, materials.settings.output) for name, each in said.items()},
        "cut": cut,
        "feed": feed,
        "epochs_trained": keeper.epochs_trained,
    }
