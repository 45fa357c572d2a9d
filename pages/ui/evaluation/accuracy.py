"""How a run's model does on each set of photos that judges it, and whether its data set is still the one it saw."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.page import prediction_cache
from pages.ui.words import amounts
from pages.ui.words.options import distinct
from thaw.runs.shift import compare_shares
from thaw.storage.records import Dataset, Run
from thaw.storage.store import Store
from tlcore.evaluation.metrics import Interval
from tlcore.evaluation.predictions import VALIDATION
from tlcore.models.backbones import FRESH

TITLES = {
    VALIDATION: "Validation photos",
    "later": "Newest photos",
    "holdout": "Holdout photos",
}
ON_PHOTOS = {
    VALIDATION: "on the validation photos",
    "later": "on the newest photos, taken after all the others",
    "holdout": "on the holdout, photos from other days",
}
PLAIN_TITLES = {VALIDATION: "Exam photos", "holdout": "Extra exam photos (holdout)"}
PLAIN_ON_PHOTOS = {
    VALIDATION: "on the exam photos",
    "holdout": "on the extra exam photos from other days (holdout)",
}
NOTABLE = 0.02


def title(side: str) -> str:
    """Return what a set of photos that judges the model is called."""
    return expert.either(PLAIN_TITLES.get(side, TITLES[side]), TITLES[side])


def on_photos(side: str) -> str:
    """Return on which photos a set judges the model, within a sentence."""
    return expert.either(PLAIN_ON_PHOTOS.get(side, ON_PHOTOS[side]), ON_PHOTOS[side])


def draw_accuracies(store: Store, run: Run, phase: int) -> None:
    """Draw the accuracy on every evaluation set, where a run has more than validation."""
    if len(prediction_cache.sides(store, run, phase)) < 2:
        return
    measured = prediction_cache.accuracies(store, run, phase)
    st.markdown(" ".join(_tell(side, found, measured[VALIDATION]) for side, found in measured.items()))


def name_model(run: Run) -> str:
    """Return what the model of a run is called."""
    if run.backbone in FRESH:
        return expert.either("network", "network trained from scratch")
    if run.result_phase == 1:
        return expert.either("head", "head (phase 1)")
    return expert.either("model with the adapted eye", "fine-tuned model (phase 2)")


def side_key(run: Run) -> str:
    """Return the session's key of the set of photos that is chosen to judge a run."""
    return f"judged on {run.id}"


def ask_side(store: Store, run: Run) -> str:
    """Draw the choice of the photos that judge the model, where a run has several sets; return its name."""
    if len(prediction_cache.sides(store, run)) < 2:
        return VALIDATION
    measured = prediction_cache.accuracies(store, run)
    return st.pills(
        "Judged on",
        list(measured),
        default=VALIDATION,
        required=True,
        format_func=distinct(measured, lambda side: f"{title(side)}: {amounts.percent(measured[side].value)}"),
        key=side_key(run),
    )


def draw_age(dataset: Dataset, run: Run) -> None:
    """Say that a data set has changed since a run saw it, where it has."""
    seen = run.facts.dataset_version
    if seen is not None and seen != dataset.version:
        st.caption(
            ":material/history: The data set has changed since this run. Its figures are of the images and "
            f"{expert.kinds('classes')} as they were then."
        )


def count_right(accuracy: Interval) -> tuple[int, int]:
    """Return how many images an accuracy counts as right, and of how many."""
    return round(accuracy.value * accuracy.of), accuracy.of


def _tell(side: str, accuracy: Interval, on_validation: Interval) -> str:
    """Say how the model does on one set, and how that compares with validation."""
    words = f"{on_photos(side)}: **{amounts.percent(accuracy.value)}** of {accuracy.of:,}"
    words = f"{words[:1].upper()}{words[1:]}"
    if side == VALIDATION:
        return f"{words}."
    shift = compare_shares(count_right(on_validation), count_right(accuracy))
    if abs(shift.points) < 100 * NOTABLE:
        return f"{words}, much the same."
    direction = "lower" if shift.points < 0 else "higher"
    chance = "" if shift.clear else ", which chance could do"
    return f"{words}, {abs(shift.points):.1f} points {direction}{chance}."
