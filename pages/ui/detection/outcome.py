"""What a detector found on the exam photos, missed, and only thought to see, from a chosen confidence on."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, literal
from thaw.detection.found import CONFIDENCE, Judged, measure_found
from thaw.detection.pictures import Mark, Standing, burn_boxes
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.training.run_facts import kept_epoch
from tlcore.detection.found import count_found, judge_photo
from tlcore.evaluation.predictions import VALIDATION

LOWEST, HIGHEST, STEP = 0.05, 0.95, 0.05
SHOWN, COLUMNS = 6, 3
LEGEND = (
    "Solid green: found. Dashed amber: missed. Double red: a false alarm, where nobody has drawn anything of that kind."
)


def draw(store: Store, run: Run) -> float:
    """Draw how much is found, by kind, and the photos with the worst misses and false alarms; return the confidence
    from which on something counts as found."""
    judged = measure_found(store, run)
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
    with score.container():
        draw_score(judged, confidence)
        draw_gain(store, run, confidence)
    draw_kinds(judged, confidence)
    if expert.is_on():
        draw_precision(store, run, judged)
    draw_worst(judged, confidence)
    return confidence


def draw_score(judged: Judged, confidence: float) -> None:
    """Say in large letters how many of the things on the exam photos were found."""
    counts = count_found(judged.found, judged.drawn, judged.labels, confidence)
    found, missed = sum(each.found for each in counts), sum(each.missed for each in counts)
    alarms = sum(each.false_alarms for each in counts)
    st.html(
        '<p style="margin: 0; font-size: 1.5rem; line-height: 1.2;" data-testid="found-score">'
        f'<b style="font-size: 3rem; font-weight: 650;">{found:,} of {found + missed:,}</b> found on the '
        f"{amounts.count(len(judged.images), 'exam photo')}, {amounts.count(alarms, 'false alarm')}</p>"
    )


def draw_gain(store: Store, run: Run, confidence: float) -> None:
    """Say what came of letting the eye adapt, once it has ended."""
    head, tuned = run.facts.head.accuracies.get(VALIDATION), run.facts.fine_tune.accuracies.get(VALIDATION)
    if head is None or tuned is None:
        return
    before, after = (
        sum(each.found for each in count_found(side.found, side.drawn, side.labels, confidence))
        for side in (measure_found(store, run, phase) for phase in (1, 2))
    )
    figures = f"AP50 from {amounts.percent(head)} to {amounts.percent(tuned)}"
    told = f"**{before:,} → {after:,}** found, {figures}"
    what = expert.either("Letting the eye adapt (fine-tuning)", "Fine-tuning")
    if run.result_phase == 2:
        st.success(f"{what} helped: {told}.", icon=":material/check_circle:")
    else:
        st.info(f"{what} did not help: {told}. The detector of before stays.", icon=":material/undo:")


def draw_kinds(judged: Judged, confidence: float) -> None:
    """Draw the same by kind."""
    counts = count_found(judged.found, judged.drawn, judged.labels, confidence)
    if len(counts) == 1:
        return
    lines = [
        f"- {emphasised(each.label)}: {each.found:,} of {each.found + each.missed:,} found, "
        f"{amounts.count(each.false_alarms, 'false alarm')}"
        for each in counts
    ]
    st.markdown("\n".join(lines))


def draw_precision(store: Store, run: Run, judged: Judged) -> None:
    """Draw the field's figure, and whose weights they are."""
    kept = kept_epoch(run, store.epochs(run.id), run.result_phase or 1)
    whose = f", weights of epoch {kept.epoch}" if kept else ""
    st.caption(f"AP50 {amounts.percent(judged.precision)} on {len(judged.images)} validation images{whose}.")


def draw_worst(judged: Judged, confidence: float) -> None:
    """Draw the exam photos with most that is wrong, both boxes burned in."""
    photos = [judge_photo(found, drawn, confidence) for found, drawn in zip(judged.found, judged.drawn, strict=True)]
    wrong = [place for place, photo in enumerate(photos) if len(photo.missed) or len(photo.false_alarms)]
    st.header("What it gets wrong", anchor=False)
    if not wrong:
        st.success("Nothing: all is found, and nothing that is not there.", icon=":material/check_circle:")
        return

    def worst_first(place: int) -> float:
        alarms = judged.found[place].above(confidence).scores[photos[place].false_alarms]
        return -len(photos[place].missed) - float(alarms.sum())

    wrong.sort(key=worst_first)
    st.caption(LEGEND)
    for start in range(0, min(SHOWN, len(wrong)), COLUMNS):
        for column, place in zip(st.columns(COLUMNS), wrong[start : start + COLUMNS], strict=False):
            found, drawn, photo = judged.found[place].above(confidence), judged.drawn[place], photos[place]
            marks = [
                *(Mark(drawn.edges[each], judged.labels[drawn.kinds[each]], Standing.MISSED) for each in photo.missed),
                *(
                    Mark(
                        found.edges[each],
                        f"{judged.labels[found.kinds[each]]} {found.scores[each]:.0%}",
                        Standing.FALSE_ALARM if each in photo.false_alarms else Standing.FOUND,
                    )
                    for each in range(len(found.scores))
                ),
            ]
            column.image(burn_boxes(judged.files[place], marks), width="stretch")
            told = [
                *([f"{len(photo.missed)} missed"] if len(photo.missed) else []),
                *([amounts.count(len(photo.false_alarms), "false alarm")] if len(photo.false_alarms) else []),
            ]
            column.caption(f"{literal(judged.images[place].name)}: {', '.join(told)}")
    if len(wrong) > SHOWN:
        st.caption(f"The {SHOWN} worst of {len(wrong):,} photos with something wrong.")
