"""The learning-rate finder: one pass over cached tensors at a growing rate, on a model that is thrown away."""

import math
import time

import numpy as np

from thaw.tuning.rate_curve import RateCurve, suggest
from tlcore.features.inputs import Materials, prepare_feed
from tlcore.files import Arrays
from tlcore.models import classifier as models
from tlcore.models.backend import keras
from tlcore.progress import CheckStop, Progress, Stage, ignore_progress, never_stop
from tlcore.splits.class_weights import number_weights
from tlcore.training.phases import build_head, compile_model
from tlcore.training.recommendations import LARGEST_RATE_RATIO
from tlcore.training.snapshots import name_variables, write_variables

BATCHES = 100
SMALLEST_RATE = 1e-7
LARGEST_HEAD_RATE = 1.0
BEYOND_CAP = 10.0
# As fastai's lr_find: the loss counts as run away at four times the least.
RUN_AWAY = 4.0
MEMORY = 0.9


def search_rate(
    materials: Materials,
    layers: int | None,
    batch_size: int,
    head_weights: Arrays | None = None,
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
) -> RateCurve:
    """Do the range test for a phase and return its curve.

    Phase 1 (`layers` None) takes a fresh head on pooled features, with rates up to 1; phase 2 the head of
    `head_weights` and the top `layers` layers on their cached cut, with rates up to ten times the largest that the
    guard allows. What is trained lives in this process alone.
    """
    # 1. The model that the phase begins with.
    settings = materials.settings
    keras.utils.set_random_seed(settings.seed)
    head = build_head(materials)
    if head_weights is not None:
        write_variables(name_variables(materials.backbone, head), head_weights)
    models.freeze_below_top(materials.backbone, layers or 0)

    # 2. What it learns from.
    cut = models.find_cut(materials.row, materials.backbone, materials.image_size)
    feed = prepare_feed(materials, cut, batch_size, 1, progress, check_stop)
    feed.frozen.verify(materials.split.training)

    # 3. The test, and what it suggests.
    cap = None if layers is None else settings.learning_rate * LARGEST_RATE_RATIO
    largest = LARGEST_HEAD_RATE if cap is None else cap * BEYOND_CAP
    model = models.upper_model(materials.row, materials.backbone, cut, head)
    compile_model(model, settings.output, SMALLEST_RATE)
    rates = np.geomspace(SMALLEST_RATE, largest, BATCHES).tolist()
    weights = number_weights(settings, materials.split)
    losses = try_rates(model, feed.training, rates, weights, progress, check_stop)
    rates = rates[: len(losses)]
    return RateCurve(
        phase=1 if layers is None else 2,
        layers=layers,
        batch_size=batch_size,
        rates=rates,
        losses=losses,
        cap=cap,
        suggestion=suggest(rates, losses, cap),
        created_at=time.time(),
    )


def try_rates(
    model: keras.Model,
    batches: keras.utils.PyDataset,
    rates: list[float],
    weights: dict[int, float] | None,
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
) -> list[float]:
    """Train one batch at each rate; return the loss of each before its step, until the loss runs away.

    A set of fewer batches is gone through again, in a new order. The loss has run away when its running mean is four
    times the least, or when it is no number; fewer losses than rates are returned then.
    """
    losses: list[float] = []
    running = least = 0.0
    for step, rate in enumerate(rates):
        check_stop()
        progress(Stage.TRYING_RATES, step, len(rates))
        if step and step % len(batches) == 0:
            batches.on_epoch_end()
        inputs, targets = batches[step % len(batches)]
        model.optimizer.learning_rate.assign(rate)
        # Keras tells the mean over all batches since the last reset.
        model.reset_metrics()
        measured = model.train_on_batch(list(inputs), targets, class_weight=weights, return_dict=True)
        loss = float(measured["loss"])
        if not math.isfinite(loss):
            break
        losses.append(loss)
        running = MEMORY * running + (1 - MEMORY) * loss
        mean = running / (1 - MEMORY ** len(losses))
        least = mean if step == 0 else min(least, mean)
        if mean > RUN_AWAY * least:
            break
    return losses
