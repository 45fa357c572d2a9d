"""Takes a data set away: its pictures in class folders, or the list of its labels, divided as the person wishes."""

from pathlib import Path

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.page import selection
from pages.ui.server.dataset_route import TABLE, ZIP, Wish, dataset_url
from pages.ui.words import amounts
from pages.ui.words.names import sentence
from pages.ui.words.options import distinct
from thaw.datasets.division import SplitChoice
from thaw.datasets.run_split import has_split
from thaw.datasets.zip_file import plan_zip
from thaw.storage.records import Dataset, Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.errors import ThawError

WHOLE, ANEW = "whole", "anew"
KINDS = {ZIP: "Pictures in class folders (zip)", TABLE: "The labels alone (CSV)"}
SAYING = {
    ZIP: "The pictures are Thaw's copies, upright and at most 640 pixels long, with a table of all labels and the "
    "originals' names beside them. Any program that reads class folders takes them, and so does Thaw.",
    TABLE: "One line for each picture: the original's name as it was imported, its label now, its side of the split, "
    "and the SHA-256 of the original. Laid at the top of the folder of your originals, it gives them their labels.",
}


def draw(store: Store, dataset: Dataset) -> None:
    """Draw the choice of what to take away, once the panel is open, and the download with its size."""
    panel = st.expander(
        "Take the cleaned data away", icon=":material/folder_zip:", on_change="rerun", key=f"taking {dataset.id}"
    )
    if not panel.open:
        return
    with panel:
        wish = ask(store, dataset)
        try:
            pictures, size = measure(store.workspace.root, dataset.id, dataset.version, wish)
        except ThawError as problem:
            st.warning(sentence(str(problem)), icon=":material/warning:")
            return
        size_told = amounts.size(size) if wish.kind == ZIP else amounts.count(pictures, "line")
        st.link_button(
            f"Download {amounts.count(pictures, 'picture') if wish.kind == ZIP else 'the list'} ({size_told})",
            dataset_url(dataset.id, wish),
            icon=":material/download:",
        )
        st.caption(expert.kinds(SAYING[wish.kind]))


def ask(store: Store, dataset: Dataset) -> Wish:
    """Draw the choices and return what is wished for."""
    kind = st.radio(
        "What to take",
        list(KINDS),
        format_func=distinct(KINDS, lambda each: expert.kinds(KINDS[each])),
        key=f"kind of {dataset.id}",
        horizontal=True,
    )
    runs = {run.id: run for run in store.runs() if run.dataset_id == dataset.id and has_split(store, run.id)}
    choices = [WHOLE, ANEW, *runs]
    chosen = st.selectbox(
        "Split",
        choices,
        format_func=distinct(choices, lambda each: _describe(each, runs), str),
        key=f"division of {dataset.id} {len(runs)}",
        help=expert.said(
            "With a split, folders for training and validation lie around the class folders. The holdout always has a "
            "folder of its own."
        ),
    )
    with_excluded = bool(dataset.excluded) and st.toggle(
        f"With {amounts.count(dataset.excluded, 'excluded picture')}", key=f"excluded of {dataset.id}"
    )
    return Wish(str(kind), _divide(str(chosen)), with_excluded)


# 32,000 pictures take most of a second to lay out.
@st.cache_data(show_spinner="Laying the pictures out …", max_entries=20)
def measure(root: Path, dataset_id: str, version: int, wish: Wish) -> tuple[int, int]:
    """Return how many pictures and how many bytes a zip has; `version` changes with what it holds."""
    planned = plan_zip(Store(Workspace(root)), dataset_id, wish.division, wish.with_excluded)
    return len(planned.rows), planned.bytes


def _divide(chosen: str) -> SplitChoice:
    if chosen == WHOLE:
        return SplitChoice()
    if chosen == ANEW:
        return SplitChoice(None, selection.validation_share(), selection.seed(), selection.later_share())
    return SplitChoice(chosen)


def _describe(chosen: str, runs: dict[str, Run]) -> str:
    if chosen == WHOLE:
        return expert.kinds("None: class folders alone")
    if chosen == ANEW:
        return expert.either("As it is learnt from", "As chosen above, under Training, validation and beyond")
    return f"That of {chosen}: {runs[chosen].backbone}, {amounts.moment(runs[chosen].created_at)}"
