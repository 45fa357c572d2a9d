"""One mistake looked at closely: the picture, what each phase says of it, what it resembles, and its fix."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st

from pages.ui.components import pictures
from pages.ui.components.figure.figure import figure
from pages.ui.components.grid.grid import grid
from pages.ui.components.pictures import Card
from pages.ui.data import browse, curation
from pages.ui.figures import answer_figure
from pages.ui.figures.answer_figure import PHASES
from pages.ui.mistakes import heat_map
from pages.ui.mistakes.fixing import Fixes, tell_fix
from pages.ui.page import prediction_cache
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, literal, sentence, visible
from pages.ui.words.options import class_names, distinct
from thaw.prediction.answers import list_likeliest
from thaw.runs.neighbours import Neighbour
from thaw.runs.results import list_neighbours
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.errors import RunError
from tlcore.evaluation.predictions import Predictions


def pick(cards: Sequence[Card], key: str) -> Card | None:
    """Draw the choice of one of the cards that are shown, and return it."""
    by_id = {card.image.id: card for card in cards}
    picked = st.selectbox(
        "Look closer at one of these",
        list(by_id),
        index=None,
        format_func=distinct(by_id, lambda image_id: _title(list(by_id).index(image_id) + 1, by_id[image_id]), str),
        placeholder="Choose a picture",
        key=key,
    )
    return by_id.get(picked or "")


def draw(store: Store, run: Run, side: str, predictions: Predictions, card: Card, fixes: Fixes) -> None:
    """Draw all that is known of one image that judged a run, and what can be done about it."""
    with st.container(border=True):
        left, right = st.columns(2)
        with left:
            pictures.large(card.image)
        with right:
            draw_facts(card)
            draw_fix(store, run, card, fixes)
        draw_answers(store, run, side, predictions, card)
        above = st.container()
        draw_neighbours(store, run, card, fixes)
        # Drawn last, since the predictor may have to start first.
        with above:
            heat_map.draw(store, run, predictions.labels, card)


def draw_facts(card: Card) -> None:
    """Say what the image is, what it was taken for, and where it came from."""
    image = card.image
    st.markdown(
        f"True class: {emphasised(card.true)} ({amounts.percent(card.true_confidence)})  \n"
        f"Predicted: {emphasised(card.predicted)} ({amounts.percent(card.confidence)})"
    )
    notes = "".join(f" · {visible(note)}" for note in image.notes)
    st.caption(f"From {literal(image.name)} · {image.width:,} x {image.height:,} pixels{notes}")


def draw_fix(store: Store, run: Run, card: Card, fixes: Fixes) -> None:
    """Draw the two fixes of one image: another class, by default the predicted one, or out of the data set."""
    dataset, image_id = store.dataset(run.dataset_id), card.image.id
    if image_id in fixes:
        st.info(sentence(f"Fixed: {tell_fix(fixes, image_id)}."), icon=":material/check:")
    present = fixes.get(image_id, card.true)
    if present is None:
        return
    others = [label for label in dataset.classes if label != present]
    if others:
        label = st.selectbox(
            "It belongs to",
            others,
            index=others.index(card.predicted) if card.predicted in others else 0,
            format_func=class_names(others),
            key=f"class for {image_id} {present}",
        )
        st.button(
            "Move it there",
            icon=":material/drive_file_move:",
            on_click=curation.move,
            args=(store, dataset, [image_id], label),
            key=f"move {image_id}",
        )
    st.button(
        "Exclude it",
        icon=":material/block:",
        help="It takes part in neither training nor evaluation any more. The original stays as it is.",
        on_click=curation.exclude,
        args=(store, dataset, [image_id]),
        key=f"exclude {image_id}",
    )


def draw_answers(store: Store, run: Run, side: str, predictions: Predictions, card: Card) -> None:
    """Draw the likeliest classes, before and after phase 2 where the run has both."""
    phase = run.result_phase or 1
    said = {phase: _shares(predictions, card)}
    try:
        said[3 - phase] = _shares(prediction_cache.predictions(store, run, 3 - phase, side), card)
    except RunError:
        # The run has one phase alone.
        words = f"Likeliest classes, by the {PHASES[phase]}"
    else:
        answers = {each: predictions.labels[int(shares.argmax())] for each, shares in said.items()}
        words = (
            f"Before fine-tuning: {emphasised(answers[1])} ({amounts.percent(float(said[1].max()))}). "
            f"After it: {emphasised(answers[2])} ({amounts.percent(float(said[2].max()))})."
        )
    st.markdown(words)
    shown = list_likeliest(said[phase])
    figure(
        answer_figure.likeliest_classes(predictions.labels, said, phase, card.true),
        key=f"answers {run.id} {card.image.id}",
        name=f"{card.image.id}-answers",
        alt="; ".join(
            f"{visible(predictions.labels[number])} {amounts.percent(float(said[phase][number]))}" for number in shown
        ),
    )


def draw_neighbours(store: Store, run: Run, card: Card, fixes: Fixes) -> None:
    """Draw the training images that most resemble one image; a wrong class among them can be fixed at once."""
    dataset = store.dataset(run.dataset_id)
    found = _neighbours(card.image, store.workspace.root, run.id, card.image.id, dataset.version, str(run.facts))
    if not found:
        return
    st.markdown(f"The {len(found)} training photos that the backbone finds most like it, with their classes:")
    grid(
        f"neighbours of {card.image.id}",
        [
            curation.tile(
                each.image,
                f"{each.image.label}, {each.likeness:.0%} alike",
                tell_fix(fixes, each.image.id),
            )
            for each in found
        ],
        [curation.EXCLUDE, curation.move_to(dataset, [card.true])],
        "Training photos that most resemble it",
        partial(browse.act, store, dataset),
    )


def _shares(predictions: Predictions, card: Card) -> np.ndarray:
    row = next(row for row, image in enumerate(predictions.images) if image.id == card.image.id)
    return predictions.probabilities[row]


# The record of a large run takes half a second to read.
@st.cache_resource(show_spinner=False, max_entries=32)
def _neighbours(_image: Image, root: Path, run_id: str, image_id: str, version: int, facts: str) -> list[Neighbour]:
    """Return what `list_neighbours` does, held by all that it depends on."""
    store = Store(Workspace(root))
    return list_neighbours(store, store.run(run_id), _image)


def _title(number: int, card: Card) -> str:
    name = card.image.name.rpartition("/")[2]
    if card.true == card.predicted:
        return visible(f"{number}. {name}: {card.true}")
    return visible(f"{number}. {name}: {card.true} taken for {card.predicted}")
