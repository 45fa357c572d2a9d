"""The command `evaluate`: how good a run's result is on the photos that judge it, kind by kind."""

from dataclasses import asdict
from typing import Any

import click

from thaw.cli.commands import command
from thaw.cli.output import Output
from thaw.detection.found import CONFIDENCE, measure_found
from thaw.runs.results import read_predictions
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.detection.found import average_precision, count_found
from tlcore.errors import SettingsError
from tlcore.evaluation.metrics import measure_accuracy, measure_classes
from tlcore.evaluation.predictions import EVALUATION_SIDES, VALIDATION

# The overlaps over which COCO takes the mean.
OVERLAPS = [0.5 + 0.05 * step for step in range(10)]


@command("evaluate")
@click.argument("run_id", metavar="RUN")
@click.option("--side", type=click.Choice(EVALUATION_SIDES), default=VALIDATION, help=f"default: {VALIDATION}")
@click.option(
    "--confidence",
    type=float,
    default=CONFIDENCE,
    help=f"of a detector: from when on it counts (default: {CONFIDENCE})",
)
def run_evaluate(store: Store, run_id: str, side: str, confidence: float) -> Output:
    """Tell how good a run's result is on the photos of one side of its split, kind by kind."""
    run = store.run(run_id)
    if not 0 <= confidence <= 1:
        raise SettingsError(f"Expected a confidence from 0 to 1. Received: {confidence}.")
    told = _judge_boxes(store, run, side, confidence) if run.head.task == "detect" else _judge_kinds(store, run, side)
    return {"run": run.id, "side": side, "phase": run.result_phase} | told


def _judge_boxes(store: Store, run: Run, side: str, confidence: float) -> dict[str, Any]:
    judged = measure_found(store, run, side=side)
    kinds = len(judged.labels)
    precisions = [average_precision(judged.found, judged.drawn, kinds, least) for least in OVERLAPS]
    known = [each for each in precisions if each is not None]
    counts = count_found(judged.found, judged.drawn, judged.labels, confidence)
    totals = {name: sum(getattr(each, name) for each in counts) for name in ("found", "missed", "false_alarms")}
    return {
        "images": len(judged.images),
        "ap50": precisions[0],
        "ap50_95": sum(known) / len(known) if known else None,
        "confidence": confidence,
        **totals,
        "classes": {each.label: {k: v for k, v in asdict(each).items() if k != "label"} for each in counts},
    }


def _judge_kinds(store: Store, run: Run, side: str) -> dict[str, Any]:
    predictions = read_predictions(store, run, side=side)
    accuracy = measure_accuracy(predictions)
    return {
        "images": len(predictions.images),
        "accuracy": accuracy.value,
        "interval": [accuracy.low, accuracy.high],
        "classes": {
            each.label: {k: v for k, v in asdict(each).items() if k != "label"} for each in measure_classes(predictions)
        },
    }
