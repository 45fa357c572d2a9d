"""How a run's model does on each set of photos that judges it, and whether its data set is still the one it saw."""

import streamlit as st

from pages.ui import amounts
from tlcore.evaluation import VALIDATION, accuracies
from tlcore.records import Dataset, Run
from tlcore.store import Store

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
NOTABLE = 0.02


def draw_accuracies(store: Store, run: Run, phase: int) -> None:
    """Draw the accuracy on every evaluation set, where a run has more than validation."""
    measured = accuracies(store, run, phase)
    if len(measured) < 2:
        return
    st.markdown(" ".join(_tell(side, *figures, measured[VALIDATION][0]) for side, figures in measured.items()))


def ask_side(store: Store, run: Run) -> str:
    """Draw the choice of the photos that judge the model, where a run has several sets; return its name."""
    measured = accuracies(store, run)
    if len(measured) < 2:
        return VALIDATION
    return st.pills(
        "Judged on",
        list(measured),
        default=VALIDATION,
        required=True,
        format_func=lambda side: f"{TITLES[side]}: {amounts.percent(measured[side][0])}",
        key=f"judged on {run.id}",
    )


def draw_age(dataset: Dataset, run: Run) -> None:
    """Say that a data set has changed since a run saw it, where it has."""
    seen = run.facts.get("dataset_version")
    if seen is not None and seen != dataset.version:
        st.caption(
            ":material/history: The data set has changed since this run. Its figures are of the images and classes as "
            "they were then."
        )


def _tell(side: str, accuracy: float, number: int, on_validation: float) -> str:
    """Say how the model does on one set, and how that compares with validation."""
    words = f"{ON_PHOTOS[side]}: **{amounts.percent(accuracy)}** of {number:,}"
    if side == VALIDATION:
        return f"{words[:1].upper()}{words[1:]}."
    points = 100 * (accuracy - on_validation)
    if abs(points) < 100 * NOTABLE:
        return f"{words[:1].upper()}{words[1:]}, much the same."
    direction = "lower" if points < 0 else "higher"
    return f"{words[:1].upper()}{words[1:]}, {abs(points):.1f} points {direction}."
