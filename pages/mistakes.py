"""The Mistakes page: the images that the model gets wrong, surest errors first, what is taken for what, and fixes."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import streamlit as st

from pages.ui import amounts, close_up, figures, fixing, judgement, live, pictures, selection, steps
from pages.ui.figure import figure
from pages.ui.names import csv, emphasised, visible
from pages.ui.pairs import most_confused
from pages.ui.pictures import Card
from tlcore.errors import RunError
from tlcore.evaluation import VALIDATION, Predictions, confusion, find_mistakes, read_predictions
from tlcore.gallery import Card as GalleryCard
from tlcore.gallery import draw_gallery
from tlcore.records import Job, Run
from tlcore.store import Store

CARDS_A_PAGE = 12
MOST_IN_GALLERY = 200
MOST_PAIRS = 50
ANY = "any class"
NOUNS = {VALIDATION: "validation image", "later": "later image", "holdout": "holdout image"}
COLUMNS = ("image", "true", "predicted", "confidence", "true_confidence", "confidence_gap")


def list_cards(predictions: Predictions, true: str | None, predicted: str | None) -> list[Card]:
    """List what the filters leave: mistakes, or where both filters name one class the images it gets right."""
    if true is not None and true == predicted:
        return _right(predictions, true)
    by_id = {image.id: image for image in predictions.images}
    return [
        Card(by_id[each.image_id], each.true, each.predicted, each.confidence, each.true_confidence)
        for each in find_mistakes(predictions)
        if true in (None, each.true) and predicted in (None, each.predicted)
    ]


def draw_confusion(run: Run, predictions: Predictions) -> None:
    """Draw what is taken for what: the whole matrix, or of very many classes the commonest mistakes."""
    keys = f"true of {run.id}", f"predicted of {run.id}"

    def open_cell(predicted: int, true: int) -> None:
        for key, number in zip(keys, (true, predicted), strict=True):
            st.session_state[key] = predictions.labels[number]

    if len(predictions.labels) > figures.MOST_CLASSES:
        draw_pairs(run, predictions.labels, confusion(predictions), open_cell)
    else:
        draw_matrix(run, predictions, confusion(predictions), keys, open_cell)


def draw_pairs(run: Run, labels: list[str], matrix: np.ndarray, open_cell: Callable[[int, int], None]) -> None:
    """Draw the commonest mistakes as a table; choosing a row sets both filters to it."""
    pairs = most_confused(matrix, MOST_PAIRS)
    key = f"pairs of {run.id}"

    def chosen() -> None:
        for row in st.session_state[key].selection.rows:
            open_cell(pairs[row].predicted, pairs[row].true)

    if not pairs:
        return
    st.subheader("Confused most often", anchor=False)
    st.dataframe(
        [
            {
                "true class": visible(labels[pair.true]),
                "taken for": visible(labels[pair.predicted]),
                "images": pair.images,
            }
            for pair in pairs
        ],
        hide_index=True,
        key=key,
        on_select=chosen,
        selection_mode="single-row",
        alt="Pairs of classes that the model confuses most often, with the number of images",
    )
    st.caption(
        f"The {amounts.count(len(pairs), 'commonest mistake')} among {len(labels):,} classes, too many for a matrix. "
        "Choose a row to see its images below."
    )


def draw_matrix(
    run: Run,
    predictions: Predictions,
    matrix: np.ndarray,
    keys: tuple[str, str],
    open_cell: Callable[[int, int], None],
) -> None:
    """Draw the confusion matrix; a click on a cell sets both filters, kept under `keys`, to it."""
    true, predicted = (predictions.labels.index(label) if label else None for label in map(st.session_state.get, keys))
    chosen = (true, predicted) if true is not None and predicted is not None else None
    figure(
        figures.confusion(predictions.labels, matrix, chosen),
        key=f"confusion {run.id}",
        name=f"{run.id}-confusion",
        alt="Confusion matrix: rows are true classes, columns predicted classes",
        on_click=open_cell,
    )
    st.caption("Click a cell to see its images below. The diagonal holds those that the model gets right.")


def ask_filters(run: Run, labels: list[str]) -> tuple[str | None, str | None]:
    """Draw the filters by class and return them; None stands for any class."""
    left, right = st.columns(2)
    true = left.selectbox(
        "True class",
        [None, *labels],
        format_func=lambda each: ANY if each is None else visible(each),
        key=f"true of {run.id}",
    )
    predicted = right.selectbox(
        "Predicted class",
        [None, *labels],
        format_func=lambda each: ANY if each is None else visible(each),
        key=f"predicted of {run.id}",
    )
    return true, predicted


def draw_cards(run: Run, cards: list[Card], fixes: fixing.Fixes) -> Card | None:
    """Draw the cards, twelve a page, and return the one that is to be looked at more closely."""
    pages = max(1, math.ceil(len(cards) / CARDS_A_PAGE))
    page = st.pagination(pages, key=f"cards of {run.id} {len(cards)}") if pages > 1 else 1
    shown = [
        dataclasses.replace(card, note=fixing.tell_fix(fixes, card.image.id))
        for card in cards[(page - 1) * CARDS_A_PAGE : page * CARDS_A_PAGE]
    ]
    pictures.cards(shown)
    return close_up.pick(shown, f"close-up of {run.id} {len(cards)} {page}")


def draw_downloads(store: Store, run: Run, cards: list[Card]) -> None:
    """Draw the downloads of what is shown: a picture with the labels burned in, and a table."""
    with st.container(horizontal=True):
        st.download_button(
            "Gallery as PNG",
            lambda: _gallery(store, run, cards[:MOST_IN_GALLERY]),
            file_name=f"{run.id}-mistakes.png",
            mime="image/png",
            icon=":material/image:",
            on_click="ignore",
        )
        st.download_button(
            "Table as CSV",
            csv([_row(card) for card in cards], COLUMNS),
            file_name=f"{run.id}-mistakes.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
    if len(cards) > MOST_IN_GALLERY:
        st.caption(f"The PNG holds the first {MOST_IN_GALLERY} of {len(cards):,}; the CSV holds all.")


def _right(predictions: Predictions, label: str) -> list[Card]:
    number = predictions.labels.index(label)
    rows = np.flatnonzero((predictions.true == number) & (predictions.predicted == number))
    shares = predictions.probabilities[:, number]
    doubtful_first = sorted(rows, key=lambda row: shares[row])
    return [
        Card(
            predictions.images[row],
            label,
            label,
            float(shares[row]),
            float(shares[row]),
        )
        for row in doubtful_first
    ]


def _row(card: Card) -> dict[str, object]:
    return {
        "image": card.image.name,
        "true": card.true,
        "predicted": card.predicted,
        "confidence": round(card.confidence, 4),
        "true_confidence": round(card.true_confidence, 4),
        "confidence_gap": round(card.confidence - card.true_confidence, 4),
    }


def _gallery(store: Store, run: Run, cards: list[Card]) -> bytes:
    return draw_gallery(
        f"{store.dataset(run.dataset_id).name}: {amounts.count(len(cards), 'image')}",
        [
            GalleryCard(
                store.workspace.image(card.image.folder, card.image.id, card.image.suffix),
                card.true,
                card.predicted,
                f"{card.confidence:.0%} against {card.true_confidence:.0%}",
            )
            for card in cards
        ],
    )


def draw_run(store: Store, run: Run) -> None:
    """Draw the whole page for a run that has a model."""
    selection.run_picker(store, run)
    side = judgement.ask_side(store, run)
    predictions = read_predictions(store, run, side=side)
    wrong = int((predictions.true != predictions.predicted).sum())
    words = "head (phase 1)" if run.result_phase == 1 else "fine-tuned model (phase 2)"
    st.markdown(
        f"On {emphasised(store.dataset(run.dataset_id).name)} the {words} gets "
        f"**{amounts.percent(predictions.accuracy)}** of {amounts.count(len(predictions.images), NOUNS[side])} "
        f"right and **{wrong:,}** wrong."
    )
    judgement.draw_age(store.dataset(run.dataset_id), run)
    fixes = fixing.fixes_since(store, run)
    fixing.draw_fixes(store, run, fixes)
    draw_confusion(run, predictions)
    true, predicted = ask_filters(run, predictions.labels)
    cards = list_cards(predictions, true, predicted)
    right = true is not None and true == predicted
    st.subheader("These it gets right" if right else "Worst mistakes first", anchor=False)
    if not cards:
        st.info("No image here. Choose other classes." if wrong else f"Not one mistake on the {NOUNS[side]}s.")
        return
    st.caption(
        "The least sure first." if right else "Largest gap first: p(predicted) minus p(true), the confidence gap."
    )
    picked = draw_cards(run, cards, fixes)
    if picked:
        close_up.draw(store, run, side, predictions, picked, fixes)
    fixing.draw_several(store, run, cards, fixes)
    draw_downloads(store, run, cards)


def draw_waiting(store: Store, run: Run) -> None:
    """Draw how the training of a run without a model stands, or where to start it."""
    job = store.latest_job(run.id)
    if job is None or not job.active:
        if job:
            live.ending(job)
        steps.missing("head", "This run has no model yet.", "Go to step 3: teach the head")
        return

    def draw(present: Job) -> None:
        if present.active:
            live.progress(present, "images")
            live.pause(store, present)

    st.markdown("The head is in training, or waits its turn. Its mistakes appear here when it is done.")
    live.follow(store, job, draw)


steps.heading("mistakes")
kept = selection.store()
present_run = selection.run(kept)
if present_run is None:
    steps.missing("head", "Mistakes are made by a trained model.", "First teach the head (phase 1)")
else:
    try:
        draw_run(kept, present_run)
    except RunError:
        draw_waiting(kept, present_run)
