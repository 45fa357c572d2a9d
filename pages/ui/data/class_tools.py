"""What can be done to a whole class: rename it, merge it into another, delete it."""

from collections.abc import Callable

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.data import curation
from pages.ui.words import amounts
from pages.ui.words.names import emphasised
from pages.ui.words.options import class_names
from thaw.datasets import edits
from thaw.names import MAX_CLASS_NAME, check_class_name
from thaw.storage.records import Dataset
from thaw.storage.store import Store


def draw(store: Store, dataset: Dataset, label: str, show: Callable[[str], None]) -> None:
    """Draw the tools of the class `label`; `show` is told which class to show where that one is gone."""
    with st.container(horizontal=True):
        with st.popover("Rename", icon=":material/edit:"):
            draw_rename(store, dataset, label, show)
        if len(dataset.classes) > 1:
            with st.popover("Merge into…", icon=":material/merge:"):
                draw_merge(store, dataset, label, show)
        with st.popover("Delete", icon=":material/delete:"):
            draw_delete(store, dataset, label)


def draw_rename(store: Store, dataset: Dataset, label: str, show: Callable[[str], None]) -> None:
    """Draw the field for another name of a class."""
    key = f"name of {dataset.id} {label}"

    def rename() -> None:
        name = st.session_state[key]
        if curation.change(
            lambda: edits.rename_class(store, dataset.id, label, name),
            lambda done: f"{emphasised(label)} renamed, {amounts.count(done, 'image')}",
        ):
            show(check_class_name(name))

    st.markdown(f"Photos that you add later from a folder {emphasised(label)} get the new name as well.")
    with st.form(f"rename {dataset.id} {label}", border=False):
        st.text_input("New name", value=label, key=key, max_chars=MAX_CLASS_NAME)
        st.form_submit_button(expert.kinds("Rename this class"), on_click=rename)


def draw_merge(store: Store, dataset: Dataset, label: str, show: Callable[[str], None]) -> None:
    """Draw the choice of the class that takes in all images of another."""
    key = f"merge of {dataset.id} {label}"

    def merge() -> None:
        target = st.session_state[key]
        if curation.change(
            lambda: edits.merge_classes(store, dataset.id, [label], target, dataset),
            lambda done: f"{amounts.count(done, 'image')} merged into {emphasised(target)}",
        ):
            show(target)

    goal = expert.kinds("into the class that you choose here. Undo parts them again.")
    st.markdown(f"Puts {_all(dataset, label)} {goal}")
    others = [each for each in dataset.classes if each != label]
    st.selectbox("Merge into", others, format_func=class_names(others), key=key)
    st.button("Merge", on_click=merge, key=f"{key} button")


def draw_delete(store: Store, dataset: Dataset, label: str) -> None:
    """Draw the button that takes a class out, with what that means."""

    def delete() -> None:
        curation.change(
            lambda: edits.delete_class(store, dataset.id, label, dataset),
            lambda done: f"{emphasised(label)} deleted, {amounts.count(done, 'image')} excluded",
        )

    way_back = expert.kinds("Your originals stay as they are, and Undo brings the class back.")
    st.markdown(f"Excludes {_all(dataset, label)}. {way_back}")
    st.button(expert.kinds("Delete this class"), on_click=delete, key=f"delete {dataset.id} {label}")


def _all(dataset: Dataset, label: str) -> str:
    return f"{amounts.count(dataset.classes[label], 'image')} of {emphasised(label)}"
