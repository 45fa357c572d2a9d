"""The walk through a list of pictures: cards, twelve a page, and the one looked at, by choice, button or arrow key."""

import dataclasses
import math
from collections.abc import Sequence
from functools import partial

import streamlit as st

from pages.ui.components import pictures
from pages.ui.components.lazy_cards import CardListing
from pages.ui.components.pictures import Card
from pages.ui.components.stepper.stepper import GO, Asked, Key, stepper
from pages.ui.data import curation, edit_history
from pages.ui.mistakes import close_up, fixing
from pages.ui.mistakes.fixing import Fixes
from pages.ui.words.names import visible
from thaw.storage.records import Dataset, Edit, Run
from thaw.storage.store import Store

CARDS_A_PAGE = 12
UNDO = "undo"


def draw(store: Store, run: Run, cards: CardListing, fixes: Fixes, key: str) -> Card | None:
    """Draw one page of the cards and the ways to one of them; return the one that is to be looked at more closely."""
    pages = math.ceil(len(cards) / CARDS_A_PAGE)
    # In places that stay, so that the stepper below does not move and keeps the focus.
    with st.container():
        page = _pick_page(key, pages)
    first = (page - 1) * CARDS_A_PAGE
    shown = [
        dataclasses.replace(card, note=fixing.tell_fix(fixes, card.image.id))
        for card in cards[first : first + CARDS_A_PAGE]
    ]
    with st.container():
        pictures.cards(shown)
        picked = close_up.pick(shown, _choice(key, page))
    place = None if picked is None else first + shown.index(picked)
    ids = [cards.predictions.images[row].id for row in cards.rows]
    dataset, latest = store.dataset(run.dataset_id), _latest(store, run.dataset_id)
    stepper(
        f"stepper of {key}",
        place,
        ids,
        offer(dataset, picked, fixes, latest),
        _tell(picked, place, len(ids)),
        partial(act, store, dataset, ids, picked, latest, key),
    )
    st.caption(
        "Keys: `←` and `→` go to the neighbours. With the focus on the buttons above, `p` gives the picture the class "
        "that the model says, `x` excludes it, and `u` undoes the last change."
    )
    return picked


def offer(dataset: Dataset, card: Card | None, fixes: Fixes, latest: Edit | None) -> list[Key]:
    """Return what the keys do to the picture that is shown, and which of them can be pressed now."""
    present = fixes.get(card.image.id, card.true) if card else None
    agreeable = card is not None and present is not None and card.predicted != present
    about = f"Give it the class {visible(card.predicted)}" if card else ""
    return [
        Key(
            fixing.AGREE.name,
            fixing.AGREE.label,
            fixing.AGREE.key,
            bool(agreeable and card and card.predicted in dataset.classes),
            about,
        ),
        Key(curation.EXCLUDE.name, curation.EXCLUDE.label, curation.EXCLUDE.key, present is not None),
        Key(UNDO, "Undo", "u", latest is not None, f"Undo: {edit_history.tell(latest, visible)}" if latest else ""),
    ]


def act(
    store: Store,
    dataset: Dataset,
    ids: Sequence[str],
    card: Card | None,
    latest: Edit | None,
    key: str,
    asked: Asked,
) -> None:
    """Do what the stepper asks for: turn to another picture, or fix the one that is shown."""
    if asked.action == GO:
        turn_to(key, ids, asked.place)
    elif asked.action == UNDO and latest:
        edit_history.undo(store, dataset.id, latest)
    elif card:
        fixing.act(store, dataset, {card.image.id: card.predicted}, asked.action, [card.image.id], None)


def turn_to(key: str, ids: Sequence[str], place: int) -> None:
    """Choose the picture at a place of the list, and the page on which it is."""
    page = place // CARDS_A_PAGE + 1
    st.session_state[_turned(key)] = (st.session_state.get(_turned(key), (0, 1))[0] + 1, page)
    st.session_state[_choice(key, page)] = ids[place]


def _tell(card: Card | None, place: int | None, total: int) -> str:
    """Say which picture is shown and what was done about it, for those who cannot see it."""
    if card is None or place is None:
        return ""
    name = card.image.name.rpartition("/")[2]
    said = f"{card.true} taken for {card.predicted}" if card.true != card.predicted else card.true
    return visible(f"{place + 1} of {total:,}: {name}, {said}{f', {card.note}' if card.note else ''}")


def _latest(store: Store, dataset_id: str) -> Edit | None:
    return next((edit for edit in store.edits(dataset_id) if edit.undone_at is None), None)


def _pick_page(key: str, pages: int) -> int:
    """Draw the choice among several pages; a new widget each time that the stepper turns the page."""
    times, turned_to = st.session_state.get(_turned(key), (0, 1))
    return st.pagination(pages, default=turned_to, key=f"cards of {key} {times}") if pages > 1 else 1


def _turned(key: str) -> str:
    return f"turned of {key}"


def _choice(key: str, page: int) -> str:
    return f"close-up of {key} {page}"
