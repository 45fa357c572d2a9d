"""The two phases of a detector, each one linear function: neck and head alone, then the top of the backbone too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.detection.finding import read_found
from tlcore.detection.found import Found, average_precision
from tlcore.detection.inputs import BoxBatches, DetectorMaterials, prepare_box_feed
from tlcore.detection.losses import DetectionLoss
from tlcore.detection.network import Decoded, build_head
from tlcore.detection.taps import STORED, tapped_cut
from tlcore.errors import RunError, SettingsError
from tlcore.features.inputs import Feed
from tlcore.files import Arrays
from tlcore.models.backend import keras
from tlcore.models.classifier import find_cut, freeze_below_top, join_upper
from tlcore.models.plan import PIXELS, POOLED, Cut
from tlcore.models.rematerialisation import find_rematerialised
from tlcore.photos import Photo
from tlcore.settings import FineTuneSettings
from tlcore.training.attempts import train_through
from tlcore.training.early_stopping import EpochKeeper
from tlcore.training.from_scratch import RateSchedule
from tlcore.training.history import Epoch, LayerDrift
from tlcore.training.phases import forget_snapshots
from tlcore.training.recovery import Incidents, smashed
from tlcore.training.results import Observer
from tlcore.training.sanity_checks import measure_drift, read_statistics
from tlcore.training.snapshots import name_variables, write_variables

SNAPSHOTS = {1: "snapshot-1.npz", 2: "snapshot-2.npz"}
# Of the training photos so many are looked at after each epoch, to be compared with validation.
WATCHED = 40
# What a loss weighs beside AP50: less than any two values of that differ.
TIE = 1e-6


@dataclass(frozen=True)
class DetectorResult:
    """What a phase leaves.

    `head` has the weights of `kept`, the epoch of the largest AP50 on validation, as the tapped backbone of the
    materials has; `weights` are those that trained, by name. `epochs` are the phase's own; their accuracies are AP50 (0
    to 1): of validation, and of some training photos. `found` is what is seen on "validation" and each further
    evaluation set, in the split's order. `drift` says how far BatchNormalization of the backbone moved in phase 2: not
    at all.
    """

    head: keras.Model
    weights: Arrays
    epochs: list[Epoch]
    kept: Epoch
    found: dict[str, list[Found]]
    cut: Cut
    feed: Feed
    epochs_trained: int
    training_s: float
    stopped: bool
    drift: list[LayerDrift]


def train_detector(
    materials: DetectorMaterials,
    folder: Path,
    observer: Observer | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    incidents: Incidents | None = None,
    history: Sequence[Epoch] = (),
) -> DetectorResult:
    """Phase 1: train neck and head on features of several views of each photo, computed once by the frozen backbone.

    Early stopping where neither validation loss nor AP50 betters. `folder` holds a snapshot of the last finished epoch,
    from which a later call with the same materials goes on to the same end, given the `incidents` and the `history` so
    far. A stop after the first epoch returns the best so far; one before raises Stopped on. Raises BackboneError for a
    backbone without features of three sizes.
    """
    observer, incidents = observer or Observer(), incidents or Incidents()
    settings = materials.settings

    # 1. The head, and the features it learns from.
    keras.utils.set_random_seed(settings.seed)
    cut = tapped_cut(materials.tapped)
    head = build_head(materials.tapped.outputs, len(materials.split.labels))
    batch_size = incidents.batch_size(settings.batch_size)
    feed = prepare_box_feed(materials, cut, batch_size, 1, observer.progress, observer.check_stop)
    observer.measure_features(feed, cut)

    # 2. Training.
    compile_detector(head, materials.image_size, settings.learning_rate)
    schedule = RateSchedule(settings.learning_rate, settings.epochs, incidents)
    learnt = name_variables(None, head)
    snapshot = folder / SNAPSHOTS[1]
    keeper = EpochKeeper(observer, 1, 1, settings.epochs, settings.patience, snapshot, learnt, history, error=miss)
    heard = [schedule, *callbacks]
    seconds, stopped = _fit(head, keeper, feed, materials, incidents, settings.learning_rate, heard)

    # 3. The result.
    return _result(materials, head, head, keeper, feed, cut, folder, seconds, stopped, [])


def fine_tune_detector(
    materials: DetectorMaterials,
    settings: FineTuneSettings,
    head_weights: Mapping[str, np.ndarray],
    history: Sequence[Epoch],
    before: Epoch | None,
    folder: Path,
    observer: Observer | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    incidents: Incidents | None = None,
) -> DetectorResult:
    """Phase 2: train the top `layers` layers of the backbone below its deepest tap together with neck and head, at a
    rate far below phase 1's, which grows and falls as that does; BatchNormalization is frozen everywhere and in
    inference mode.

    The backbone is freshly loaded, `head_weights` are what phase 1 left, `history` its epochs and `before` the one that
    was kept. A first epoch that loses too much of phase 1's AP50 is given up and tried once more at a tenth of the
    rate. Resumes and stops as `train_detector` does.
    """
    observer, incidents = observer or Observer(), incidents or Incidents()
    layers, asked_rate = settings.layers, settings.learning_rate
    if layers is None or asked_rate is None:
        raise SettingsError(
            "Expected a number of layers and a learning rate for phase 2. Received: "
            f"layers={layers}, learning_rate={asked_rate}. A tenth of phase 1's rate or less is a good start."
        )

    # 1. The head that phase 1 left; its own BatchNormalization has settled.
    keras.utils.set_random_seed(materials.settings.seed)
    tapped = materials.tapped
    head = build_head(tapped.outputs, len(materials.split.labels))
    named = name_variables(tapped, head)
    write_variables(named, head_weights)
    freeze_statistics(head)

    # 2. Unfreeze the top; what the frozen part makes of a view is computed once.
    pretrained = read_statistics(tapped)
    freeze_below_top(tapped, layers)
    cut = find_detector_cut(materials)

    # 3. The model, and what it learns from.
    model = upper_detector(materials, cut, head)
    part = find_rematerialised(model)
    if part and incidents.rematerialised:
        part.rematerialise()
    learning_rate = incidents.learning_rate(asked_rate)
    compile_detector(model, materials.image_size, learning_rate)
    first_epoch = max(epoch.epoch for epoch in history if epoch.phase == 1) + 1
    batch_size = incidents.batch_size(settings.batch_size)
    feed = prepare_box_feed(materials, cut, batch_size, first_epoch, observer.progress, observer.check_stop)
    observer.measure_features(feed, cut)

    # 4. Training, with epochs numbered on from phase 1.
    def smashes(precision: float | None) -> bool:
        if before is None or incidents.retries:
            return False
        return smashed(before.val_accuracy, precision, len(materials.split.validation), settings.largest_drop)

    learnt = {name: each for name, each in named.items() if each.trainable or name.startswith("head/")}
    last_epoch = first_epoch + settings.epochs - 1
    snapshot = folder / SNAPSHOTS[2]
    keeper = EpochKeeper(
        observer, 2, first_epoch, last_epoch, settings.patience, snapshot, learnt, history, smashes, error=miss
    )
    heard = [RateSchedule(asked_rate, settings.epochs, incidents, first_epoch), *callbacks]
    seconds, stopped = _fit(model, keeper, feed, materials, incidents, learning_rate, heard, before)

    # 5. The result: the best epoch's weights, and that BatchNormalization is as it was.
    drift = measure_drift(tapped, pretrained)
    return _result(materials, head, model, keeper, feed, cut, folder, seconds, stopped, drift)


def miss(measured: Mapping[str, float]) -> float:
    """Return how far an epoch is from finding everything: what AP50 on validation lacks of 1. The loss, which grows
    again while more is found, as what is wrong is said more surely, decides between epochs that find as much."""
    return 1 - measured["val_accuracy"] + TIE * measured["val_loss"]


def compile_detector(model: keras.Model, image_size: int, learning_rate: float) -> None:
    """Compile with Adam and a detector's loss. No XLA: on a CPU it takes five times as long."""
    model.compile(keras.optimizers.Adam(learning_rate), loss=DetectionLoss(image_size), jit_compile=False)
    # TensorFlow traces a step that makes variables a second time, which takes seconds.
    model.optimizer.build(model.trainable_variables)
    model.compute_loss(y=np.zeros((1, 1, 5), np.float32), y_pred=np.zeros((1, *model.output.shape[1:]), np.float32))


def freeze_statistics(head: keras.Model) -> None:
    """Keep BatchNormalization of a head as it is: not trained, and in inference mode."""
    for layer in head.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def find_detector_cut(materials: DetectorMaterials) -> Cut:
    """Choose the cheapest cut at or below the first layer that trains, of what is stored in half the bytes."""
    cut = find_cut(materials.row, materials.tapped, materials.image_size)
    if cut.names == (POOLED,):
        return tapped_cut(materials.tapped)
    return cut if cut.names == (PIXELS,) else replace(cut, dtypes=(STORED,) * len(cut.names))


def upper_detector(materials: DetectorMaterials, cut: Cut, head: keras.Model) -> keras.Model:
    """Build the trained part: the tensors that cross the cut -> the head's output."""
    if cut == tapped_cut(materials.tapped):
        return head
    inputs, features = join_upper(materials.row, materials.tapped, cut)
    return keras.Model(inputs, head(features), name="upper")


class PrecisionWatch(keras.callbacks.Callback):
    """Measures AP50 after each epoch, on validation and on some of the training photos, as `val_accuracy` and
    `accuracy` of the epoch."""

    def __init__(self, materials: DetectorMaterials, feed: Feed) -> None:
        super().__init__()
        parts = materials.split
        self._materials = materials
        self._sides = {
            "accuracy": (feed.training, parts.training[:WATCHED]),
            "val_accuracy": (feed.validation, parts.validation),
        }

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for name, (batches, photos) in self._sides.items():
            found = find_in(self.model, self._materials, batches, photos)
            precision = average_precision(found, self._materials.drawn(photos), len(self._materials.split.labels))
            if logs is not None:
                logs[name] = precision or 0.0


def find_in(
    model: keras.Model, materials: DetectorMaterials, batches: BoxBatches, photos: Sequence[Photo]
) -> list[Found]:
    """Return what a model above a cut finds on the first `photos` of the batches, each as it is."""
    decoded, found = Decoded(materials.image_size), []
    for start, tensors in zip(range(0, len(photos), batches.batch_size), batches.first(len(photos)), strict=True):
        windows = [materials.window(photo, 0) for photo in photos[start : start + batches.batch_size]]
        edges, scores = decoded(model.predict_on_batch(tensors if len(tensors) > 1 else tensors[0]))
        found += read_found(keras.ops.convert_to_numpy(edges), keras.ops.convert_to_numpy(scores), windows)
    return found


def _fit(
    model: keras.Model,
    keeper: EpochKeeper,
    feed: Feed,
    materials: DetectorMaterials,
    incidents: Incidents,
    learning_rate: float,
    callbacks: Sequence[keras.callbacks.Callback],
    before: Epoch | None = None,
) -> tuple[float, bool]:
    watch = PrecisionWatch(materials, feed)

    def run() -> None:
        model.fit(
            feed.training,
            validation_data=feed.validation,
            initial_epoch=keeper.standing.epoch,
            epochs=keeper.last_epoch,
            # What is measured comes before what keeps it.
            callbacks=[watch, keeper, *callbacks],
            shuffle=False,
            verbose=0,
        )

    batches = (feed.training, feed.validation, *feed.extra.values())
    return train_through(
        model,
        keeper,
        batches,
        incidents,
        learning_rate,
        lambda rate: compile_detector(model, materials.image_size, rate),
        run,
        before,
    )


def _result(
    materials: DetectorMaterials,
    head: keras.Model,
    model: keras.Model,
    keeper: EpochKeeper,
    feed: Feed,
    cut: Cut,
    folder: Path,
    seconds: float,
    stopped: bool,
    drift: list[LayerDrift],
) -> DetectorResult:
    keeper.restore_best()
    try:
        feed.frozen.verify(materials.split.training)
    except RunError:
        forget_snapshots(folder, keeper.phase)
        raise
    parts = {"validation": materials.split.validation, **materials.split.extra}
    judged = {"validation": feed.validation, **feed.extra}
    return DetectorResult(
        head=head,
        weights=keeper.best,
        epochs=keeper.epochs,
        kept=next(epoch for epoch in keeper.epochs if epoch.epoch == keeper.standing.best_epoch),
        found={name: find_in(model, materials, judged[name], photos) for name, photos in parts.items()},
        cut=cut,
        feed=feed,
        epochs_trained=keeper.epochs_trained,
        training_s=seconds,
        stopped=stopped,
        drift=drift,
    )
