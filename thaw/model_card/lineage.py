"""What every model card says of where a model comes from: what it is, its data, its phases and its intended use."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from thaw.datasets.run_split import read_side
from thaw.model_card.blocks import Block, CardTable, Paragraph
from thaw.model_card.pictures import draw_phases
from thaw.storage.experiments import Experiment
from thaw.storage.projects import bare_source
from thaw.storage.records import Dataset, Image, Run
from thaw.storage.store import Store
from thaw.training.run_facts import kept_epoch
from tlcore import __version__
from tlcore.evaluation.metrics import Interval
from tlcore.evaluation.predictions import VALIDATION
from tlcore.models.backbones import BACKBONES, FRESH, title_of
from tlcore.photos import natural

TO_BE_WRITTEN = (
    "To be written by whoever hands this model on: for what and for whom it is meant, for what it must not be used, "
    "and what harm a wrong answer can do."
)
NONE = "–"
SIDES = {"training": "to learn from", VALIDATION: "validation", "later": "newest", "holdout": "holdout"}


def tell_details(run: Run, row: Experiment, labels: list[str]) -> CardTable:
    """Return the table of what a model is: its kind, backbone, weights, layers, device, date and versions."""
    fresh = run.backbone in FRESH
    way = "trained from scratch" if fresh else "transfer learning"
    kind = "object detector" if run.head.task == "detect" else "image classifier"
    versions = ", ".join(f"{name} {version}" for name, version in (row.package_versions or {}).items())
    phase = run.result_phase
    frozen = row.frozen_layers_count if phase == 2 or not row.unfrozen_layers_count else None
    facts: dict[str, Any] = {
        "Kind": f"{kind}, {len(labels)} classes, {way} (Keras)",
        "Backbone": title_of(run.backbone),
        "Pretrained weights": "none" if fresh else row.pretrained_weights or _weights_file(run.backbone),
        "SHA-256 of the weights": row.pretrained_weights_sha256,
        "Licence of the weights": _licence(run.backbone),
        "Head": _head(run),
        "Input": _input(run, row.image_size),
        "Model": _model(run),
        "Layers frozen": "none" if fresh else frozen if frozen is not None else "all of the backbone",
        "Unfrozen from": row.unfrozen_from_layer if phase == 2 else None,
        "Trained on": row.device,
        "Run": run.id,
        "Date": datetime.fromtimestamp(run.created_at, UTC).strftime("%Y-%m-%d"),
        "Versions": f"Thaw {__version__}" + (f", {versions}" if versions else ""),
    }
    return CardTable("What the model is", ("", ""), _pairs(facts))


def _head(run: Run) -> str:
    head = run.head
    if head.task == "detect":
        return "a path aggregation network over features 8, 16 and 32 pixels apart, and branches for boxes and classes"
    kind = "support vector machine" if head.method == "svm" else f"{head.output}, dropout {head.dropout:g}"
    return kind + (f", a hidden layer of {head.hidden_units}" if head.hidden_units else "")


def _input(run: Run, side: int | None) -> str | None:
    if side is None:
        return None
    fitted = ", into which a photo is fitted whole" if run.head.task == "detect" else ""
    return f"{side} by {side} pixels, RGB{fitted}"


def _model(run: Run) -> str:
    if run.backbone in FRESH:
        return "from scratch, all of the network in one phase"
    return "phase 2, fine-tuned" if run.result_phase == 2 else "phase 1, the head on a frozen backbone"


def _weights_file(backbone: str) -> str | None:
    row = BACKBONES.get(backbone)
    return row.weights_file if row else None


def tell_intended_use(run: Run) -> list[Block]:
    """Return what a person has written of a model's intended use, or that it is to be written."""
    lines = run.facts.intended_use.splitlines()
    written: list[Block] = [Paragraph(line) for line in lines if line.strip()]
    return written or [Paragraph(TO_BE_WRITTEN, open_question=True)]


def tell_data(store: Store, run: Run, row: Experiment, dataset: Dataset) -> list[Block]:
    """Return the tables of where the photos come from, and of what each side of the split has."""
    detects = run.head.task == "detect"
    counts = row.class_counts or {}
    images = [*store.images(dataset.id), *(store.images(dataset.id, role="pile") if detects else ())]
    together = "near-duplicates and tiles of one picture" if detects else "near-duplicates"
    facts = {
        "Data set": dataset.name,
        "Source": bare_source(dataset.source),
        "Version": row.dataset_version,
        "SHA-256 of what the run saw": row.dataset_sha256,
        "Split": f"{_split(store, run)}; {together} are kept on one side",
        "Near-duplicates": _near_duplicates(images),
        "Set aside at import": f"{dataset.set_aside:,} files",
        "Taken out by a person": f"{dataset.excluded:,} images",
        "Changes made by hand": f"{sum(edit.undone_at is None for edit in store.edits(dataset.id)):,}",
        "Photos": _photos(run) if detects else None,
        "Augmentation": _augmentation(run),
    }
    blocks: list[Block] = [CardTable("Where the photos come from", ("", ""), _pairs(facts))]
    sides = [side for side in SIDES if counts.get(side)]
    if sides:
        labels = sorted({label for side in sides for label in counts[side]}, key=natural)
        rows = [[label, *(f"{counts[side].get(label, 0):,}" for side in sides)] for label in labels]
        blocks.append(
            CardTable(
                f"{'Objects' if detects else 'Photos'} of each class", ("Class", *(SIDES[side] for side in sides)), rows
            )
        )
    return blocks


def _split(store: Store, run: Run) -> str:
    head = run.head
    theirs = run.facts.kept_parts
    if head.task == "detect":
        theirs = any(image.part for image in read_side(store, run, VALIDATION) or ())
    if theirs:
        return "the validation photos of the split that came with the photos"
    of = "the photos that show each class" if head.task == "detect" else "each class"
    return f"{head.validation_split:.0%} of {of} for validation, seed {head.seed}"


def _photos(run: Run) -> str:
    facts = run.facts
    told = {"training": facts.training_images, VALIDATION: facts.validation_images, **facts.extra_images}
    return ", ".join(f"{number:,} {SIDES.get(side, side)}" for side, number in told.items() if number)


def _augmentation(run: Run) -> str:
    if run.head.task == "detect":
        return f"{run.head.views} views of each photo: as it is, mirrored, and crops"
    return run.head.augmentation


def tell_training(store: Store, run: Run, row: Experiment) -> list[Block]:
    """Return the table of the phases, with their rates and what they reached, and the curves."""
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
    score = "AP50" if head.task == "detect" else "accuracy"
    columns = ("Phase", "Epochs", "Learning rate", "Batch size", f"Validation {score} kept")
    blocks: list[Block] = [CardTable("The phases of the training", columns, rows)]
    if len(epochs) > 1:
        blocks += draw_phases(epochs, score)
    return blocks


def _near_duplicates(images: list[Image]) -> str:
    groups = Counter(image.similar or image.lookalike for image in images)
    shared = [count for key, count in groups.items() if key and count > 1]
    return f"{len(shared):,} groups with {sum(shared):,} images" if shared else "none found"


def _licence(backbone: str) -> str:
    row = BACKBONES.get(backbone)
    return f"{row.licence.name}, {row.licence.url}" if row else NONE


def _pairs(facts: Mapping[str, Any]) -> list[list[str]]:
    return [[name, f"{value}"] for name, value in facts.items() if value not in (None, "")]


def between(share: Interval | None) -> str:
    """Put a share with its 95% bounds into words."""
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})" if share else NONE


def tell_origin(pictures: bool, intervals: str) -> str:
    """Say by whom a card was written, whether it holds photos, and of what kind its intervals are."""
    held = (
        "It holds small copies of photos from the data set: hand it on only if they may be seen. " if pictures else ""
    )
    return (
        f"{held}Written by Thaw from what it measured; only the intended use is anyone's own words. Its parts follow "
        f"Mitchell et al., “Model Cards for Model Reporting”, 2019. {intervals}"
    )
