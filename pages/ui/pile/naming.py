"""What a person does with a pile, from whichever way it is shown: names, and photos that move to another group."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.data import curation
from pages.ui.words import amounts
from pages.ui.words.names import literal
from thaw.datasets import edits
from thaw.labelling import pile as piles
from thaw.labelling.pile import Pile
from thaw.storage.records import Dataset
from thaw.storage.store import Store

NEW_GROUP = "A group of their own"


def name(store: Store, dataset: Dataset, labels: Mapping[str, str]) -> None:
    """Give photos, by id, their classes in one change, and say so."""
    classes = list(dict.fromkeys(labels.values()))
    told = literal(classes[0]) if len(classes) == 1 else expert.kinds(amounts.count(len(classes), "class", "classes"))
    curation.change(
        lambda: edits.name_images(store, dataset.id, labels, dataset),
        lambda done: f"{amounts.count(done, 'photo')} named: {told}",
    )


def name_typed(store: Store, dataset: Dataset, ids: Sequence[str], key: str) -> None:
    """Name a group as the person has typed, or say what is wrong with the name."""
    typed = str(st.session_state.get(key) or "")
    # Or the same name could not be typed again after an undo.
    st.session_state[key] = ""
    known = {label.casefold(): label for label in dataset.classes}
    name(store, dataset, dict.fromkeys(ids, known.get(typed.strip().casefold(), typed)))


def move(store: Store, dataset: Dataset, pile: Pile, ids: Sequence[str], group: int | None) -> None:
    """Put photos into another group, or into one of their own."""
    wanted = set(ids)
    places = [place for place, each in enumerate(pile.sorting.ids) if each in wanted]
    _arrange(lambda: piles.put_into(store, dataset.id, pile, places, group, dataset))


def merge(store: Store, dataset: Dataset, pile: Pile, group: int, key: str) -> None:
    """Put all of a group into the one that was chosen beside it."""
    target = st.session_state.get(key)
    st.session_state[key] = None
    if target is not None:
        _arrange(lambda: piles.put_into(store, dataset.id, pile, pile.members(group), target, dataset))


def part(store: Store, dataset: Dataset, pile: Pile, group: int) -> None:
    """Part a group into two."""
    _arrange(lambda: piles.part(store, dataset.id, pile, group, dataset))


def _arrange(make: Callable[[], int]) -> None:
    curation.change(make, lambda done: f"{amounts.count(done, 'photo')} moved to another group")


def title(group: int, places: np.ndarray) -> str:
    """Return what a group without a name is called."""
    return f"Group {group + 1} ({amounts.count(len(places), 'photo')})"
