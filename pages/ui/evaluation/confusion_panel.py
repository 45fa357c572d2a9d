"""What is taken for what: the confusion matrix with its controls, or of very many classes the commonest mistakes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import Cells, figure
from pages.ui.figures import confusion_figure
from pages.ui.words import amounts
from pages.ui.words.names import csv, visible
from pages.ui.words.options import distinct
from thaw.storage.records import Run
from tlcore.evaluation.metrics import most_confused, order_by_similarity
from tlcore.evaluation.predictions import Predictions, confusion

MOST_PAIRS = 50
COUNTS, RATES = "Images", "Share of the true class"
BY_NAME, BY_LIKENESS = "Name", "What is confused"
FEWEST_TO_ORDER = 3
COLUMNS = ("true", "predicted", "images", "share_of_true")
WANTED = "cell to open"
Open = Callable[[str, str], None]


def draw(
    run: Run, predictions: Predictions, open_cell: Open, chosen: tuple[str | None, str | None] = (None, None)
) -> None:
    """Draw the panel; `open_cell` is called with the true and the predicted class of what is clicked, and `chosen` are
    those that are shown now, None for any."""
    if len(predictions.labels) > confusion_figure.MOST_CLASSES:
        draw_pairs(run, predictions, open_cell)
        return
    matrix = confusion(predictions)
    with st.container(horizontal=True):
        rates = _ask("Cells show", [COUNTS, RATES], f"cells of {run.id}") == RATES
        alike = (
            len(matrix) >= FEWEST_TO_ORDER
            and _ask(expert.kinds("Classes in the order of"), [BY_NAME, BY_LIKENESS], f"class order of {run.id}")
            == BY_LIKENESS
        )
    order = order_by_similarity(matrix) if alike else list(range(len(matrix)))
    draw_matrix(
        run, [predictions.labels[each] for each in order], matrix[np.ix_(order, order)], rates, open_cell, chosen
    )
    parts = [
        expert.kinds("Classes that are confused with one another stand together.") if alike else "",
        "Each row adds up to 100%; the stronger the colour, the larger the share."
        if rates
        else "The stronger the colour, the more images, on one scale for all rows.",
        "Click a cell to see its images, or go to it by arrow keys and press Enter. The diagonal holds those that the "
        "model gets right.",
    ]
    st.caption(" ".join(part for part in parts if part))


def draw_matrix(
    run: Run,
    labels: list[str],
    matrix: np.ndarray,
    rates: bool,
    open_cell: Open,
    chosen: tuple[str | None, str | None],
) -> None:
    """Draw the matrix with its classes in the order of `labels`, and its download."""

    def clicked(predicted: int, true: int) -> None:
        open_cell(labels[true], labels[predicted])

    true, predicted = (labels.index(label) if label else None for label in chosen)
    figure(
        confusion_figure.confusion(
            labels, matrix, (true, predicted) if true is not None and predicted is not None else None, rates
        ),
        key=f"confusion {run.id}",
        name=f"{run.id}-confusion",
        alt=describe_matrix(labels, matrix),
        least_width_px=confusion_figure.least_width_px(len(labels)),
        on_click=clicked,
        cells=Cells(labels, matrix),
    )
    st.download_button(
        "Matrix as CSV",
        lambda: csv(list_cells(labels, matrix), COLUMNS),
        file_name=f"{run.id}-confusion.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"confusion as csv {run.id}",
    )


def describe_matrix(labels: list[str], matrix: np.ndarray) -> str:
    """Say what the matrix shows: how many images are right, and what is taken for what most often."""
    wrong = matrix - np.diag(np.diag(matrix))
    told = (
        f"{expert.either('Mix-up table (confusion matrix)', 'Confusion matrix')} of {len(labels):,} "
        f"{expert.kinds('classes')}: {int(np.trace(matrix)):,} of {int(matrix.sum()):,} images right"
    )
    if not wrong.any():
        return told
    true, predicted = np.unravel_index(int(wrong.argmax()), wrong.shape)
    often = amounts.count(int(wrong.max()), "time")
    return f"{told}; most often {visible(labels[true])} is taken for {visible(labels[predicted])}, {often}"


def list_cells(labels: list[str], matrix: np.ndarray) -> list[dict[str, Any]]:
    """Return a row for each cell that has images: true and predicted class, the images, their share of the true one."""
    sizes = matrix.sum(axis=1)
    return [
        {
            "true": labels[true],
            "predicted": labels[predicted],
            "images": int(matrix[true, predicted]),
            "share_of_true": round(float(matrix[true, predicted] / sizes[true]), 4),
        }
        for true, predicted in np.argwhere(matrix).tolist()
    ]


def draw_pairs(run: Run, predictions: Predictions, open_cell: Open) -> None:
    """Draw the commonest mistakes as a table; choosing a row opens it as a click on a cell does."""
    labels, pairs = predictions.labels, most_confused(predictions.true, predictions.predicted, MOST_PAIRS)
    key = f"pairs of {run.id}"

    def chosen() -> None:
        for row in st.session_state[key].selection.rows:
            open_cell(labels[pairs[row].true], labels[pairs[row].predicted])

    if not pairs:
        return
    st.header("Confused most often", anchor=False)
    st.dataframe(
        [
            {
                expert.kinds("true class"): visible(labels[pair.true]),
                "taken for": visible(labels[pair.predicted]),
                "images": pair.images,
            }
            for pair in pairs
        ],
        hide_index=True,
        key=key,
        on_select=chosen,
        selection_mode="single-row",
        alt=expert.kinds("Pairs of classes") + " that the model confuses most often, with the number of images",
    )
    st.caption(
        f"The {amounts.count(len(pairs), 'commonest mistake')} among {len(labels):,} {expert.kinds('classes')}, too "
        "many for a table of each with each. Choose a row to see its images."
    )


def want_cell(run: Run, side: str) -> Open:
    """Return what remembers a cell that is clicked on another page, until the Mistakes page takes it."""

    def remember(true: str, predicted: str) -> None:
        st.session_state[WANTED] = {"run": run.id, "side": side, "true": true, "predicted": predicted}

    return remember


def is_wanted() -> bool:
    """Say whether a cell was clicked that the Mistakes page is to show."""
    return WANTED in st.session_state


def take_wanted(run: Run) -> dict[str, str] | None:
    """Return the cell of a run that was clicked on another page, by `side`, `true` and `predicted`, and forget it."""
    wanted = st.session_state.pop(WANTED, None)
    return wanted if wanted and wanted["run"] == run.id else None


def _ask(label: str, options: list[str], key: str) -> str:
    names = distinct(options, expert.kinds)
    return st.segmented_control(label, options, default=options[0], required=True, format_func=names, key=key)
