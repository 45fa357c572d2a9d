"""What the guards found for a run: every rule that its facts and epochs can answer, in the order of the training."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from thaw.storage.records import Run
from thaw.training.guards import (
    Evidence,
    judge_batch,
    judge_chance,
    judge_course,
    judge_first_epoch,
    judge_gap,
    judge_memory,
    judge_rate,
    judge_settled,
    judge_statistics,
)
from thaw.training.run_facts import kept_epoch
from thaw.training.shortfall import Shortfall, explain
from tlcore.models.backbones import find_backbone
from tlcore.settings import FineTuneSettings
from tlcore.training.history import Epoch


def judge_run(run: Run, epochs: Sequence[Epoch], phase: int) -> list[Evidence]:
    """Judge one phase (1 or 2) of a run; rules whose numbers are not there yet, or were never measured, say nothing."""
    kept = kept_epoch(run, epochs, phase)
    training_images, validation_images = run.facts.training_images, run.facts.validation_images
    if kept is None or training_images is None or validation_images is None:
        return []
    found = _judge_head(run, epochs, kept) if phase == 1 else _judge_fine_tuning(run, epochs, validation_images)
    if run.head.task == "classify":
        # AP50 is no share of the photos, so that their number says nothing of how far chance moves it.
        found.append(judge_gap(kept, training_images, validation_images))
    engine = [Evidence("Engine", False, f"{run.facts.engine_note}.")] if run.facts.engine_note else []
    return [*found, *_judge_batches(run, phase, training_images), *engine]


def explain_shortfall(
    run: Run, epochs: Sequence[Epoch], layers: Sequence[dict[str, Any]], stopped: bool
) -> Shortfall | None:
    """Say why a run's phase 2 did not help, and what to try; None where it did, or has left no model.

    `layers` are the backbone's (`tlcore.models.layers.describe_layers`); `stopped` says that the person ended it.
    """
    head, tuned, settings = kept_epoch(run, epochs, 1), kept_epoch(run, epochs, 2), run.fine_tune
    if head is None or tuned is None or run.result_phase != 1 or settings is None:
        return None
    if settings.layers is None or settings.learning_rate is None:
        return None
    retries = run.facts.fine_tune.retries
    if retries:
        # The epochs on record are those of the last try.
        settings = replace(settings, learning_rate=retries[-1].next_rate)
    seen = [epoch for epoch in epochs if epoch.phase == 2]
    return explain(head, seen, settings, run.head.learning_rate, layers, stopped)


def _judge_head(run: Run, epochs: Sequence[Epoch], kept: Epoch) -> list[Evidence]:
    settings, checks = run.head, run.facts.head.checks
    if find_backbone(run.backbone).fresh:
        course = judge_course([epoch for epoch in epochs if epoch.phase == 1], run.facts.head.retries)
        return [course, judge_chance(kept.val_accuracy, checks, fresh=True)] if checks else [course]
    # A support vector machine is at its optimum after its one step.
    found = [] if settings.method == "svm" else [judge_settled(epochs, settings.patience)]
    return [*found, judge_chance(kept.val_accuracy, checks)] if checks else found


def _judge_fine_tuning(run: Run, epochs: Sequence[Epoch], images: int) -> list[Evidence]:
    facts, asked = run.facts.fine_tune, (run.fine_tune or FineTuneSettings()).learning_rate
    head_rate = run.head.learning_rate
    before = kept_epoch(run, epochs, 1)
    first = next(epoch for epoch in epochs if epoch.phase == 2)
    found = [judge_rate(asked, head_rate)] if asked is not None else []
    if before:
        found.append(judge_first_epoch(before.val_accuracy, first.val_accuracy, images, facts.retries))
    return found if facts.drift is None else [*found, judge_statistics(facts.drift)]


def _judge_batches(run: Run, phase: int, images: int) -> list[Evidence]:
    head, checks, incidents = run.head, run.facts.head.checks, run.facts.phase(phase).out_of_memory
    asked = head.batch_size if phase == 1 else (run.fine_tune or FineTuneSettings()).batch_size
    batch_size = incidents[-1].next_batch_size if incidents else min(asked, images)
    steps = [judge_batch(batch_size, len(checks.training))] if checks and head.method != "svm" else []
    return [*steps, judge_memory(incidents, run.facts.features_at_once)]
