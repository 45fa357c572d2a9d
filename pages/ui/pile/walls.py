"""The groups of a pile, each as a wall of its photos: to be named, merged, parted, and rid of strays."""

from functools import partial

import numpy as np
import streamlit as st

from pages.ui.components.grid.grid import Action, grid
from pages.ui.data import browse, curation
from pages.ui.pile import naming
from pages.ui.pile.state import Looked
from pages.ui.words import amounts
from pages.ui.words.names import emphasised
from pages.ui.words.options import distinct
from thaw.labelling.suggest import order_groups
from thaw.storage.records import Dataset
from thaw.storage.store import Store

GROUPS_A_PAGE = 3
# The last two parts of the line fit side by side on a phone.
NAME_WIDTH, MERGE_WIDTH = 220, 170
TO_GROUP = "group"
# Less is no suggestion: it may well be a kind that has no name yet.
LIKELY = 0.5


def draw(store: Store, dataset: Dataset, looked: Looked) -> None:
    """Draw the groups that wait, those first that teach the most."""
    pile = looked.pile
    groups = order_groups(pile.groups[pile.places], looked.margins(pile.places))
    st.markdown(
        f"**{amounts.count(len(groups), 'group')} to name.** Type what they are; strays can be moved out first."
    )
    for group in groups[:GROUPS_A_PAGE]:
        draw_group(store, dataset, looked, group, groups)
    if len(groups) > GROUPS_A_PAGE:
        st.caption(f"{amounts.count(len(groups) - GROUPS_A_PAGE, 'more group')} come as you name these.")


def draw_sure(store: Store, dataset: Dataset, looked: Looked) -> None:
    """Offer to name at once what the suggestions are sure of."""
    sure = looked.sure()
    if not sure:
        return
    st.button(
        f"Accept {amounts.count(len(sure), 'sure suggestion')}",
        icon=":material/done_all:",
        on_click=naming.name,
        args=(store, dataset, sure),
        help="Names every photo of which a small head, taught with what you have named, is at least 80% sure.",
        key="accept the sure",
    )


def draw_group(store: Store, dataset: Dataset, looked: Looked, group: int, groups: list[int]) -> None:
    """Draw one group: its name or its suggested one, its wall of photos, and how to merge or part it."""
    places = looked.pile.members(group)
    ids = looked.pile.ids(places)
    with st.container(border=True, key=f"pile-group-{group}"):
        # In one line above the photos: what names a group is in sight before its wall is.
        with st.container(horizontal=True, vertical_alignment="bottom"):
            draw_name(store, dataset, looked, group, ids)
            draw_shape(store, dataset, looked, group, groups)
        draw_wall(store, dataset, looked, group, groups)


def draw_name(store: Store, dataset: Dataset, looked: Looked, group: int, ids: list[str]) -> None:
    """Draw the field for a group's name, with what is suggested."""
    guess, key = looked.guess(looked.pile.members(group)), f"name of group {group} {looked.pile.sorting.key}"
    st.text_input(
        naming.title(group, looked.pile.members(group)),
        placeholder="Such as cats; press Enter",
        key=key,
        on_change=naming.name_typed,
        args=(store, dataset, ids, key),
        width=NAME_WIDTH,
    )
    if guess and guess[1] >= LIKELY:
        label, share = guess
        st.button(
            f"Yes, {emphasised(label)}",
            icon=":material/check:",
            type="primary",
            on_click=naming.name,
            args=(store, dataset, dict.fromkeys(ids, label)),
            help=f"Suggested from what you have named: {amounts.percent(share)} sure.",
            key=f"accept group {group}",
        )


def draw_wall(store: Store, dataset: Dataset, looked: Looked, group: int, groups: list[int]) -> None:
    """Draw the photos of a group; those that are chosen can be given a class or moved to another group."""
    places = looked.pile.members(group)
    pages = -(-len(places) // browse.TILES_A_PAGE)
    page = browse.pick_page(f"page of group {group}", pages)
    shown = places[(page - 1) * browse.TILES_A_PAGE : page * browse.TILES_A_PAGE]
    images = store.images_by_id(looked.pile.ids(shown))
    others = {naming.title(each, looked.pile.members(each)): each for each in groups if each != group}
    actions = [Action("move", "Name", "m", tuple(dataset.classes))] if dataset.classes else []
    grid(
        f"wall of group {group} of {looked.pile.sorting.key}",
        [
            curation.tile(images[each], caption=_say(looked, place))
            for each, place in zip(looked.pile.ids(shown), shown, strict=True)
        ],
        [*actions, Action(TO_GROUP, "To group", "g", (naming.NEW_GROUP, *others)), curation.EXCLUDE],
        naming.title(group, places),
        partial(act, store, dataset, looked, others),
    )


def draw_shape(store: Store, dataset: Dataset, looked: Looked, group: int, groups: list[int]) -> None:
    """Draw how a group is parted into two, or merged with another."""
    others = [each for each in groups if each != group]
    key = f"merge group {group} {looked.pile.sorting.key}"
    st.button(
        "Part in two",
        icon=":material/call_split:",
        on_click=naming.part,
        args=(store, dataset, looked.pile, group),
        disabled=len(looked.pile.members(group)) < 2,
        help="Where two kinds are in one group.",
        key=f"part group {group}",
    )
    st.selectbox(
        "Merge with",
        others,
        index=None,
        format_func=distinct(others, lambda each: naming.title(each, looked.pile.members(each)), str),
        placeholder="Merge with…",
        label_visibility="collapsed",
        disabled=not others,
        on_change=naming.merge,
        args=(store, dataset, looked.pile, group, key),
        key=key,
        width=MERGE_WIDTH,
    )


def act(
    store: Store,
    dataset: Dataset,
    looked: Looked,
    others: dict[str, int],
    action: str,
    ids: list[str],
    choice: str | None,
) -> None:
    """Do to the chosen photos what a wall asks for."""
    if action == TO_GROUP:
        naming.move(store, dataset, looked.pile, ids, others.get(choice or ""))
    elif action == "move" and choice is not None:
        naming.name(store, dataset, dict.fromkeys(ids, choice))
    elif action == "exclude":
        curation.exclude(store, dataset, ids)


def _say(looked: Looked, place: np.intp) -> str:
    """Say what is suggested for a photo."""
    guess = looked.guess(np.array([place]))
    return f"{guess[0]}? {guess[1]:.0%}" if guess and guess[1] >= LIKELY else "no name yet"
