"""Fills a model card with the figures of a run: what Mitchell et al. ask for, as sections of blocks."""

from collections import Counter
from collections.abc import Mapping

from thaw.model_card.blocks import Block, Bullets, CardPhotos, CardTable, Chart, ModelCard, Paragraph, Section
from thaw.model_card.detector_card import fill_detector_card
from thaw.model_card.limits import ON, find_limits
from thaw.model_card.lineage import between, tell_data, tell_details, tell_intended_use, tell_origin, tell_training
from thaw.model_card.pictures import draw_reliability, pick_mistakes
from thaw.runs.decision import read_decision
from thaw.runs.results import predictions_file, read_predictions
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.evaluation.metrics import measure_accuracy, measure_classes
from tlcore.evaluation.predictions import EVALUATION_SIDES, VALIDATION, Predictions


def fill_card(store: Store, run: Run, pictures: bool = True) -> ModelCard:
    """Return the card of a run's result; raise RunError while it has none. Without `pictures` it holds no photo."""
    if run.head.task == "detect":
        return fill_detector_card(store, run, pictures)
    folder = store.workspace.run(run.id)
    sides = [
        side
        for side in EVALUATION_SIDES
        if side == VALIDATION or (folder / predictions_file(run.result_phase or 0, side)).exists()
    ]
    judged = {side: read_predictions(store, run, side=side) for side in sides}
    row = next(each for each in store.experiments() if each.model_id == run.id)
    dataset, accuracy = store.dataset(run.dataset_id), measure_accuracy(judged[VALIDATION])
    labels = judged[VALIDATION].labels
    return ModelCard(
        f"Model card: {dataset.name}",
        f"Tells pictures of {len(labels)} classes apart. Right on {between(accuracy)} of {accuracy.of:,} validation "
        "photos (95% interval).",
        [
            Section("Model details", [tell_details(run, row, labels)]),
            Section("Intended use", tell_intended_use(run)),
            Section("Training data", tell_data(store, run, row, dataset)),
            Section("Training", tell_training(store, run, row)),
            Section("How good it is", _results(judged)),
            Section("How far to trust its confidence", _confidence(run, judged[VALIDATION])),
            Section("Worst mistakes", _mistakes(store, judged[VALIDATION], pictures)),
            Section("Limits found", [Bullets(find_limits(store, run, judged))]),
            Section(
                "About this card",
                [
                    Paragraph(
                        tell_origin(
                            pictures,
                            "Intervals are Wilson's for classes and a bootstrap over groups of near-duplicates for the "
                            "whole.",
                        )
                    )
                ],
            ),
        ],
    )


def _results(judged: Mapping[str, Predictions]) -> list[Block]:
    blocks: list[Block] = []
    rows = []
    for side, predictions in judged.items():
        accuracy = measure_accuracy(predictions)
        largest = Counter(predictions.true.tolist()).most_common(1)[0][1] / len(predictions.images)
        rows.append([ON[side], f"{accuracy.of:,}", between(accuracy), f"{largest:.1%}"])
    columns = ("Judged on", "Photos", "Right (95% interval)", "By always naming the largest class")
    blocks.append(CardTable("Accuracy on each set of photos", columns, rows))
    for side, predictions in judged.items():
        figures = [
            [each.label, f"{each.support:,}", between(each.recall), between(each.precision), f"{each.f1:.3f}"]
            for each in measure_classes(predictions)
        ]
        named = ("Class", "Photos", "Found (recall)", "Right when named (precision)", "F1")
        blocks.append(CardTable(f"Class by class on {ON[side]}", named, figures))
    return blocks


def _confidence(run: Run, validation: Predictions) -> list[Block]:
    chart, told, mended, temperature = draw_reliability(validation)
    decision = read_decision(run)
    words = (
        f"How sure it is and how often it is right lie {100 * told:.1f} points apart on average (expected calibration "
        f"error)"
        + (
            "; a temperature did not help on photos held back from its fitting."
            if temperature == 1
            else f"; with its logits divided by {temperature:.2f}, {100 * mended:.1f} points."
        )
    )
    chosen = (
        f"Kept with the run: temperature {decision.temperature:.2f}, and no answer below {decision.threshold:.0%}."
        if decision
        else "No threshold was kept with the run: it always answers."
    )
    return [Paragraph(words), Paragraph(chosen), Chart("reliability", *chart)]


def _mistakes(store: Store, validation: Predictions, pictures: bool) -> list[Block]:
    photos, number = pick_mistakes(store, validation)
    if not number:
        return [Paragraph("It made none on the validation photos.")]
    words = f"{number:,} of {len(validation.images):,} validation photos are taken for another class."
    if not pictures:
        return [Paragraph(f"{words} They are left out of this card, which holds no photos.")]
    return [Paragraph(f"{words} The surest of the wrong answers come first."), CardPhotos(photos)]
