"""The walk through a list of photos: cards, twelve a page, and the way from one to the next by button or arrow key."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from pages.ui.components.cards.cards import Attention, PhotoCard, Words, photo_cards
from pages.ui.components.expert import expert
from pages.ui.components.lazy_cards import CardListing
from pages.ui.components.pictures import Card
from pages.ui.components.stepper.stepper import GO, Asked, Key, stepper
from pages.ui.data import curation, edit_history
from pages.ui.mistakes import fixing
from pages.ui.mistakes.fixing import Fixes
from pages.ui.server.routes import picture_url
from pages.ui.words.names import visible
from thaw.storage.records import Dataset, Edit, Run
from thaw.storage.store import Store

CARDS_A_PAGE = 12
UNDO = "undo"
CLOSED = "overlay closed"
DEFERRED = "change asked for in the overlay"
RIGHT, REMOVE = "The model is right", "Remove"
ABOUT_REMOVE = "It takes part in neither training nor evaluation any more. The original stays as it is."


def draw(run: Run, cards: CardListing, fixes: Fixes, key: str, reveal: int) -> None:
    """Draw one page of the cards, each of which opens its photo; the browser goes there whenever `reveal` changes."""
    pages = math.ceil(len(cards) / CARDS_A_PAGE)
    page = _pick_page(key, pages)
    first = (page - 1) * CARDS_A_PAGE
    photo_cards(
        f"cards of {run.id}",
        [_card(card, fixing.tell_fix(fixes, card.image.id)) for card in cards[first : first + CARDS_A_PAGE]],
        "Photos, each with what the model says of it",
        partial(open_photo, key),
        Attention(reveal, *st.session_state.get(CLOSED, (0, ""))),
    )


def open_photo(key: str, image_id: str) -> None:
    """Remember which photo is looked at more closely, of the list that `key` names."""
    st.session_state[choice_key(key)] = image_id


def close(key: str) -> None:
    """Look at no photo of a list any more, and have the browser go to the card of the last one."""
    last = st.session_state.pop(choice_key(key), "")
    st.session_state[CLOSED] = (st.session_state.get(CLOSED, (0, ""))[0] + 1, last)


def choice_key(key: str) -> str:
    """Return the session's key of the photo of a list that is looked at more closely."""
    return f"close-up of {key}"


def draw_stepper(store: Store, run: Run, cards: CardListing, place: int, fixes: Fixes, key: str) -> None:
    """Draw the way to the neighbours of the photo at a place of the list, and what can be done to it."""
    ids = [cards.predictions.images[row].id for row in cards.rows]
    card = dataclasses.replace(cards[place], note=fixing.tell_fix(fixes, ids[place]))
    dataset, latest = store.dataset(run.dataset_id), _latest(store, run.dataset_id)
    stepper(
        f"stepper of {key}",
        place,
        ids,
        offer(dataset, card, fixes, latest),
        _tell(card, place, len(ids)),
        partial(ask, store, dataset, ids, card, latest, key),
        grab=True,
    )


def offer(dataset: Dataset, card: Card | None, fixes: Fixes, latest: Edit | None) -> list[Key]:
    """Return what the keys do to the picture that is shown, and which of them can be pressed now."""
    present = fixes.get(card.image.id, card.true) if card else None
    agreeable = card is not None and present is not None and card.predicted != present
    about = f"{expert.kinds('Give it the class')} {visible(card.predicted)}" if card else ""
    return [
        Key(
            fixing.AGREE.name,
            RIGHT,
            fixing.AGREE.key,
            bool(agreeable and card and card.predicted in dataset.classes),
            about,
        ),
        Key(curation.EXCLUDE.name, REMOVE, curation.EXCLUDE.key, present is not None, ABOUT_REMOVE),
        Key(UNDO, "Undo", "u", latest is not None, f"Undo: {edit_history.tell(latest, visible)}" if latest else ""),
    ]


def ask(
    store: Store,
    dataset: Dataset,
    ids: Sequence[str],
    card: Card | None,
    latest: Edit | None,
    key: str,
    asked: Asked,
) -> None:
    """Do what the stepper of the overlay asks for: turn at once, and change something as the overlay is drawn."""
    if asked.action == GO:
        act(store, dataset, ids, card, latest, key, asked)
    else:
        defer(act, store, dataset, ids, card, latest, key, asked)


def defer(change: Callable[..., None], *given: object) -> None:
    """Have a change made as the overlay is drawn next (`make_deferred`), for use as a callback within it.

    Streamlit 1.67 lays a message (`st.toast`) of a callback within a dialog into the dialog's own place: both break.
    """
    st.session_state[DEFERRED] = partial(change, *given)


def make_deferred() -> None:
    """Make the change that a callback has asked for, if any."""
    change = st.session_state.pop(DEFERRED, None)
    if change is not None:
        change()


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
    open_photo(key, ids[place])


def say(card: Card) -> tuple[tuple[Words, ...], ...]:
    """Return the sentence about a judged image, in two lines: what the model says and how sure it is, and the truth."""
    told = Words(card.predicted, strong=True), Words(f", {card.confidence:.0%} sure.")
    if card.true == card.predicted:
        return told, (Words("Right."),)
    return told, (Words("Really "), Words(card.true, strong=True), Words("."))


def _card(card: Card, note: str) -> PhotoCard:
    name = card.image.name.rpartition("/")[2]
    return PhotoCard(card.image.id, picture_url("image", card.image), name, say(card), note)


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
