"""From a mistake to its fix on the Mistakes page: several at once, what was fixed, and the head that learns anew."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.grid.grid import Action, grid
from pages.ui.components.pictures import Card
from pages.ui.data import browse, curation, edit_history
from pages.ui.mistakes import fix_loop
from pages.ui.words import amounts
from thaw.retraining.fixes import list_fixes
from thaw.storage.records import Dataset, Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace

Fixes = Mapping[str, str | None]

AGREE = Action("agree", "As predicted", "p")
AGREEING = f"“{AGREE.label}” moves each chosen picture to the class that the model says."


def fixes_since(store: Store, run: Run) -> Fixes:
    """Return what has become of the images since a run saw them: see `thaw.retraining.fixes.list_fixes`."""
    return _fixes(store.workspace.root, run.id, store.dataset(run.dataset_id).version)


def tell_fix(fixes: Fixes, image_id: str) -> str:
    """Say in a few words what was done about an image since, or nothing."""
    if image_id not in fixes:
        return ""
    label = fixes[image_id]
    return "excluded since" if label is None else f"moved to {label} since"


def draw_fixes(store: Store, run: Run, fixes: Fixes) -> None:
    """Say how much was fixed since a run saw its data set, with the undo and the way to learn from it."""
    told = ""
    if fixes:
        excluded = sum(label is None for label in fixes.values())
        parts = {expert.kinds("moved to another class"): len(fixes) - excluded, "excluded": excluded}
        done = " and ".join(f"{amounts.count(number, 'photo')} {what}" for what, number in parts.items() if number)
        told = f"**{amounts.count(len(fixes), 'fix', 'fixes')}** since this run saw the data set: {done}."
        edit_history.undo_bar(store, store.dataset(run.dataset_id))
    fix_loop.draw(store, run, partial(fixes_since, store), told)


def draw_several(store: Store, run: Run, cards: Sequence[Card], fixes: Fixes) -> None:
    """Draw the cards as a grid in which many can be chosen and fixed at once; its pictures once it is opened."""
    panel = st.expander(
        "Fix several at once", icon=":material/select_all:", key=f"several of {run.id}", on_change="rerun"
    )
    if not panel.open:
        return
    dataset = store.dataset(run.dataset_id)
    with panel:
        pages = -(-len(cards) // browse.TILES_A_PAGE)
        page = browse.pick_page(f"several page of {run.id}", pages)
        shown = cards[(page - 1) * browse.TILES_A_PAGE : page * browse.TILES_A_PAGE]
        grid(
            f"several grid of {run.id}",
            [
                curation.tile(card.image, f"{card.true} → {card.predicted}", tell_fix(fixes, card.image.id))
                for card in shown
            ],
            [AGREE, curation.EXCLUDE, curation.move_to(dataset, [card.predicted for card in shown])],
            "These pictures, to fix",
            partial(act, store, dataset, {card.image.id: card.predicted for card in shown}),
        )
        st.caption(expert.kinds(AGREEING))


def act(
    store: Store, dataset: Dataset, predicted: Mapping[str, str], action: str, ids: list[str], choice: str | None
) -> None:
    """Do to the chosen pictures what the grid asks for; `predicted` is what the model says of each."""
    if action != AGREE.name:
        browse.act(store, dataset, action, ids, choice)
    else:
        curation.agree(store, dataset, predicted, ids)


# Every image of the data set is read for it, which takes a second where there are very many.
@st.cache_resource(show_spinner=False, max_entries=4)
def _fixes(root: Path, run_id: str, version: int) -> Fixes:
    store = Store(Workspace(root))
    return list_fixes(store, store.run(run_id))
