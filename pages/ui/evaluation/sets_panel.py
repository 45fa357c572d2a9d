"""How a model does on the holdout and on the newest photos beside validation, in plain words and as a figure."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.evaluation import accuracy as judgement
from pages.ui.figures import evaluation_figures
from pages.ui.figures.evaluation_figures import Group
from pages.ui.page import prediction_cache
from pages.ui.words import amounts
from pages.ui.words.names import emphasised
from thaw.runs.shift import Shift, compare_shares, measure_class_shifts
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.evaluation.metrics import Interval, measure_classes
from tlcore.evaluation.predictions import VALIDATION, Predictions

ALL = "all classes"
MOST_NAMED, MOST_DRAWN = 5, 11


def draw(store: Store, run: Run) -> None:
    """Draw the comparison of the sets that judge a run, where it has more than validation."""
    if len(prediction_cache.sides(store, run)) < 2:
        return
    measured = prediction_cache.accuracies(store, run)
    st.header("Does it hold on other photos?", anchor=False)
    validation = prediction_cache.predictions(store, run)
    suffering: dict[str, None] = {}
    for side in measured:
        if side != VALIDATION:
            other = prediction_cache.predictions(store, run, side=side)
            shifts = measure_class_shifts(validation, other)
            st.markdown(f"{tell(side, measured[side], measured[VALIDATION])} {tell_classes(shifts)}")
            suffering |= dict.fromkeys(shift.label for shift in shifts if shift.label)
    draw_figure(store, run, measured, list(suffering)[:MOST_DRAWN])


def tell(side: str, accuracy: Interval, on_validation: Interval) -> str:
    """Say how well a model does on a set, and how that differs from validation, with its 95% interval."""
    shift = compare_shares(judgement.count_right(on_validation), judgement.count_right(accuracy))
    usual = expert.either("the exam photos", "validation")
    words = f"{judgement.on_photos(side)}, it gets **{amounts.percent(accuracy.value)}** of {accuracy.of:,} right"
    words = f"{words[:1].upper()}{words[1:]}"
    if not shift.clear:
        return (
            f"{words}: {_points(shift)} than on {usual} ({_bounds(shift)}), no difference that chance could not "
            "explain."
        )
    harder = expert.either("the exam photos are the harder test here", "validation is the harder test here")
    advice = "expect that in the field" if shift.points < 0 else harder
    return f"{words}, **{_points(shift)}** than on {usual} ({_bounds(shift)}): {advice}."


def tell_classes(shifts: list[Shift]) -> str:
    """Say which classes suffer more than chance explains."""
    suffering = [shift for shift in shifts if shift.high < 0]
    if not suffering:
        return expert.kinds("No class stands out beyond chance.")
    named = ", ".join(f"{emphasised(str(each.label))} ({_points(each)})" for each in suffering[:MOST_NAMED])
    others = f" and {len(suffering) - MOST_NAMED} more" if len(suffering) > MOST_NAMED else ""
    return f"What suffers most: {named}{others}."


def draw_figure(store: Store, run: Run, measured: dict[str, Interval], labels: list[str]) -> None:
    """Draw the share right on every set side by side: of all classes, then of those that suffer most."""
    predictions = {side: prediction_cache.predictions(store, run, side=side) for side in measured}
    groups = [
        Group(judgement.title(side).lower(), [measured[side], *_recalls(predictions[side], labels)])
        for side in measured
    ]
    told = "; ".join(f"{judgement.title(side)} {amounts.percent(found.value)}" for side, found in measured.items())
    figure(
        evaluation_figures.set_intervals([expert.kinds(ALL), *labels], groups),
        key=f"sets {run.id}",
        name=f"{run.id}-sets",
        alt=f"Share right on every set, for {expert.kinds(ALL)} and for {len(labels)} of them. For all: {told}",
    )
    if not expert.is_on():
        st.caption(
            "The share right of all photos, then of single kinds (classes), what suffers most first. The thin lines "
            "show how far chance reaches."
        )
        return
    st.caption(
        "The share right of all photos, then of single classes (recall), what suffers most first, with 95% intervals. "
        "The bounds of a difference in brackets are 95% as well (Agresti and Caffo); of many classes each has to be "
        "the surer."
    )


def _recalls(predictions: Predictions, labels: list[str]) -> list[Interval | None]:
    found = {each.label: each.recall for each in measure_classes(predictions)}
    return [found[label] for label in labels]


def _points(shift: Shift) -> str:
    """Say a difference in points: "12.0 points less"."""
    return f"{abs(shift.points):.1f} points {'less' if shift.points < 0 else 'more'}"


def _bounds(shift: Shift) -> str:
    """Say between what a difference lies: "6.1 to 18.2", or from less to more where it may be either."""
    if shift.clear:
        low, high = sorted((abs(shift.low), abs(shift.high)))
        return f"{low:.1f} to {high:.1f}"
    return f"between {abs(shift.low):.1f} less and {abs(shift.high):.1f} more"
