"""Fills the model card of a detector: what it finds, misses and only thinks to see, kind by kind, and its limits."""

from collections import Counter
from collections.abc import Mapping, Sequence

from thaw.datasets.box_health import FEW_OBJECTS, FINEST_STRIDE, examine_boxes
from thaw.datasets.edits import ignored
from thaw.detection.boxed_split import LEARNT_FROM, read_seen_boxes
from thaw.detection.found import CONFIDENCE, FoundPhotos, found_file, read_found, tell_found
from thaw.detection.pictures import burn_boxes, list_marks, rank_wrong
from thaw.model_card.blocks import Block, Bullets, CardPhoto, CardPhotos, CardTable, ModelCard, Paragraph, Section
from thaw.model_card.limits import CHANGED_SINCE, LEAST_RECALL, NOT_JUDGED_ELSEWHERE, ON, list_names, list_warnings
from thaw.model_card.lineage import (
    NONE,
    between,
    tell_data,
    tell_details,
    tell_intended_use,
    tell_origin,
    tell_training,
)
from thaw.model_card.pictures import MOST_PHOTOS
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.detection.evaluation import KindFigures, Outcome, Precisions, measure_precisions
from tlcore.evaluation.metrics import FEW_TO_JUDGE, wilson
from tlcore.evaluation.predictions import EVALUATION_SIDES, VALIDATION

CONFIDENCES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SIDE_PX = 320
LEGEND = (
    "Solid green: found. Dashed amber: missed, or taken for another class. Double red: seen where nothing is drawn."
)


def fill_detector_card(store: Store, run: Run, pictures: bool) -> ModelCard:
    """Return the card of a detector's run; raise RunError while it has none. Without `pictures` it holds no photo."""
    folder = store.workspace.run(run.id)
    sides = [
        side
        for side in EVALUATION_SIDES
        if side == VALIDATION or (folder / found_file(run.result_phase or 0, side)).exists()
    ]
    found = {side: read_found(store, run, side=side) for side in sides}
    precisions = {side: measure_precisions(each.found, each.drawn, each.labels) for side, each in found.items()}
    row = next(each for each in store.experiments() if each.model_id == run.id)
    dataset, counted = store.dataset(run.dataset_id), tell_found(found[VALIDATION])
    labels = found[VALIDATION].labels
    return ModelCard(
        f"Model card: {dataset.name}",
        f"Finds objects of {len(labels)} classes on photos. It finds {counted['found']:,} of {counted['objects']:,} on "
        f"{len(found[VALIDATION].images):,} validation photos, with {counted['false_alarms']:,} false alarms, from a "
        f"confidence of {CONFIDENCE:.0%} on; AP50 {_precision(precisions[VALIDATION])}.",
        [
            Section("Model details", [tell_details(run, row, labels)]),
            Section("Intended use", tell_intended_use(run)),
            Section("Training data", tell_data(store, run, row, dataset)),
            Section("Training", tell_training(store, run, row)),
            Section("How good it is", _results(found, precisions)),
            Section("How sure it must be", _confidences(found[VALIDATION])),
            Section("What it gets wrong", _mistakes(found[VALIDATION], pictures)),
            Section("Limits found", [Bullets(_find_limits(store, run, found))]),
            Section(
                "About this card",
                [
                    Paragraph(
                        tell_origin(
                            pictures,
                            "Average precision is that of pycocotools, its intervals are a bootstrap over photos; "
                            "those of what is found are Wilson's.",
                        )
                    )
                ],
            ),
        ],
    )


def _results(found: Mapping[str, FoundPhotos], precisions: Mapping[str, Precisions | None]) -> list[Block]:
    rows = []
    for side, photos in found.items():
        counted, each = tell_found(photos), precisions[side]
        numbers = [f"{counted[name]:,}" for name in ("objects", "found", "confused", "missed", "false_alarms")]
        rows.append(
            [ON[side], f"{len(photos.images):,}", *numbers, _precision(each), between(each.ap50_95 if each else None)]
        )
    counts = ("Objects", "Found", "Taken for another class", "Missed", "False alarms")
    columns = ("Judged on", "Photos", *counts, "AP50 (95% interval)", "AP50-95 (95% interval)")
    blocks: list[Block] = [CardTable("What is found on each set of photos", columns, rows)]
    for side, photos in found.items():
        blocks += _by_class(photos, precisions[side], ON[side])
    off = found[VALIDATION].judge(CONFIDENCE).counting_error
    blocks.append(Paragraph(f"The count of a validation photo is off by {off:.1f} on average."))
    return blocks


def _by_class(photos: FoundPhotos, precisions: Precisions | None, on: str) -> list[Block]:
    judged = photos.judge(CONFIDENCE)
    by_class = precisions.by_kind if precisions else [None] * len(judged.kinds)
    rows = [
        [
            each.label,
            f"{each.objects:,}",
            f"{each.found:,}: {between(wilson(each.found, each.objects))}" if each.objects else NONE,
            f"{each.confused:,}",
            f"{each.missed:,}",
            f"{each.false_alarms:,}",
            NONE if value is None else f"{value:.1%}",
        ]
        for each, value in zip(judged.kinds, by_class, strict=True)
    ]
    counts = ("Found (95% interval)", "Taken for another class", "Missed", "False alarms", "AP50")
    blocks: list[Block] = [CardTable(f"Class by class on {on}", ("Class", "Objects", *counts), rows)]
    if judged.confusions:
        pairs = [[true, said, f"{times:,}"] for true, said, times in judged.confusions]
        blocks.append(CardTable(f"What is taken for what on {on}", ("Is", "Taken for", "Times"), pairs))
    return blocks


def _confidences(validation: FoundPhotos) -> list[Block]:
    counted = [(each, tell_found(validation, each)) for each in CONFIDENCES]
    rows = [
        [f"{confidence:.0%}", f"{told['found']:,} of {told['objects']:,}", f"{told['false_alarms']:,}"]
        for confidence, told in counted
    ]
    return [
        Paragraph(
            f"All counts of this card are of what it is at least {CONFIDENCE:.0%} sure of. From a lower confidence on "
            "more is found, with more false alarms."
        ),
        CardTable("Found and false alarms on validation by confidence", ("From", "Found", "False alarms"), rows),
    ]


def _mistakes(validation: FoundPhotos, pictures: bool) -> list[Block]:
    wrong = rank_wrong(validation.judge(CONFIDENCE))
    if not wrong:
        return [Paragraph("Nothing on the validation photos: all is found, and nothing that is not there.")]
    words = f"Something is wrong on {len(wrong):,} of {len(validation.images):,} validation photos."
    if not pictures:
        return [Paragraph(f"{words} They are left out of this card, which holds no photos.")]
    photos = [
        CardPhoto(
            f"mistake-{number:02}",
            burn_boxes(
                validation.files[place],
                [mark for each in outcomes for mark in list_marks(each, validation.labels)],
                SIDE_PX,
            ),
            _tell_wrong(outcomes, validation.labels),
        )
        for number, (place, outcomes) in enumerate(wrong[:MOST_PHOTOS], 1)
        if validation.files[place].exists()
    ]
    return [Paragraph(f"{words} The worst come first. {LEGEND}"), CardPhotos(photos)]


def _tell_wrong(outcomes: Sequence[Outcome], labels: Sequence[str]) -> str:
    told = Counter(
        f"{labels[each.said or 0]} seen where none is drawn"
        if each.kind is None
        else f"{labels[each.kind]} missed"
        if each.said is None
        else f"{labels[each.kind]} taken for {labels[each.said]}"
        for each in outcomes
        if each.kind != each.said
    )
    return "; ".join(f"{number} x {words}" if number > 1 else words for words, number in told.items())


def _find_limits(store: Store, run: Run, found: Mapping[str, FoundPhotos]) -> list[str]:
    """Return the limits of a detector in plain words, each with its numbers."""
    kinds = found[VALIDATION].judge(CONFIDENCE).kinds
    return [
        f"It knows its {len(kinds)} classes and nothing else: what else a photo shows it overlooks, or takes for one "
        "of them.",
        *_few_objects(run, kinds),
        *_weak_classes(kinds),
        *_small_objects(run, found[VALIDATION]),
        *([] if "holdout" in found else [NOT_JUDGED_ELSEWHERE]),
        *list_warnings(store, run),
        *_health(store, run),
    ]


def _few_objects(run: Run, kinds: Sequence[KindFigures]) -> list[str]:
    learnt = run.facts.class_counts.get("training", {})
    scarce = [each.label for each in kinds if learnt.get(each.label, 0) < FEW_OBJECTS]
    few = [each.label for each in kinds if each.objects < FEW_TO_JUDGE]
    told = [f"Fewer than {FEW_OBJECTS} objects to learn from: {list_names(scarce)}."] if scarce else []
    if few:
        told.append(
            f"Fewer than {FEW_TO_JUDGE} objects on the validation photos, so that the figures of the class say little: "
            f"{list_names(few)}."
        )
    return told


def _weak_classes(kinds: Sequence[KindFigures]) -> list[str]:
    shares = {each.label: each.found / each.objects for each in kinds if each.objects}
    weak = sorted((label for label in shares if shares[label] < LEAST_RECALL), key=shares.__getitem__)
    named = [f"{label} ({shares[label]:.0%})" for label in weak]
    return [f"Classes of which it finds less than {LEAST_RECALL:.0%}: {list_names(named)}."] if named else []


def _small_objects(run: Run, validation: FoundPhotos) -> list[str]:
    """Say how many objects are smaller than the finest grid on which it looks, where there are any."""
    small = total = 0
    for image, drawn in zip(validation.images, validation.drawn, strict=True):
        scale = run.image_size / max(image.width, image.height)
        sides = (drawn.edges[:, 2:] - drawn.edges[:, :2]) * [image.width * scale, image.height * scale]
        small += int((sides.min(axis=1, initial=1e9) < FINEST_STRIDE).sum())
        total += len(sides)
    if not small:
        return []
    return [
        f"{small:,} of {total:,} objects on the validation photos are under {FINEST_STRIDE} pixels wide or high at "
        f"{run.image_size} pixels, the finest grid on which it looks: it hardly sees such."
    ]


def _health(store: Store, run: Run) -> list[str]:
    """Return what may be wrong with the boxes of the data set, if it still is as the run saw it."""
    dataset = store.dataset(run.dataset_id)
    if run.facts.dataset_version not in (None, dataset.version):
        return [CHANGED_SINCE]
    images = [image for role in LEARNT_FROM for image in store.images(dataset.id, role=role)]
    findings = examine_boxes(images, read_seen_boxes(store, run), ignored(store, dataset.id), run.image_size)
    # Of kinds with few objects and of tiny boxes the numbers of the run are told already.
    return [f"Data: {finding.title}" for finding in findings if finding.kind not in ("few", "tiny")]


def _precision(precisions: Precisions | None) -> str:
    return between(precisions.ap50 if precisions else None)
