"""Fills a model card with the figures of a run: what Mitchell et al. ask for, as sections of blocks."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from thaw.model_card.blocks import Block, Bullets, CardPhotos, CardTable, Chart, ModelCard, Paragraph, Section
from thaw.model_card.limits import ON, find_limits
from thaw.model_card.pictures import draw_phases, draw_reliability, pick_mistakes
from thaw.runs.decision import read_decision
from thaw.runs.results import predictions_file, read_predictions
from thaw.storage.experiments import Experiment
from thaw.storage.projects import bare_source
from thaw.storage.records import Dataset, Image, Run
from thaw.storage.store import Store
from thaw.training.run_facts import kept_epoch
from tlcore import __version__
from tlcore.evaluation.metrics import Interval, measure_accuracy, measure_classes
from tlcore.evaluation.predictions import EVALUATION_SIDES, VALIDATION, Predictions
from tlcore.models.backbones import BACKBONES, FRESH, title_of
from tlcore.photos import natural
from tlcore.settings import HeadSettings

INTENDED_USE = "intended_use"
TO_BE_WRITTEN = (
    "To be written by whoever hands this model on: for what and for whom it is meant, for what it must not be used, "
    "and what harm a wrong answer can do."
)
NONE = "–"
SIDES = {"training": "to learn from", VALIDATION: "validation", "later": "newest", "holdout": "holdout"}


def fill_card(store: Store, run: Run, pictures: bool = True) -> ModelCard:
    """Return the card of a run's result; raise RunError while it has none. Without `pictures` it holds no photo."""
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
        f"Tells pictures of {len(labels)} classes apart. Right on {_between(accuracy)} of {accuracy.of:,} validation "
        "photos (95% interval).",
        [
            Section("Model details", [_details(run, row, labels)]),
            Section("Intended use", _intended_use(run)),
            Section("Training data", _data(store, run, row, dataset)),
            Section("Training", _training(store, run, row)),
            Section("How good it is", _results(judged)),
            Section("How far to trust its confidence", _confidence(run, judged[VALIDATION])),
            Section("Worst mistakes", _mistakes(store, judged[VALIDATION], pictures)),
            Section("Limits found", [Bullets(find_limits(store, run, judged))]),
            Section("About this card", [Paragraph(_about(pictures))]),
        ],
    )


def _details(run: Run, row: Experiment, labels: list[str]) -> CardTable:
    head = run.head
    fresh = run.backbone in FRESH
    way = "trained from scratch" if fresh else "transfer learning"
    versions = ", ".join(f"{name} {version}" for name, version in (row.package_versions or {}).items())
    kind = "support vector machine" if head.method == "svm" else f"{head.output}, dropout {head.dropout:g}"
    hidden = f", a hidden layer of {head.hidden_units}" if head.hidden_units else ""
    phase = run.result_phase
    frozen = row.frozen_layers_count if phase == 2 or not row.unfrozen_layers_count else None
    facts: dict[str, Any] = {
        "Kind": f"image classifier, {len(labels)} classes, {way} (Keras)",
        "Backbone": title_of(run.backbone),
        "Pretrained weights": "none" if fresh else row.pretrained_weights or _weights_file(run.backbone),
        "SHA-256 of the weights": row.pretrained_weights_sha256,
        "Licence of the weights": _licence(run.backbone),
        "Head": f"{kind}{hidden}",
        "Input": f"{row.image_size} by {row.image_size} pixels, RGB" if row.image_size else None,
        "Model": _model(run),
        "Layers frozen": "none" if fresh else frozen if frozen is not None else "all of the backbone",
        "Unfrozen from": row.unfrozen_from_layer if phase == 2 else None,
        "Trained on": row.device,
        "Run": run.id,
        "Date": datetime.fromtimestamp(run.created_at, UTC).strftime("%Y-%m-%d"),
        "Versions": f"Thaw {__version__}" + (f", {versions}" if versions else ""),
    }
    return CardTable("What the model is", ("", ""), _pairs(facts))


def _model(run: Run) -> str:
    if run.backbone in FRESH:
        return "from scratch, all of the network in one phase"
    return "phase 2, fine-tuned" if run.result_phase == 2 else "phase 1, the head on a frozen backbone"


def _weights_file(backbone: str) -> str | None:
    row = BACKBONES.get(backbone)
    return row.weights_file if row else None


def _intended_use(run: Run) -> list[Block]:
    lines = run.facts.intended_use.splitlines()
    written: list[Block] = [Paragraph(line) for line in lines if line.strip()]
    return written or [Paragraph(TO_BE_WRITTEN, open_question=True)]


def _data(store: Store, run: Run, row: Experiment, dataset: Dataset) -> list[Block]:
    head = run.head
    counts = row.class_counts or {}
    images = store.images(dataset.id)
    facts = {
        "Data set": dataset.name,
        "Source": bare_source(dataset.source),
        "Version": row.dataset_version,
        "SHA-256 of what the run saw": row.dataset_sha256,
        "Split": f"{_split(run, head)}; near-duplicates are kept on one side",
        "Near-duplicates": _near_duplicates(images),
        "Set aside at import": f"{dataset.set_aside:,} files",
        "Taken out by a person": f"{dataset.excluded:,} images",
        "Changes made by hand": f"{sum(edit.undone_at is None for edit in store.edits(dataset.id)):,}",
        "Augmentation": head.augmentation,
    }
    blocks: list[Block] = [CardTable("Where the photos come from", ("", ""), _pairs(facts))]
    sides = [side for side in SIDES if counts.get(side)]
    if sides:
        labels = sorted({label for side in sides for label in counts[side]}, key=natural)
        rows = [[label, *(f"{counts[side].get(label, 0):,}" for side in sides)] for label in labels]
        blocks.append(CardTable("Photos of each class", ("Class", *(SIDES[side] for side in sides)), rows))
    return blocks


def _split(run: Run, head: HeadSettings) -> str:
    if run.facts.kept_parts:
        return "the validation photos of the split that came with the photos"
    return f"{head.validation_split:.0%} of each class for validation, seed {head.seed}"


def _training(store: Store, run: Run, row: Experiment) -> list[Block]:
    epochs = store.epochs(run.id)
    head, tuned = run.head, run.fine_tune
    rows = []
    for phase, name, rate, batch in (
        (1, "from scratch" if run.backbone in FRESH else "1, the head", row.learning_rate_phase1, head.batch_size),
        (2, "2, fine-tuning", row.learning_rate_phase2, tuned.batch_size if tuned else 0),
    ):
        own = [epoch for epoch in epochs if epoch.phase == phase]
        kept = kept_epoch(run, epochs, phase)
        if own:
            best = f"{kept.val_accuracy:.1%} in epoch {kept.epoch}" if kept else NONE
            rows.append([name, f"{len(own)}", NONE if rate is None else f"{rate:g}", f"{batch}", best])
    columns = ("Phase", "Epochs", "Learning rate", "Batch size", "Validation accuracy kept")
    blocks: list[Block] = [CardTable("The phases of the training", columns, rows)]
    if len(epochs) > 1:
        blocks += draw_phases(epochs)
    return blocks


def _results(judged: Mapping[str, Predictions]) -> list[Block]:
    blocks: list[Block] = []
    rows = []
    for side, predictions in judged.items():
        accuracy = measure_accuracy(predictions)
        largest = Counter(predictions.true.tolist()).most_common(1)[0][1] / len(predictions.images)
        rows.append([ON[side], f"{accuracy.of:,}", _between(accuracy), f"{largest:.1%}"])
    columns = ("Judged on", "Photos", "Right (95% interval)", "By always naming the largest class")
    blocks.append(CardTable("Accuracy on each set of photos", columns, rows))
    for side, predictions in judged.items():
        figures = [
            [each.label, f"{each.support:,}", _between(each.recall), _between(each.precision), f"{each.f1:.3f}"]
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


def _about(pictures: bool) -> str:
    held = (
        "It holds small copies of photos from the data set: hand it on only if they may be seen. " if pictures else ""
    )
    return (
        f"{held}Written by Thaw from what it measured; only the intended use is anyone's own words. Its parts follow "
        "Mitchell et al., “Model Cards for Model Reporting”, 2019. Intervals are Wilson's for classes and a bootstrap "
        "over groups of near-duplicates for the whole."
    )


def _near_duplicates(images: list[Image]) -> str:
    groups = Counter(image.similar or image.lookalike for image in images)
    shared = [count for key, count in groups.items() if key and count > 1]
    return f"{len(shared):,} groups with {sum(shared):,} images" if shared else "none found"


def _licence(backbone: str) -> str:
    row = BACKBONES.get(backbone)
    return f"{row.licence.name}, {row.licence.url}" if row else NONE


def _pairs(facts: Mapping[str, Any]) -> list[list[str]]:
    return [[name, f"{value}"] for name, value in facts.items() if value not in (None, "")]


def _between(share: Interval | None) -> str:
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})" if share else NONE
