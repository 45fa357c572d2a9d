"""The Data page: photos in, and what became of them - classes, pictures, health, and every file that was set aside."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.data import (
    browse,
    dataset_download,
    duplicates,
    edit_history,
    findings,
    following,
    objects,
    sources,
    split_choice,
)
from pages.ui.figures import basics
from pages.ui.page import ahead, deleting, rebuilding, selection, steps
from pages.ui.words import amounts
from pages.ui.words.names import csv, emphasised, sentence, visible
from pages.ui.words.plain import plain_refusal
from thaw.storage.records import Dataset
from thaw.storage.store import Store
from thaw.summaries.summary import is_large

METRIC_WIDTH = 164
EXAMINED_AT_ONCE = 4_000


def draw_dataset(store: Store, dataset: Dataset) -> None:
    """Draw a data set: its photos first, with the tabs of all else about them, then its numbers."""
    st.header(emphasised(dataset.name), anchor=False)
    # A place of its own, also when it is empty: the tabs must not move, or what is focused in them would be lost.
    with st.container():
        edit_history.undo_bar(store, dataset)
    draw_tabs(store, dataset)
    ahead.draw(store, dataset)
    draw_numbers(dataset)
    if dataset.ignored:
        files = amounts.count(dataset.ignored, "hidden or system file")
        st.caption(f"{files} ignored, such as Thumbs.db or what lies in .ipynb_checkpoints.")
    for note in dataset.notes:
        st.info(sentence(note), icon=":material/info:")


def is_for_counting(store: Store, dataset: Dataset) -> bool:
    """Say whether the photos are there to find things on them, and not to be told apart."""
    return not dataset.classes and store.has_boxes(dataset.id)


def draw_obstacles(store: Store, dataset: Dataset, refusal: str | None) -> None:
    """Draw why there is no way on yet, and the ways to what has no class and to boxes, before all else."""
    has_boxes = store.has_boxes(dataset.id)
    if refusal is not None and not is_for_counting(store, dataset):
        st.warning(sentence(plain_refusal(refusal, dataset)), icon=":material/warning:")
    with st.container(horizontal=True):
        if dataset.pile and not has_boxes:
            waiting = amounts.count(dataset.pile, "photo has", "photos have")
            steps.onward("pile", f"Sort them: {waiting} {expert.kinds('no class')} yet")
        if is_for_counting(store, dataset):
            steps.onward("find", "On to Find and count")
        if has_boxes:
            steps.onward("boxes", "See and draw boxes")
        elif dataset.pile and not dataset.classes:
            steps.onward("boxes", steps.TO_BOXES)


def draw_numbers(dataset: Dataset) -> None:
    """Draw the account of all files that were found, and how the accepted images stand."""
    account = (
        f"{dataset.accepted:,} accepted + {dataset.set_aside:,} set aside + {dataset.ignored:,} ignored + "
        f"{dataset.known:,} there already = {dataset.found:,} found"
    )
    standing = f"{dataset.included:,} {expert.kinds('in classes')} + {dataset.excluded:,} excluded + "
    standing += f"{dataset.holdout:,} {expert.either('extra exam photos', 'holdout')}"
    standing += f" + {dataset.pile:,} {expert.kinds('without a class')}" if dataset.pile else ""
    numbers = [
        ("Images accepted", dataset.accepted, standing if dataset.accepted > dataset.included else None),
        (expert.kinds("Classes"), len(dataset.classes), None),
        ("Set aside", dataset.set_aside, None),
        ("Files found", dataset.found, account),
    ]
    if dataset.excluded:
        numbers.append(("Excluded", dataset.excluded, "Neither trained on nor tested with, until they are restored."))
    if dataset.holdout:
        numbers.append(
            (
                expert.either("Extra exam photos", "Holdout"),
                dataset.holdout,
                "Training never sees them; the finished model is tested on them.",
            )
        )
    if dataset.pile:
        numbers.append(
            (
                expert.kinds("Without a class"),
                dataset.pile,
                expert.kinds("Neither trained on nor tested with, until they are moved to a class: Pictures, Edit."),
            )
        )
    with st.container(horizontal=True):
        for label, number, explanation in numbers:
            st.metric(label, f"{number:,}", border=True, width=METRIC_WIDTH, help=explanation)


def draw_tabs(store: Store, dataset: Dataset) -> None:
    """Draw the tabs, of which only the open one is filled: a hidden figure would hold up the page."""
    number = (
        findings.count(store, dataset)
        if dataset.included <= EXAMINED_AT_ONCE or is_large(dataset)
        else st.session_state.get(_health_key(dataset))
    )
    tabs = {
        "Pictures": browse.draw,
        "Health" if number is None else f"Health ({number:,})": findings.draw,
        expert.either("Look-alikes", "Near-duplicates"): duplicates.draw,
        "Counts": draw_counts,
        f"Set aside ({dataset.set_aside:,})": draw_set_aside,
        "History": edit_history.draw,
    }
    if store.has_boxes(dataset.id):
        tabs = {"Pictures": browse.draw, "Objects": objects.draw} | tabs
    keep_tab(f"tabs of {dataset.id}", list(tabs))
    for tab, draw in zip(
        st.tabs(list(tabs), on_change="rerun", key=f"tabs of {dataset.id}"), tabs.values(), strict=True
    ):
        if tab.open:
            with tab:
                draw(store, dataset)


def keep_tab(key: str, labels: list[str]) -> None:
    """Stay on the tab that is open when a number in any of the labels has changed, which makes new tabs of them."""
    before, kept = st.session_state.get(f"{key} before"), st.session_state.get(key)
    if labels != before:
        st.session_state[f"{key} before"] = labels
        st.session_state[key] = next((label for label in labels if kept and _topic(label) == _topic(kept)), "Pictures")


def draw_counts(_: Store, dataset: Dataset) -> None:
    """Draw the number of images of each class, as bars and as a table."""
    figure(
        basics.class_counts(dataset.classes),
        key=f"counts of {dataset.id}",
        name=f"{dataset.id}-counts",
        alt=basics.describe_counts(dataset.classes),
    )
    if len(dataset.classes) > basics.MOST_BARS:
        st.caption(expert.kinds(f"The {basics.MOST_BARS} largest classes are drawn; the table has all."))
    rows = [{expert.kinds("class"): visible(name), "images": number} for name, number in dataset.classes.items()]
    st.dataframe(rows, hide_index=True, alt=expert.kinds("Images of each class"))


def draw_set_aside(store: Store, dataset: Dataset) -> None:
    """Draw every file that was not accepted, with its reason."""
    if not dataset.set_aside:
        st.caption("Nothing: every file was accepted.")
        return
    files = store.set_aside(dataset.id)
    rows = [{"file": visible(each.name), "reason": visible(each.reason)} for each in files]
    st.dataframe(rows, hide_index=True, alt="Files that were set aside, with the reasons")
    st.download_button(
        "List as CSV",
        csv([{"file": each.name, "reason": each.reason} for each in files], ["file", "reason"]),
        file_name=f"{dataset.id}-set-aside.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def count_findings(store: Store, dataset: Dataset) -> None:
    """Count the findings of a large data set once all else is drawn: the page is to open before they are found."""
    if dataset.included <= EXAMINED_AT_ONCE or is_large(dataset):
        return
    number, key = findings.count(store, dataset), _health_key(dataset)
    if st.session_state.get(key) != number:
        st.session_state[key] = number
        st.rerun()


def _health_key(dataset: Dataset) -> str:
    return f"findings of {dataset.id}"


def _topic(label: str) -> str:
    return label.partition(" (")[0]


steps.heading("data", wide=True)
kept = selection.store()
rebuilding.draw(kept)
shown = selection.dataset(kept)
progress_spot = st.container()
sources.draw(kept, shown)
with progress_spot:
    following.draw(kept)
deleting.undo_bar(kept)
if shown is None:
    st.caption("Your data sets appear here. Nothing leaves the machine that Thaw runs on.")
else:
    refusal = split_choice.refusal(kept, shown)
    draw_obstacles(kept, shown, refusal)
    draw_dataset(kept, shown)
    if not is_for_counting(kept, shown):
        split_choice.choose(kept, shown)
    dataset_download.draw(kept, shown)
    deleting.offer(kept, [shown.id], "Delete this data set…")
    if refusal is None:
        what = expert.either("an eye (backbone)", "a backbone")
        steps.onward("backbone", f"On to step 2: choose {what}", stays=True)
    count_findings(kept, shown)
