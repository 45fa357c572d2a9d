"""One photo after another, large, the least certain first: a key from 1 to 9 gives it its class."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from pages.ui.components import pictures
from pages.ui.components.expert import expert
from pages.ui.components.stepper.stepper import GO, Asked, Key, stepper
from pages.ui.data import curation, edit_history
from pages.ui.pile import naming
from pages.ui.pile.state import Looked
from pages.ui.pile.walls import LIKELY
from pages.ui.words.names import emphasised, literal, visible
from thaw.labelling.suggest import order_by_doubt
from thaw.storage.records import Dataset, Image
from thaw.storage.store import Store
from tlcore.photos import natural

KEYS = 9
YES, UNDO = "yes", "undo"


def draw(store: Store, dataset: Dataset, looked: Looked) -> None:
    """Draw the photo whose class would teach the most, with its keys."""
    if looked.suggested is None:
        st.info("Name a group first: then the photos come here that are least certain.", icon=":material/info:")
        return
    pile = looked.pile
    order = pile.places[order_by_doubt(looked.suggested.margins[pile.places], pile.sorting.alike[pile.places])]
    ids = pile.ids(order)
    place = _place(dataset, ids)
    image = store.images_by_id([ids[place]])[ids[place]]
    shares = looked.suggested.shares[order[place]]
    label, share = looked.suggested.labels[int(shares.argmax())], float(shares.max())
    classes = sorted(dataset.classes, key=natural)
    left, right = st.columns([3, 2])
    with left:
        pictures.large(image)
    with right:
        st.markdown(
            f"Looks like {emphasised(label)}, {share:.0%} sure." if share >= LIKELY else "I don't know this one."
        )
        stepper(
            f"stepper of pile {dataset.id}",
            place,
            ids,
            _keys(classes, label, store, dataset),
            visible(f"{image.name.rpartition('/')[2]}: looks like {label}"),
            partial(act, store, dataset, ids, classes, label),
            listens=True,
        )
        _draw_other(store, dataset, image)
        st.caption(
            f"From {literal(image.name)}. The least certain photo comes first. Keys: `1` to `9` give it its "
            f"{expert.kinds('class')}, `y` accepts what is suggested, `x` takes it out and `u` undoes the last change."
        )


def _keys(classes: Sequence[str], label: str, store: Store, dataset: Dataset) -> list[Key]:
    latest = next((edit for edit in store.edits(dataset.id) if edit.undone_at is None), None)
    numbered = [Key(f"class {n}", visible(each), str(n), True) for n, each in enumerate(classes[:KEYS], 1)]
    return [
        Key(YES, f"Yes, {visible(label)}", "y", True),
        *numbered,
        Key(curation.EXCLUDE.name, curation.EXCLUDE.label, curation.EXCLUDE.key, True),
        Key(
            UNDO,
            "Undo",
            "u",
            latest is not None,
            f"Undo: {edit_history.tell(latest, visible)}" if latest else "",
            anywhere=True,
        ),
    ]


def act(store: Store, dataset: Dataset, ids: Sequence[str], classes: Sequence[str], label: str, asked: Asked) -> None:
    """Do what the keys ask for: give the photo that is shown its class, or turn to another."""
    shown = ids[asked.place]
    if asked.action == GO:
        st.session_state[_turned(dataset)] = shown
    elif asked.action == UNDO:
        latest = next((edit for edit in store.edits(dataset.id) if edit.undone_at is None), None)
        if latest:
            edit_history.undo(store, dataset.id, latest)
    elif asked.action == curation.EXCLUDE.name:
        curation.exclude(store, dataset, [shown])
    else:
        chosen = label if asked.action == YES else classes[int(asked.action.removeprefix("class ")) - 1]
        naming.name(store, dataset, {shown: chosen})


def _draw_other(store: Store, dataset: Dataset, image: Image) -> None:
    """Draw the field for a class that has no key, or that is not there yet."""
    key = f"other class of {image.id}"
    st.text_input(
        expert.kinds("Another class"),
        placeholder="Type its name and press Enter",
        key=key,
        on_change=naming.name_typed,
        args=(store, dataset, [image.id], key),
    )


def _place(dataset: Dataset, ids: Sequence[str]) -> int:
    """Return the place of the photo that the person has turned to, the first where it waits no more."""
    turned = st.session_state.get(_turned(dataset))
    return ids.index(turned) if turned in ids else 0


def _turned(dataset: Dataset) -> str:
    return f"photo of the pile of {dataset.id}"
