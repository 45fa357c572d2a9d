"""Teaches a head again with a person's fixes: from the weights of the head before it, on features that are cached."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from thaw.datasets.run_split import read_labels
from thaw.jobs.devices import processor_name
from thaw.jobs.reporter import Reporter
from thaw.retraining.numpy_head import Measure, PlainHead
from thaw.retraining.numpy_keeper import PlainKeeper
from thaw.runs.results import predictions_file, read_features
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from thaw.training.run_facts import describe_split, read_versions, record_outcome
from tlcore.errors import RunError, Stopped
from tlcore.evaluation.predictions import VALIDATION
from tlcore.files import load_arrays, numbered, save_arrays
from tlcore.images.pixels import WIDEST
from tlcore.images.recipes import view_key
from tlcore.models.backbones import find_backbone
from tlcore.progress import Stage
from tlcore.settings import HeadSettings
from tlcore.splits.class_weights import number_weights
from tlcore.splits.splits import Split
from tlcore.training.history import PhaseSeconds

# What is read into memory at once; beyond it the ordinary way, which reads a batch at a time, is taken.
LARGEST_BYTES = 2_000_000_000
# From where a head has settled, steps of the full rate lead away again: on 10,000 pictures of ten classes, 3% of them
# planted in a wrong class and then fixed, three seeds ended at a validation loss of 1.40 to 1.46 with it, 1.35 to 1.36
# with 0.3 of it, and 1.40 to 1.44 from a new head; a tenth took up to 30 epochs.
WARM_RATE = 0.3
# Where that leaves enough steps in an epoch, larger batches settle as well in less time: on 8,000 pictures, five rounds
# of fixes and four seeds each, at a loss of 0.872 in 0.35 s (13 epochs at most), and 0.876 in 0.57 s (22) by 32.
LARGE_BATCH, LARGE_BATCH_RATE, ENOUGH_STEPS = 256, 0.45, 30
INHERITED = (
    *("image_size", "weights_file", "weights_sha256", "feature_cache", "seconds_per_image"),
    *("engine", "engine_note"),
)


@dataclass(frozen=True)
class Retraining:
    """What a head learns again from: `weights` of the head before it, fitted to the classes of now, and for each side
    the features in memory, float32 (images x views, channels)."""

    run: Run
    earlier: Run
    settings: HeadSettings
    split: Split
    weights: list[np.ndarray]
    features: dict[str, np.ndarray]


def prepare(store: Store, run: Run, parts: Split) -> Retraining | None:
    """Gather what a retrained run learns from, or return None where it has to be trained like any other run.

    `parts` are its sides as `thaw.retraining.inherited_split.inherit` keeps them: with others an earlier head may have
    learnt from what would judge it. An ordinary training it is for a support vector machine, views that are drawn anew,
    a network that learns from scratch, features that are not cached, and what does not fit into memory.
    """
    settings, folder = run.head, store.workspace.run(run.id)
    begun_otherwise = (folder / "snapshot-1.npz").exists()
    if settings.method == "svm" or settings.draws_anew or begun_otherwise or find_backbone(settings.backbone).fresh:
        return None
    try:
        earlier = store.run(run.facts.sides_of or "")
    except RunError:
        # It was deleted since this one began.
        return None
    cached = read_features(store, earlier)
    head = store.workspace.run(earlier.id) / "head.npz"
    if cached is None or not head.exists():
        return None
    sides = {"training": parts.training, VALIDATION: parts.validation, **parts.extra}
    keys = {side: _keys(images, settings, side) for side, images in sides.items()}
    wanted = [key for each in keys.values() for key in each]
    if any(key not in cached.rows for key in wanted) or len(wanted) * cached.tensor[:1].nbytes > LARGEST_BYTES:
        return None
    weights = fit_weights(numbered(load_arrays(head), "head"), read_labels(store, earlier), parts.labels)
    if weights is None:
        return None
    features = {side: cached.tensor[[cached.rows[key] for key in each]] for side, each in keys.items()}
    return Retraining(run, earlier, settings, parts, weights, features)


def fit_weights(weights: Sequence[np.ndarray], before: Sequence[str], now: Sequence[str]) -> list[np.ndarray] | None:
    """Return a head's weights for the classes of `now`: those it knew keep theirs, a new one begins at zero.

    Returns None where a single output unit stands for two classes and these are others now.
    """
    *inner, kernel, bias = weights
    if list(before) == list(now):
        return list(weights)
    if kernel.shape[1] == 1:
        return None
    places = {label: place for place, label in enumerate(before)}
    fitted_kernel, fitted_bias = np.zeros((len(kernel), len(now)), np.float32), np.zeros(len(now), np.float32)
    for place, label in enumerate(now):
        if label in places:
            fitted_kernel[:, place], fitted_bias[place] = kernel[:, places[label]], bias[places[label]]
    return [*inner, fitted_kernel, fitted_bias]


def retrain_head(reporter: Reporter, plan: Retraining) -> None:
    """Phase 1 of a retrained run: the settings and seed of an ordinary one, from the earlier head's weights, at a lower
    rate and, of many images, in larger batches.

    A stop after the first epoch keeps the best head so far as the result and Stopped is raised on; a later call goes on
    from the last epoch that was kept, and ends where an undisturbed one would have ended.
    """
    started = time.perf_counter()
    store, run_id, settings = reporter.store, plan.run.id, plan.settings
    folder = store.workspace.run(run_id)
    batch_size, rate = choose_batch(settings, len(plan.split.training))

    # 1. What the run depends on.
    inherited = {
        name: fact for name, fact in asdict(plan.earlier.facts).items() if name in INHERITED and fact is not None
    }
    store.add_facts(
        run_id,
        inherited
        | describe_split(settings, plan.split)
        | {"grey_range": store.dataset(plan.run.dataset_id).grey_range or WIDEST}
        | {"versions": read_versions(), "device": f"CPU: {processor_name()}"}
        | {"warm_start": plan.earlier.id, "warm_learning_rate": rate, "warm_batch_size": batch_size},
    )

    # 2. Training, until the validation loss gets no better.
    head = PlainHead(plan.weights, settings.dropout, rate)
    keeper = PlainKeeper(reporter, run_id, head)
    classes = {side: _encode(images, plan.split.labels) for side, images in _judged(plan.split).items()}
    learner = Learner(head, plan, batch_size, keeper.check_stop)
    trained, stopped = 0, False
    while not keeper.standing.over(settings.epochs, settings.patience):
        reporter.progress(Stage.TRAINING_HEAD, keeper.standing.epoch, settings.epochs)
        epoch_started = time.perf_counter()
        try:
            learnt = learner.train(keeper.standing.epoch + 1)
        except Stopped:
            if not keeper.best:
                raise
            stopped = True
            break
        judged = head.measure(plan.features[VALIDATION], classes[VALIDATION])
        if not np.isfinite([learnt.loss, judged.loss]).all():
            break
        keeper.end_epoch(learnt, judged, time.perf_counter() - epoch_started)
        trained += 1
    keeper.keep()
    training_s = time.perf_counter() - started

    # 3. The result: the best head, and what it says of the photos that judge it.
    if not keeper.best:
        raise RunError(
            "Expected a validation loss that is a number. Received: none in any epoch, so the training ran away. "
            "Choose a smaller learning rate and train a new head."
        )
    best = PlainHead(keeper.best, settings.dropout, rate)
    save_arrays(folder / "head.npz", {f"head/{place}": array for place, array in enumerate(best.weights)})
    for side, images in _judged(plan.split).items():
        said = {"image_ids": np.array([image.id for image in images])}
        said["probabilities"] = best.probabilities(plan.features[side])
        save_arrays(folder / predictions_file(1, side), said)
    spent = {"features": 0.0, "training": training_s, "total": time.perf_counter() - started}
    _record(reporter, plan, keeper.standing.best_epoch, trained, spent)
    record_outcome(reporter, run_id, phase=1)
    store.set_result(run_id, 1)
    if stopped:
        raise Stopped
    keeper.forget()


def choose_batch(settings: HeadSettings, images: int) -> tuple[int, float]:
    """Return the batch size and the learning rate that a head which has settled before is taught with."""
    if settings.batch_size < LARGE_BATCH and images >= ENOUGH_STEPS * LARGE_BATCH:
        return LARGE_BATCH, settings.learning_rate * LARGE_BATCH_RATE
    return settings.batch_size, settings.learning_rate * WARM_RATE


class Learner:
    """Trains a head one epoch at a time; epoch e draws its order, views and dropout from (seed, e) alone."""

    def __init__(
        self, head: PlainHead, plan: Retraining, batch_size: int, check_stop: Callable[[], None] = lambda: None
    ) -> None:
        self._head, self._settings, self._batch_size, self._check_stop = head, plan.settings, batch_size, check_stop
        self._features = plan.features["training"]
        self._classes = _encode(plan.split.training, plan.split.labels)
        weights = number_weights(plan.settings, plan.split)
        self._weights = None if weights is None else np.array([weights[n] for n in range(len(weights))], np.float32)

    def train(self, epoch: int) -> Measure:
        """Train epoch number `epoch` and return how the head did on its batches; raise Stopped on request."""
        images, views = len(self._classes), self._settings.cached_views
        # Order and views are drawn as in `tlcore.features.batches`.
        chance = np.random.default_rng((self._settings.seed, epoch))
        order = chance.permutation(images)
        rows = np.arange(images) * views + chance.integers(0, views, images)
        loss, right = 0.0, 0
        for start in range(0, images, self._batch_size):
            self._check_stop()
            picked = order[start : start + self._batch_size]
            batch_loss, batch_right = self._head.train_batch(
                self._features[rows[picked]], self._classes[picked], self._weights, chance
            )
            loss, right = loss + batch_loss, right + batch_right
        return Measure(loss / images, right / images)


def _record(reporter: Reporter, plan: Retraining, best_epoch: int, trained: int, spent: dict[str, float]) -> None:
    """Write down what phase 1 of any run has on record; what was checked of the backbone is the earlier run's."""
    before = reporter.store.run(plan.run.id).facts.head.seconds or PhaseSeconds()
    checks = plan.earlier.facts.head.checks
    if checks:
        training, validation = (
            {label: counts[label] for label in plan.split.labels}
            for counts in (
                Counter(image.label for image in side) for side in (plan.split.training, plan.split.validation)
            )
        )
        checks = replace(checks, training=training, validation=validation)
    reporter.store.add_phase_facts(
        plan.run.id,
        "head",
        {
            "seconds": {stage: seconds + getattr(before, stage) for stage, seconds in spent.items()},
            "best_epoch": best_epoch,
            "features_computed": 0,
            "features_per_second": None,
            "images_per_second": trained * len(plan.split.training) / spent["training"],
        }
        | ({"checks": asdict(checks)} if checks else {}),
    )


def _judged(parts: Split) -> dict[str, list[Image]]:
    return {VALIDATION: parts.validation, **parts.extra}


def _keys(images: Sequence[Image], settings: HeadSettings, side: str) -> list[str]:
    count = settings.cached_views if side == "training" else 1
    return [
        view_key(image.content, number, settings.augmentation, settings.seed)
        for image in images
        for number in range(count)
    ]


def _encode(images: Sequence[Image], labels: Sequence[str]) -> np.ndarray:
    numbers = {label: number for number, label in enumerate(labels)}
    return np.array([numbers[image.label] for image in images], dtype=np.int64)
