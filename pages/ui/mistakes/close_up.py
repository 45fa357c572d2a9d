"""One mistake looked at closely, over the page: the photo, what each phase says of it, what it resembles, its fix."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st

from pages.ui.components import pictures
from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.components.grid.grid import grid
from pages.ui.components.lazy_cards import CardListing
from pages.ui.components.pictures import Card
from pages.ui.data import browse, curation
from pages.ui.figures import answer_figure
from pages.ui.figures.answer_figure import name_phase
from pages.ui.mistakes import heat_map, pager
from pages.ui.mistakes.fixing import Fixes, fixes_since, tell_fix
from pages.ui.page import prediction_cache
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, literal, sentence, visible
from pages.ui.words.options import class_names
from thaw.prediction.answers import list_likeliest
from thaw.runs.neighbours import Neighbour
from thaw.runs.results import list_neighbours
from thaw.storage.records import Image, Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.errors import RunError
from tlcore.evaluation.predictions import Predictions

LOOK_ALIKES = 3
TITLE = "Look closer"
KEYS = (
    "Keys: `←` and `→` go to the neighbours, `p` gives the photo the class that the model says, `x` removes it, `u` "
    "undoes the last change, `Esc` closes this."
)


def draw_overlay(store: Store, run: Run, side: str, cards: CardListing, key: str) -> None:
    """Draw the overlay while one of the cards is open (`pager.open_photo`), until it is closed."""
    ids = [cards.predictions.images[row].id for row in cards.rows]
    if st.session_state.get(pager.choice_key(key)) not in ids:
        return
    version = store.dataset(run.dataset_id).version

    def body() -> None:
        pager.make_deferred()
        if store.dataset(run.dataset_id).version != version:
            # What was fixed here is told and learnt from on the page below, which is drawn anew with it.
            st.rerun()
        place = ids.index(st.session_state[pager.choice_key(key)])
        fixes = fixes_since(store, run)
        pager.draw_stepper(store, run, cards, place, fixes, key)
        draw(store, run, side, cards.predictions, cards[place], fixes)
        st.caption(expert.kinds(KEYS))

    st.dialog(TITLE, width="large", on_dismiss=partial(pager.close, key))(body)()


def draw(store: Store, run: Run, side: str, predictions: Predictions, card: Card, fixes: Fixes) -> None:
    """Draw all that is known of one image that judged a run, and what can be done about it: first what anyone sees, the
    photo, where the model looks and what it resembles, then the rest, folded."""
    draw_sentence(card, fixes)
    left, right = st.columns(2)
    with left:
        pictures.large(card.image)
    with right:
        heat_map.draw_picture(run, predictions.labels, card)
    found = find_neighbours(store, run, card)
    draw_likest(found)
    # With a key, so that it stays open from photo to photo and through a fix.
    with st.expander("More about this photo", icon=":material/info:", key=f"more of {run.id}", on_change="rerun"):
        draw_facts(card)
        draw_fix(store, run, card, fixes)
        draw_answers(store, run, side, predictions, card)
        draw_neighbours(store, run, card, found, fixes)
    # Last, since the predictor may have to start first.
    heat_map.draw(store, run, predictions.labels, card)


def draw_sentence(card: Card, fixes: Fixes) -> None:
    """Say what the model takes the photo for, what it really is, and what was done about it since."""
    sure = f"{emphasised(card.predicted)}, {card.confidence:.0%} sure."
    st.markdown(f"{sure} Right." if card.true == card.predicted else f"{sure} Really {emphasised(card.true)}.")
    if card.image.id in fixes:
        st.info(sentence(f"Fixed: {tell_fix(fixes, card.image.id)}."), icon=":material/check:")


def draw_likest(found: Sequence[Neighbour]) -> None:
    """Draw the photos that the model learnt from and that most resemble this one, with their classes."""
    if found:
        st.markdown("It learnt from these, which look most like it:")
        pictures.captioned([(each.image, each.image.label or "") for each in found[:LOOK_ALIKES]])


def draw_facts(card: Card) -> None:
    """Say what the image is, what it was taken for, and where it came from."""
    image = card.image
    st.markdown(
        f"{expert.kinds('True class')}: {emphasised(card.true)} ({amounts.percent(card.true_confidence)})  \n"
        f"Predicted: {emphasised(card.predicted)} ({amounts.percent(card.confidence)})"
    )
    notes = "".join(f" · {visible(note)}" for note in image.notes)
    st.caption(f"From {literal(image.name)} · {image.width:,} x {image.height:,} pixels{notes}")


def draw_fix(store: Store, run: Run, card: Card, fixes: Fixes) -> None:
    """Draw the two fixes of one image: another class, by default the predicted one, or out of the data set."""
    dataset, image_id = store.dataset(run.dataset_id), card.image.id
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
            on_click=pager.defer,
            args=(curation.move, store, dataset, [image_id], label),
            key=f"move {image_id}",
        )
    st.button(
        "Exclude it",
        icon=":material/block:",
        help="It takes part in neither training nor evaluation any more. The original stays as it is.",
        on_click=pager.defer,
        args=(curation.exclude, store, dataset, [image_id]),
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
        words = f"{expert.kinds('Likeliest classes')}, by the {name_phase(phase)}"
    else:
        answers = {each: predictions.labels[int(shares.argmax())] for each, shares in said.items()}
        words = (
            f"Before {expert.either('the eye adapted', 'fine-tuning')}: "
            f"{emphasised(answers[1])} ({amounts.percent(float(said[1].max()))}). "
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


def find_neighbours(store: Store, run: Run, card: Card) -> list[Neighbour]:
    """Return the training images that most resemble one image, or none where the run does not know them."""
    version = store.dataset(run.dataset_id).version
    return _neighbours(card.image, store.workspace.root, run.id, card.image.id, version, str(run.facts))


def draw_neighbours(store: Store, run: Run, card: Card, found: Sequence[Neighbour], fixes: Fixes) -> None:
    """Draw the training images that most resemble one image; a wrong class among them can be fixed at once."""
    if not found:
        return
    dataset = store.dataset(run.dataset_id)
    st.markdown(
        f"The {len(found)} training photos that the {expert.either('eye', 'backbone')} finds most like it, with "
        f"their {expert.kinds('classes')}:"
    )
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
        partial(pager.defer, browse.act, store, dataset),
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
