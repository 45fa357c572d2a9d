"""The command `evaluate`: how good a run's result is on the photos that judge it, kind by kind."""

from dataclasses import asdict
from typing import Any

import click

from thaw.cli.commands import command
from thaw.cli.output import Output
from thaw.detection.found import CONFIDENCE, read_found, tell_found
from thaw.runs.results import read_predictions
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.detection.evaluation import measure_precisions
from tlcore.errors import SettingsError
from tlcore.evaluation.metrics import measure_accuracy, measure_classes
from tlcore.evaluation.predictions import EVALUATION_SIDES, VALIDATION


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
    photos = read_found(store, run, side=side)
    judged, precisions = photos.judge(confidence), measure_precisions(photos.found, photos.drawn, photos.labels)
    by_kind = precisions.by_kind if precisions else [None] * len(photos.labels)
    kinds = [asdict(each) for each in judged.kinds]
    intervals = {"ap50": precisions.ap50, "ap50_95": precisions.ap50_95} if precisions else {}
    return {
        "images": len(photos.images),
        "ap50": precisions.ap50.value if precisions else None,
        "ap50_95": precisions.ap50_95.value if precisions else None,
        "intervals": {name: [each.low, each.high] for name, each in intervals.items()},
        "confidence": confidence,
        **tell_found(photos, confidence),
        "classes": {
            each.pop("label"): each | {"ap50": precision} for each, precision in zip(kinds, by_kind, strict=True)
        },
        "confusions": [{"true": true, "taken_for": said, "times": times} for true, said, times in judged.confusions],
        "counting_error": judged.counting_error,
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
