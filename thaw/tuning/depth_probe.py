"""The depth probe: short phase-2 runs at several depths, cross-validated on the training images of a run."""

import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from thaw.tuning.probe_record import (
    Depth,
    Plan,
    Probe,
    ProbeSettings,
    depth_costs,
    list_depths,
    read_probe,
    write_probe,
)
from tlcore.features.batches import CachedBatches
from tlcore.features.compute import list_views
from tlcore.features.frozen import freeze_up_to
from tlcore.features.inputs import Materials, encode_labels
from tlcore.models import classifier as models
from tlcore.models.backend import keras
from tlcore.models.layers import describe_layers
from tlcore.models.plan import pooled_cut
from tlcore.photos import Photo
from tlcore.progress import CheckStop, Progress, Stage, ignore_progress, never_stop
from tlcore.splits.class_weights import class_weights
from tlcore.splits.groups import group_images
from tlcore.splits.splits import Fold, choose_images, list_folds
from tlcore.splits.svm import fit_svm
from tlcore.training.phases import build_head, compile_model
from tlcore.training.recommendations import recommend_learning_rate
from tlcore.training.snapshots import read_start, write_start

WHOLE = 100
STOP_CHECK_EVERY_S = 0.5
# Of a head whose epochs are not on record.
HEAD_EPOCHS = 20

Elsewhere = Callable[[list[int]], Iterable[Depth]]
"""Tries depths on other machines, and yields each as it is finished; some may be missing."""
State = tuple[list[np.ndarray], list[np.ndarray]]
"""Trained and random-seed variables of a model, and those of its optimizer."""


@dataclass(frozen=True)
class Trial:
    """What every short run shares: the images and their classes, groups and folds; `targets` are what `fit` takes."""

    materials: Materials
    plan: Plan
    images: Sequence[Photo]
    numbers: np.ndarray
    targets: np.ndarray
    groups: np.ndarray
    folds: list[Fold]

    def weights(self, rows: np.ndarray) -> dict[int, float] | None:
        """Return the class weights that the run's settings ask for, over the images at `rows`."""
        labels = self.materials.split.labels
        found = class_weights([self.images[row].label for row in rows], self.materials.settings.class_weights)
        return None if found is None else {labels.index(label): weight for label, weight in found.items()}


def prepare_trial(materials: Materials, settings: ProbeSettings, head_epochs: int | None = None) -> Trial:
    """Choose the images of a probe, their folds and its plan; `head_epochs` is phase 1's best epoch, where known."""
    head = materials.settings
    every_group = group_images(materials.split.training, materials.rules)
    chosen = choose_images(materials.split.training, every_group, settings.images, head.seed)
    images = [materials.split.training[place] for place in chosen]
    groups = np.array([every_group[place] for place in chosen])
    labels = materials.split.labels
    numbers = np.array([labels.index(image.label) for image in images], dtype=np.int64)
    folds = list_folds(numbers, groups, settings.folds, head.seed)
    rate = settings.learning_rate or recommend_learning_rate(
        head.learning_rate, materials.image_size, materials.row.input_size
    )
    plan = Plan(
        tops=list_depths(describe_layers(materials.row, materials.backbone), settings.depths),
        images=len(images),
        folds=len(folds),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=rate,
        head_epochs=head_epochs or HEAD_EPOCHS,
        seed=head.seed,
        division=hashlib.sha256(b"".join(testing.tobytes() for _, testing in folds)).hexdigest()[:12],
    )
    return Trial(materials, plan, images, numbers, encode_labels(images, labels, head), groups, folds)


class Watch(keras.callbacks.Callback):
    """Asks after batches whether to go on, and tells how many there were."""

    def __init__(self, check_stop: CheckStop, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._check_stop, self._tell = check_stop, tell
        self._batches, self._checked_at = 0, 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._batches += 1
        self._tell(self._batches)
        if time.monotonic() - self._checked_at > STOP_CHECK_EVERY_S:
            self._checked_at = time.monotonic()
            self._check_stop()


def probe_depths(
    materials: Materials,
    settings: ProbeSettings,
    folder: Path,
    head_epochs: int | None = None,
    forward_s: float | None = None,
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
    elsewhere: Elsewhere | None = None,
) -> Probe:
    """Try the depths one after another and keep each that is finished in `folder`; a later call with the same materials
    and settings goes on with those that are missing. Those that `elsewhere` yields, in any order, are not tried here.

    Only training images take part, so that validation images stay unseen by the choice of the depth. The backbone is
    as before afterwards. `head_epochs` is how many the head took to its best epoch and `forward_s` how long an image
    takes through the backbone, where known. Raises DatasetError where the images cannot be divided into folds.
    """
    # 1. The photos, their folds, and what is known already.
    keras.utils.set_random_seed(materials.settings.seed)
    trial = prepare_trial(materials, settings, head_epochs)
    kept = read_probe(folder)
    probe = kept if kept and kept.plan == trial.plan else Probe(trial.plan)
    write_probe(folder, probe)

    # 2. One head for each fold, from the cached features.
    materials.backbone.trainable = False
    head = build_head(materials)
    heads = fit_heads(trial, head, check_stop)

    # 3. What other machines make of the depths.
    for depth in elsewhere(probe.missing) if elsewhere and probe.missing else ():
        probe = replace(probe, depths=sorted([*probe.depths, depth], key=lambda each: each.top))
        write_probe(folder, probe)
        progress(Stage.TRYING_DEPTHS, round(WHOLE * len(probe.depths) / len(trial.plan.tops)), WHOLE)

    # 4. The depths here, shallowest first: they are the cheapest and the likeliest advice.
    if not probe.missing:
        return probe
    tell = _progress(trial, probe, forward_s, progress)
    for top in probe.missing:
        started = time.perf_counter()
        held_out = try_depth(trial, head, heads, top, functools.partial(tell, top), check_stop)
        depth = measure(trial, top, held_out, time.perf_counter() - started)
        probe = replace(probe, depths=sorted([*probe.depths, depth], key=lambda each: each.top))
        write_probe(folder, probe)
    return probe


def fit_heads(trial: Trial, head: keras.Model, check_stop: CheckStop = never_stop) -> list[list[np.ndarray]]:
    """Fit a head to the training part of each fold; return the weights of each, and leave `head` as it was.

    The run's own head has learnt from every one of these images, those that a fold holds out too: at every depth it
    would look better than it is, and best where training changes it least. So each fold has a head of its own, for as
    many steps as the run's took to its best epoch; on pooled features that costs next to nothing.
    """
    materials = trial.materials
    cut = pooled_cut(materials.row)
    tensors, rows = _cached(trial, cut, check_stop)
    model = models.upper_model(materials.row, materials.backbone, cut, head)
    compile_model(model, materials.settings.output, materials.settings.learning_rate)
    fresh = _read_state(model)
    fitted = []
    for training, _ in trial.folds:
        check_stop()
        if materials.settings.method == "svm":
            fitted.append(_fit_svm(trial, np.asarray(tensors[0][rows]), training, check_stop))
            continue
        _write_state(model, fresh)
        # As many steps as the run's own head took, whose epochs were longer.
        epochs = max(1, round(trial.plan.head_epochs * len(materials.split.training) / len(training)))
        batches = _batches(trial, tensors, rows, training, materials.settings.batch_size, shuffle=True)
        _fit(model, batches, epochs, trial.weights(training), Watch(check_stop, _count_nothing))
        fitted.append(head.get_weights())
    _write_state(model, fresh)
    return fitted


def try_depth(
    trial: Trial,
    head: keras.Model,
    heads: list[list[np.ndarray]],
    top: int,
    tell: Callable[[float], None],
    check_stop: CheckStop = never_stop,
) -> np.ndarray:
    """Train the top `top` layers in each fold; return the class that each image was given while held out, int64 (n,).

    `tell` hears the share (0..1) that is done. The backbone's weights are as before afterwards, bit by bit.
    """
    materials, plan = trial.materials, trial.plan
    models.freeze_below_top(materials.backbone, top)
    cut = models.find_cut(materials.row, materials.backbone, materials.image_size)
    tensors, rows = _cached(trial, cut, check_stop)
    model = models.upper_model(materials.row, materials.backbone, cut, head)
    compile_model(model, materials.settings.output, plan.learning_rate)
    # One compiled model serves all folds: to trace it anew for each would cost more than the training.
    fresh = _read_state(model)
    held_out = np.empty(len(trial.images), dtype=np.int64)
    for number, ((training, testing), weights) in enumerate(zip(trial.folds, heads, strict=True)):
        _write_state(model, fresh)
        head.set_weights(weights)
        steps = plan.epochs * -(-len(training) // plan.batch_size)

        def count(batches: int, number: int = number, steps: int = steps) -> None:
            tell((number + batches / steps) / len(heads))

        batches = _batches(trial, tensors, rows, training, plan.batch_size, shuffle=True)
        _fit(model, batches, plan.epochs, trial.weights(training), Watch(check_stop, count))
        judging = _batches(trial, tensors, rows, testing, plan.batch_size, shuffle=False)
        said = models.share_out(model.predict(judging, verbose=0), materials.settings.output)
        held_out[testing] = said.argmax(axis=1)
    _write_state(model, fresh)
    return held_out


def _fit(
    model: keras.Model, batches: CachedBatches, epochs: int, weights: dict[int, float] | None, watch: Watch
) -> None:
    model.fit(batches, epochs=epochs, callbacks=[watch], class_weight=weights, shuffle=False, verbose=0)


def _fit_svm(trial: Trial, features: np.ndarray, training: np.ndarray, check_stop: CheckStop) -> list[np.ndarray]:
    fitted = fit_svm(
        features[training],
        trial.numbers[training],
        trial.groups[training],
        trial.weights(training),
        trial.plan.seed,
        check_stop,
    )
    return [fitted.kernel, fitted.bias]


def _batches(
    trial: Trial, tensors: list[np.ndarray], rows: np.ndarray, members: np.ndarray, batch_size: int, shuffle: bool
) -> CachedBatches:
    """Feed the images numbered `members`, each as it is: a probe draws no views."""
    picked = rows[members][:, None]
    return CachedBatches(tensors, picked, trial.targets[members], batch_size, trial.plan.seed, 1, shuffle)


def _cached(trial: Trial, cut: models.Cut, check_stop: CheckStop) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the cached tensors at `cut` and the row of each image in them, computing what is missing."""
    materials = trial.materials
    frozen = freeze_up_to(materials.caches, materials, cut)
    views = list_views(trial.images, 1, "none", trial.plan.seed)
    # The probe tells its progress itself, as one whole: each new stage would forget what the time left rests on.
    frozen.fill(views, "none", trial.plan.seed, ignore_progress, check_stop)
    frozen.verify(trial.images)
    return frozen.cache.tensors(), frozen.cache.rows([view.key for view in views])


def _read_state(model: keras.Model) -> State:
    """Copy all that one short run changes and that the next must not see."""
    model.optimizer.build(model.trainable_variables)
    return read_start(model), [np.array(keras.ops.convert_to_numpy(each)) for each in model.optimizer.variables]


def _write_state(model: keras.Model, state: State) -> None:
    start, optimizer = state
    write_start(model, start)
    for variable, value in zip(model.optimizer.variables, optimizer, strict=True):
        variable.assign(value)


def measure(trial: Trial, top: int, held_out: np.ndarray, seconds: float) -> Depth:
    """Return what the short runs at a depth reached, by the class that each image was given while held out."""
    correct = held_out == trial.numbers
    return Depth(
        top=top,
        accuracies=[float(correct[testing].mean()) for _, testing in trial.folds],
        right=int(correct.sum()),
        images=len(correct),
        groups=len(np.unique(trial.groups)),
        seconds=seconds,
    )


def _progress(trial: Trial, probe: Probe, forward_s: float | None, progress: Progress) -> Callable[[int, float], None]:
    """Return a function that tells how far the probe is, by the time that each depth is expected to take."""
    tops = trial.plan.tops
    layers = describe_layers(trial.materials.row, trial.materials.backbone)
    costs = depth_costs(forward_s, layers, trial.plan, tops) or [1.0] * len(tops)
    # Depth 0 trains a head alone, and still has to be set up.
    costs = [max(cost, 0.02 * max(costs)) for cost in costs]
    total = sum(costs)

    def tell(top: int, share: float) -> None:
        place = tops.index(top)
        earlier = sum(cost for each, cost in zip(tops[:place], costs[:place], strict=True))
        progress(Stage.TRYING_DEPTHS, round(WHOLE * (earlier + share * costs[place]) / total), WHOLE)

    tell(next(iter(probe.missing), tops[-1]), 0.0)
    return tell


def _count_nothing(_batches: int) -> None:
    pass
