"""The Pictures tab: a strip of every class, or a shelf of pictures in a grid, to exclude, move and restore them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import streamlit as st

from pages.ui.components import pictures
from pages.ui.components.expert import expert
from pages.ui.components.grid.grid import Action, grid
from pages.ui.data import class_tools, curation
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, sentence, visible
from pages.ui.words.options import distinct
from thaw.datasets import edits
from thaw.names import check_class_name
from thaw.storage.records import Dataset, Image
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from thaw.summaries.summarise import show_first
from thaw.summaries.summary import is_large
from tlcore.errors import DatasetError

CLASSES_A_PAGE = 20
PICTURES_A_CLASS = 15
TILES_A_PAGE = 100
OVERVIEW, EDIT = "Overview", "Edit"
TITLES = {
    "all": "All classes",
    "pile": "Without a class",
    "excluded": "Excluded pictures",
    "holdout": "Holdout pictures",
}


@dataclass(frozen=True)
class Shelf:
    """Some pictures of a data set: those in training, of all classes or of `label`, or those that stand elsewhere."""

    kind: Literal["all", "class", "pile", "excluded", "holdout"]
    label: str | None = None

    @property
    def title(self) -> str:
        if self.label is None:
            return expert.kinds(expert.said(TITLES[self.kind]))
        ours = (*TITLES.values(), *map(expert.kinds, TITLES.values()))
        return f"“{self.label}”" if self.label in ours else visible(self.label)

    def count(self, dataset: Dataset) -> int:
        if self.label is not None:
            return dataset.classes.get(self.label, 0)
        return {
            "all": dataset.included,
            "pile": dataset.pile,
            "excluded": dataset.excluded,
            "holdout": dataset.holdout,
        }[self.kind]

    def read(self, store: Store, dataset: Dataset, offset: int) -> list[Image]:
        """Return the images of the page of tiles that starts at `offset`."""
        if self.kind == "holdout" or self.kind == "pile":
            return store.images(dataset.id, limit=TILES_A_PAGE, offset=offset, role=self.kind)
        if self.kind != "excluded":
            return store.images(dataset.id, self.label, limit=TILES_A_PAGE, offset=offset)
        found = store.images(dataset.id, limit=TILES_A_PAGE, offset=offset, excluded=True)
        if len(found) == TILES_A_PAGE:
            return found
        # Those excluded from the holdout, and from the pile, come last.
        others = [*store.images(dataset.id, role="holdout", excluded=True)]
        others += store.images(dataset.id, role="pile", excluded=True)
        first = max(0, offset - (dataset.excluded - len(others)))
        return found + others[first : first + TILES_A_PAGE - len(found)]


def draw(store: Store, dataset: Dataset) -> None:
    """Draw the pictures of a data set, to look at or to edit."""
    way = st.segmented_control(
        "Pictures", [OVERVIEW, EDIT], default=OVERVIEW, required=True, label_visibility="collapsed", key="way to look"
    )
    if way == EDIT:
        draw_editor(store, dataset)
    else:
        draw_overview(store, dataset)


def draw_overview(store: Store, dataset: Dataset) -> None:
    """Draw a strip of thumbnails for each class, twenty classes a page."""
    labels = list(dataset.classes)
    if not labels and not dataset.pile:
        st.caption(expert.kinds("No picture is left in any class. Those that were taken out are under Edit."))
    pages = max(1, math.ceil(len(labels) / CLASSES_A_PAGE))
    page = st.pagination(pages, key=f"classes of {dataset.id}") if pages > 1 else 1
    for label in labels[(page - 1) * CLASSES_A_PAGE : page * CLASSES_A_PAGE]:
        shown = first_photos(store, dataset, label)
        draw_strip(emphasised(label), dataset.classes[label], shown, f"Photos of {label}")
    if dataset.pile:
        shown = store.images(dataset.id, limit=PICTURES_A_CLASS, role="pile")
        draw_strip(f"**{Shelf('pile').title}**", dataset.pile, shown, expert.kinds("Photos without a class"))


def prepare(store: Store, dataset: Dataset) -> None:
    """Find the photos of the overview's first page before anyone opens it, so that they are held."""
    for label in list(dataset.classes)[:CLASSES_A_PAGE]:
        first_photos(store, dataset, label)


def first_photos(store: Store, dataset: Dataset, label: str) -> list[Image]:
    """Return the photos that a class is shown by."""
    if is_large(dataset):
        return show_first(store, dataset, label, PICTURES_A_CLASS)
    return _first(store.workspace.root, dataset.id, dataset.version, label)


# To find the first photos of a class the names of all its photos are put in order: of 32,000 photos, half of the time
# that the page's script took.
@st.cache_resource(show_spinner=False, max_entries=10 * CLASSES_A_PAGE)
def _first(root: Path, dataset_id: str, version: int, label: str) -> list[Image]:
    return Store(Workspace(root)).images(dataset_id, label, limit=PICTURES_A_CLASS)


def draw_strip(title: str, count: int, shown: Sequence[Image], label: str) -> None:
    """Draw some of the `count` pictures of a class below its title, which is Markdown; `label` names the row."""
    with st.container(gap="xxsmall"):
        st.markdown(f"{title} · {amounts.count(count, 'image')}")
        pictures.strip(shown, label)


def draw_editor(store: Store, dataset: Dataset) -> None:
    """Draw one shelf of pictures with what can be done to them, and to its class if it is one."""
    shelf_key = f"shelf of {dataset.id}"
    left, right = st.columns(2)
    with left:
        shelf = pick_shelf(dataset, shelf_key)
    with right:
        new_class = ask_new_class()
    if shelf.label is not None:

        def show(label: str) -> None:
            st.session_state[shelf_key] = Shelf("class", label)

        class_tools.draw(store, dataset, shelf.label, show)
    elif shelf.kind == "all":
        st.caption(expert.kinds("Choose a class above to rename it, merge it or delete it."))
    elif shelf.kind == "pile":
        waiting = "They are neither trained on nor tested with. Move them to a class, and they count as its photos."
        st.caption(expert.kinds(waiting))
    count = shelf.count(dataset)
    title = emphasised(shelf.label) if shelf.label is not None else f"**{shelf.title}**"
    st.markdown(f"{title} · {amounts.count(count, 'image')}")
    # In a place that stays when it is empty, so that the grid does not move and keeps the focus.
    with st.container():
        page = pick_page(f"page of {dataset.id} {shelf}", math.ceil(count / TILES_A_PAGE))
    images = shelf.read(store, dataset, (page - 1) * TILES_A_PAGE)
    grid(
        f"grid of {dataset.id} {shelf}",
        [curation.tile(image) for image in images],
        offer_actions(shelf, dataset, new_class),
        shelf.title,
        partial(act, store, dataset),
    )


def pick_shelf(dataset: Dataset, key: str) -> Shelf:
    """Draw the choice of what the grid shows."""
    shelves = [Shelf("all"), *(Shelf("class", label) for label in dataset.classes)]
    shelves += [Shelf("pile")] if dataset.pile else []
    shelves += [Shelf("excluded")] if dataset.excluded else []
    shelves += [Shelf("holdout")] if dataset.holdout else []
    names = distinct(
        shelves, lambda shelf: shelf.title, lambda shelf: shelf.kind if shelf.label is None else ascii(shelf.label)
    )
    return st.selectbox("Show", shelves, format_func=names, key=key)


def ask_new_class() -> str | None:
    """Draw the field for a class that pictures can be moved to although it is not there yet."""
    typed = st.text_input(
        expert.kinds("New class to move pictures to"),
        placeholder="Only if you need one",
        help="Type its name and press Enter. It is made as soon as a picture is moved to it.",
        key="new class",
    )
    if not typed.strip():
        return None
    try:
        name = check_class_name(typed)
    except DatasetError as problem:
        st.error(sentence(str(problem)), icon=":material/error:")
        return None
    st.caption(f"Select pictures and press “Move to”: {emphasised(name)} stands first there.")
    return name


def pick_page(key: str, pages: int) -> int:
    """Draw the choice among several pages; one that is gone gives way to the last."""
    if pages < 2:
        return 1
    if st.session_state.get(key, 1) > pages:
        st.session_state[key] = pages
    return st.pagination(pages, key=key)


def offer_actions(shelf: Shelf, dataset: Dataset, new_class: str | None) -> list[Action]:
    """Return what can be done to the pictures of a shelf; held-out ones cannot get a class that training knows not."""
    if shelf.kind == "excluded":
        return [Action("restore", "Restore", "r")]
    labels = [new_class] if new_class and shelf.kind != "holdout" else []
    choices = dict.fromkeys([*labels, *dataset.classes])
    if shelf.label is not None:
        choices.pop(shelf.label, None)
    moves = [Action("move", "Move to", "m", tuple(choices))] if choices else []
    return [curation.EXCLUDE, *moves]


def act(store: Store, dataset: Dataset, action: str, ids: list[str], choice: str | None) -> None:
    """Do to the selected pictures what the grid asks for."""
    if action == "move" and choice is not None:
        curation.move(store, dataset, ids, choice)
    elif action == "exclude":
        curation.exclude(store, dataset, ids)
    elif action == "restore":
        curation.change(
            lambda: edits.restore_images(store, dataset.id, ids, dataset),
            lambda done: f"{amounts.count(done, 'image')} restored",
        )
