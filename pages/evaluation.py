"""The Evaluation page: how good the model is, class by class, and how far its confidence can be trusted."""

import numpy as np
import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.evaluation import accuracy as judgement
from pages.ui.evaluation import confusion_panel, sets_panel
from pages.ui.figures import evaluation_figures
from pages.ui.page import prediction_cache, selection, steps
from pages.ui.words import amounts
from pages.ui.words.names import csv, emphasised, visible
from pages.ui.words.options import class_names
from thaw.runs.decision import keep_decision, read_decision
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.evaluation.calibration import calibration_error, list_bins
from tlcore.evaluation.metrics import (
    FEW_TO_JUDGE,
    ClassFigures,
    Interval,
    measure_classes,
    measure_coverage,
    most_confused,
    precision_recall,
    roc,
)
from tlcore.evaluation.predictions import Predictions
from tlcore.settings import Decision

MOST_DRAWN = 40
MOST_TOLD = 3
NOTABLE_ERROR = 0.03
COLUMNS = ("class", "images", "found", "found_low", "found_high", "right", "right_low", "right_high", "f1")
NOTHING = "–"


def draw_accuracy(store: Store, run: Run, side: str) -> None:
    """Say how many images the model gets right, between which bounds, and how the other sets compare."""
    accuracy = prediction_cache.accuracy(store, run, side=side)
    words = judgement.name_model(run)
    st.markdown(
        f"On {emphasised(store.dataset(run.dataset_id).name)} the {words} gets "
        f"**{amounts.percent(accuracy.value)}** of {amounts.count(accuracy.of, 'photo')} right "
        f"({judgement.title(side).lower()})."
    )
    how = expert.either("", " (95% interval, bootstrap over groups of near-duplicates)")
    st.caption(
        f"With other photos of the same kind it might as well have been {amounts.percent(accuracy.low)} to "
        f"{amounts.percent(accuracy.high)}{how}."
    )
    judgement.draw_age(store.dataset(run.dataset_id), run)


def draw_classes(run: Run, predictions: Predictions) -> None:
    """Draw the figures of each class, the one found least often first: for a room as a few sentences, for an expert as
    a figure, a table and a download."""
    found = sorted(measure_classes(predictions), key=lambda each: each.recall.value if each.recall else 2.0)
    st.header(expert.either("Kind by kind", "Class by class"), anchor=False)
    if not expert.is_on():
        st.markdown(tell_classes(found))
        return
    drawn = found[:MOST_DRAWN]
    figure(
        evaluation_figures.class_intervals(drawn),
        key=f"classes {run.id}",
        name=f"{run.id}-classes",
        alt="; ".join(f"{each.label}: found {_share(each.recall)}, right {_share(each.precision)}" for each in drawn),
    )
    if len(found) > MOST_DRAWN:
        st.caption(
            f"The {MOST_DRAWN} {expert.kinds('classes')} found least often, of {len(found):,}; the table has all."
        )
    few = [each for each in found if each.few]
    if few:
        names = ", ".join(emphasised(each.label) for each in few[:5])
        st.info(
            f"{expert.kinds(amounts.count(len(few), 'class has', 'classes have'))} fewer than {FEW_TO_JUDGE} photos "
            f"here: {names}{' and others' if len(few) > 5 else ''}. The bars show how little their figures say.",
            icon=":material/info:",
        )
    with st.expander("As a table"):
        draw_table(run, found)


def tell_classes(found: list[ClassFigures]) -> str:
    """Say which kinds are found least often, and that all photos of the others are; `found` has the worst first."""
    judged = [each for each in found if each.recall]
    missed = [each for each in judged if each.recall and each.recall.value < 1]
    told = [_tell_class(each) for each in missed[:MOST_TOLD]]
    rest = len(missed) - len(told)
    if rest:
        told.append(f"- Some photos of {amounts.count(rest, 'other kind', 'other kinds')} are missed as well.")
    whole = len(judged) - len(missed)
    if whole:
        all_of = "every kind" if not missed else amounts.count(whole, "kind", "kinds")
        told.append(f"- Of {all_of} it finds every photo.")
    return "\n".join(told)


def _tell_class(each: ClassFigures) -> str:
    right = round((each.recall.value if each.recall else 0) * each.support)
    few = ". So few photos say little" if each.few else ""
    return f"- {emphasised(each.label)}: {right:,} of {amounts.count(each.support, 'photo')} found{few}."


def draw_mix_ups(predictions: Predictions) -> None:
    """Say which kinds are most often taken for which; the Mistakes page shows them."""
    labels, pairs = predictions.labels, most_confused(predictions.true, predictions.predicted, MOST_TOLD)
    told = [
        f"- {emphasised(labels[pair.true])} is taken for {emphasised(labels[pair.predicted])}: "
        f"{amounts.count(pair.images, 'photo')}."
        for pair in pairs
    ]
    st.markdown("\n".join(told) or "No kind is taken for another.")


def draw_table(run: Run, found: list[ClassFigures]) -> None:
    """Draw the table of the classes' figures and its download."""
    st.dataframe(
        [
            {
                "class": visible(each.label),
                "images": each.support,
                "found (recall)": _between(each.recall),
                "right when named (precision)": _between(each.precision),
                "F1": f"{each.f1:.3f}",
            }
            for each in found
        ],
        hide_index=True,
        alt="Images, recall, precision and F1 of each class",
    )
    st.download_button(
        "Table as CSV",
        csv([_row(each) for each in found], COLUMNS),
        file_name=f"{run.id}-classes.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def draw_calibration(run: Run, predictions: Predictions, mended: np.ndarray, temperature: float) -> None:
    """Draw whether the model is right as often as it says, before and after the correction."""
    told, after = (list_bins(each, predictions.true) for each in (predictions.probabilities, mended))
    error, left = calibration_error(told), calibration_error(after)
    st.header("Can its confidence be trusted?", anchor=False)
    is_too_sure = predictions.probabilities.max(axis=1).mean() > predictions.accuracy
    direction = "surer than it should be" if is_too_sure else "less sure than it could be"
    verdict = (
        f"It is {direction}: how sure it is and how often it is right lie **{100 * error:.1f} points** apart on average"
        if error > NOTABLE_ERROR
        else f"Yes: how sure it is and how often it is right lie only **{100 * error:.1f} points** apart on average"
    )
    correction = (
        "A correction by one number (temperature) was tried and left out: on photos held back from its fitting it did "
        "not help."
        if temperature == 1
        else f"Corrected by one number fitted on the validation photos (temperature {temperature:.2f}) it is "
        f"{100 * left:.1f}. No answer changes by that, only how sure it is."
    )
    if not expert.is_on():
        st.markdown(f"{verdict}.")
        return
    st.markdown(f"{verdict} (expected calibration error). {correction}")
    figure(
        evaluation_figures.reliability(told, after if temperature != 1 else []),
        key=f"reliability {run.id}",
        name=f"{run.id}-reliability",
        alt=f"Accuracy against confidence; expected calibration error {error:.3f}, corrected {left:.3f}",
    )


def draw_threshold(store: Store, run: Run, predictions: Predictions, mended: np.ndarray, temperature: float) -> None:
    """Draw what it costs and brings to answer only from a confidence on, and keep the choice."""
    kept = read_decision(run)
    st.header("When should it say “I don't know”?", anchor=False)
    threshold = st.slider(
        "Answer only if at least so sure",
        0.0,
        1.0,
        kept.threshold if kept else 0.0,
        0.01,
        key=f"threshold {run.id}",
        help=expert.either("", "Of the corrected confidence. ") + "Below it the model says that it does not know.",
    )
    sure = mended.max(axis=1) >= threshold
    right = (mended.argmax(axis=1) == predictions.true)[sure]
    st.markdown(f"It {tell_answers(sure, right, '**')}.")
    if expert.is_on():
        figure(
            evaluation_figures.coverage(measure_coverage(mended, predictions.true), threshold),
            key=f"coverage {run.id}",
            name=f"{run.id}-coverage",
            alt="Share of photos answered and share of answers right, by the threshold; "
            f"at {threshold:.0%}: {tell_answers(sure, right)}",
        )
    decision = Decision(run.result_phase or 1, temperature, threshold)
    if st.button(expert.either("Keep this", "Keep this threshold"), icon=":material/check:", disabled=kept == decision):
        keep_decision(store, run.id, decision)
        st.rerun()
    if kept:
        also = expert.either("", f", temperature {kept.temperature:.2f}")
        st.caption(f"Kept with this run: no answer below {kept.threshold:.0%}{also}.")


def tell_answers(sure: np.ndarray, right: np.ndarray, mark: str = "") -> str:
    """Say how many photos are answered and how many of the answers are right; both bool, (photos,) and (answers,)."""
    of_answers = (
        f"{mark}{amounts.percent(float(right.mean()))}{mark} of its answers are right" if len(right) else "of none"
    )
    return f"answers {mark}{amounts.percent(float(sure.mean()))}{mark} of the photos, and {of_answers}"


def draw_curves(run: Run, predictions: Predictions) -> None:
    """Draw the curves over all thresholds of one class against the others, once an expert asks for them."""
    if not expert.is_on():
        return
    panel = st.expander(
        expert.kinds("One class") + " against all others: every threshold (ROC, precision and recall)",
        key=f"curves panel {run.id}",
        on_change="rerun",
    )
    if panel.open:
        with panel:
            draw_class_curves(run, predictions)


def draw_class_curves(run: Run, predictions: Predictions) -> None:
    """Draw the choice of a class and its two curves."""
    labels = predictions.labels
    label = st.selectbox("Class", labels, format_func=class_names(labels), key=f"curves of {run.id}")
    number = predictions.labels.index(label)
    belongs, scores = predictions.true == number, predictions.probabilities[:, number]
    share = float(belongs.mean())
    shown = (
        ("roc", "ROC", roc(belongs, scores), "false alarms", "found", (0.0, 1.0)),
        ("precision", "average precision", precision_recall(belongs, scores), "found", "right", (share, share)),
    )
    for key, title, curve, across, upwards, chance in shown:
        if curve is None:
            st.caption(f"No {title} curve: it takes photos of this {expert.kinds('class')} and of others.")
            continue
        words = f"area under the {title} curve" if key == "roc" else title
        st.markdown(f"**{curve.area:.3f}** {words}; 1 is perfect.")
        figure(
            evaluation_figures.curve(curve, across, upwards, chance),
            key=f"{key} {run.id} {number}",
            name=f"{run.id}-{key}-{number}",
            alt=f"Share {upwards} against {across} over all thresholds; area {curve.area:.3f}",
        )


def draw_run(store: Store, run: Run) -> None:
    """Draw the whole page for a run that has a model."""
    if confusion_panel.is_wanted():
        st.switch_page(steps.page("mistakes"))
    side = judgement.ask_side(store, run)
    predictions = prediction_cache.predictions(store, run, side=side)
    temperature, mended = prediction_cache.mended(store, run, side)
    draw_accuracy(store, run, side)
    sets_panel.draw(store, run)
    draw_classes(run, predictions)
    st.header("What is taken for what", anchor=False)
    if expert.is_on():
        confusion_panel.draw(run, predictions, confusion_panel.want_cell(run, side))
    else:
        draw_mix_ups(predictions)
    draw_calibration(run, predictions, mended, temperature)
    draw_threshold(store, run, predictions, mended, temperature)
    draw_curves(run, predictions)
    steps.onward("mistakes", "See the mistakes one by one")


def _share(share: Interval | None) -> str:
    return amounts.percent(share.value) if share else NOTHING


def _between(share: Interval | None) -> str:
    if share is None:
        return NOTHING
    return f"{amounts.percent(share.value)} ({amounts.percent(share.low)} to {amounts.percent(share.high)})"


def _row(each: ClassFigures) -> dict[str, object]:
    shares = {"found": each.recall, "right": each.precision}
    row: dict[str, object] = {"class": each.label, "images": each.support, "f1": round(each.f1, 4)}
    for name, share in shares.items():
        figures = (share.value, share.low, share.high) if share else ("", "", "")
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), figures, strict=True))
    return row


steps.heading("evaluation")
kept_store = selection.store()
present_run = selection.run(kept_store)
if present_run is None:
    steps.missing("head", "There is no trained model to evaluate yet.", "First teach the head (phase 1)")
else:
    try:
        draw_run(kept_store, present_run)
    except RunError:
        steps.missing("head", "This run has no model yet.", "Go to step 3: teach the head")
