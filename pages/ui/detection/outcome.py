"""What a detector found on the exam photos, missed, and only thought to see, from a chosen confidence on."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.detection import counting
from pages.ui.server.frame_route import LEAST_CONFIDENCE
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, literal, visible
from thaw.detection.found import CONFIDENCE, FoundPhotos, read_found
from thaw.detection.pictures import burn_boxes, list_marks, rank_wrong
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.training.run_facts import kept_epoch
from tlcore.detection.evaluation import Judged, Outcome, measure_precisions
from tlcore.evaluation.metrics import Interval
from tlcore.evaluation.predictions import VALIDATION

LOWEST, HIGHEST, STEP = LEAST_CONFIDENCE, 0.95, 0.05
SHOWN, COLUMNS = 6, 3
LEGEND = (
    "Solid green: found. Dashed amber: missed, or taken for something else. Double red: what it only thought to see."
)


def draw(store: Store, run: Run) -> float:
    """Draw how much is found, by kind, and the photos with the worst misses and false alarms; return the confidence
    from which on something counts as found."""
    photos = read_found(store, run)
    score = st.empty()
    confidence = st.slider(
        "How sure it must be (confidence)",
        LOWEST,
        HIGHEST,
        CONFIDENCE,
        STEP,
        key=f"confidence {run.id}",
        help="Lower: more is found, with more false alarms. Higher: fewer false alarms, more is missed.",
    )
    judged = photos.judge(confidence)
    with score.container():
        draw_score(judged)
        draw_gain(store, run, confidence)
    draw_kinds(judged)
    if expert.is_on():
        draw_precision(store, run, photos, judged)
    counting.draw(run, judged)
    draw_worst(photos, judged)
    return confidence


def draw_score(judged: Judged) -> None:
    """Say in large letters how many of the things on the exam photos were found."""
    found, objects, alarms = add_up(judged)
    st.html(
        '<p style="margin: 0; font-size: 1.5rem; line-height: 1.2;" data-testid="found-score">'
        f'<b style="font-size: 3rem; font-weight: 650;">{found:,} of {objects:,}</b> found on the '
        f"{amounts.count(judged.photos, 'exam photo')}, {amounts.count(alarms, 'false alarm')}</p>"
    )


def add_up(judged: Judged) -> tuple[int, int, int]:
    """Return how many things of all kinds were found, how many there are, and the number of false alarms."""
    found, objects, alarms = (
        sum(getattr(each, name) for each in judged.kinds) for name in ("found", "objects", "false_alarms")
    )
    return found, objects, alarms


def draw_gain(store: Store, run: Run, confidence: float) -> None:
    """Say what came of letting the eye adapt, once it has ended."""
    head, tuned = run.facts.head.accuracies.get(VALIDATION), run.facts.fine_tune.accuracies.get(VALIDATION)
    if head is None or tuned is None:
        return
    before, after = (
        sum(each.found for each in read_found(store, run, phase).judge(confidence).kinds) for phase in (1, 2)
    )
    told = f"**{before:,} → {after:,}** found, AP50 from {amounts.percent(head)} to {amounts.percent(tuned)}"
    what = expert.either("Letting the eye adapt (fine-tuning)", "Fine-tuning")
    if run.result_phase == 2:
        st.success(f"{what} helped: {told}.", icon=":material/check_circle:")
    else:
        st.info(f"{what} did not help: {told}. The detector of before stays.", icon=":material/undo:")


def draw_kinds(judged: Judged) -> None:
    """Draw the same by kind, where there are several."""
    lines = [
        f"- {emphasised(each.label)}: {each.found:,} of {each.objects:,} found, "
        f"{amounts.count(each.false_alarms, 'false alarm')}"
        for each in judged.kinds
    ]
    if len(lines) > 1:
        st.markdown("\n".join(lines))


def draw_precision(store: Store, run: Run, photos: FoundPhotos, judged: Judged) -> None:
    """Draw the field's figures with their intervals, and whose weights they are."""
    precisions = measure_precisions(photos.found, photos.drawn, photos.labels)
    if precisions is None:
        return
    kept = kept_epoch(run, store.epochs(run.id), run.result_phase or 1)
    whose = f"; weights of epoch {kept.epoch}" if kept else ""
    st.caption(
        f"AP50 {_tell(precisions.ap50)}, AP50-95 {_tell(precisions.ap50_95)} (pycocotools, 95% intervals over "
        f"{amounts.count(judged.photos, 'validation image')}){whose}."
    )


def draw_worst(photos: FoundPhotos, judged: Judged) -> None:
    """Draw the exam photos with most that is wrong, both boxes burned in."""
    wrong = rank_wrong(judged)
    st.header("What it gets wrong", anchor=False)
    if not wrong:
        st.success("Nothing: all is found, and nothing that is not there.", icon=":material/check_circle:")
        return
    st.caption(LEGEND)
    for start in range(0, min(SHOWN, len(wrong)), COLUMNS):
        for column, (place, outcomes) in zip(st.columns(COLUMNS), wrong[start : start + COLUMNS], strict=False):
            marks = [mark for each in outcomes for mark in list_marks(each, photos.labels)]
            name, told = photos.images[place].name, tell_wrong(outcomes)
            column.image(burn_boxes(photos.files[place], marks), width="stretch", alt=f"{visible(name)}: {told}")
            column.caption(f"{literal(name)}: {told}")
    if len(wrong) > SHOWN:
        st.caption(f"The {SHOWN} worst of {len(wrong):,} photos with something wrong.")


def tell_wrong(outcomes: Sequence[Outcome]) -> str:
    """Say what is wrong on a photo."""
    missed = sum(each.said is None for each in outcomes)
    confused = sum(each.kind is not None and each.said is not None and each.said != each.kind for each in outcomes)
    alarms = sum(each.kind is None for each in outcomes)
    told = [f"{number} {words}" for number, words in ((missed, "missed"), (confused, "mixed up")) if number]
    return ", ".join([*told, *([amounts.count(alarms, "false alarm")] if alarms else [])])


def _tell(interval: Interval) -> str:
    return f"{amounts.percent(interval.value)} ({interval.low:.0%} to {interval.high:.0%})"
