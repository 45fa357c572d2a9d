"""The Pile page: photos that came without folders, in groups of what looks alike, until each has its class."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.data import edit_history
from pages.ui.page import live, selection, steps
from pages.ui.pile import one_by_one, state, walls
from pages.ui.words.names import csv
from thaw.labelling.pile import list_labels
from thaw.labelling.sorter import latest_sorting, start_sorting
from thaw.storage.records import Dataset, Job
from thaw.storage.store import Store

GROUPS, SINGLE = "Groups", "One at a time"


def draw(store: Store, dataset: Dataset) -> None:
    """Draw what waits of a data set: its groups, or one photo after another."""
    draw_progress(store, dataset)
    if not dataset.pile:
        st.success(expert.kinds("Every photo has its class."), icon=":material/check:")
        draw_download(store, dataset)
        steps.onward("backbone", expert.either("On: choose an eye (backbone)", "On: choose a backbone"))
        return
    looked = state.look(store, dataset)
    job = latest_sorting(store, dataset.id)
    if job and job.active:
        live.follow(store, job, lambda present: draw_sorting(store, present))
    elif looked is None or looked.pile.unseen:
        sort(store, dataset, job)
    if looked is None or not len(looked.pile.places):
        return
    # In one line: the photos are to be on the first screen.
    with st.container(horizontal=True, vertical_alignment="center"):
        way = st.segmented_control(
            "How to name them",
            [GROUPS, SINGLE],
            default=GROUPS,
            required=True,
            label_visibility="collapsed",
            key="way",
            width="content",
        )
        walls.draw_sure(store, dataset, looked)
        draw_download(store, dataset)
    if way == GROUPS:
        walls.draw(store, dataset, looked)
    else:
        one_by_one.draw(store, dataset, looked)


def draw_progress(store: Store, dataset: Dataset) -> None:
    """Draw how many photos are named, and the latest change with its undo."""
    total = dataset.included + dataset.pile
    if total:
        st.progress(dataset.included / total, text=f"**{dataset.included:,} of {total:,} named**")
    # A place of its own, also when it is empty: what is below must not move.
    with st.container():
        edit_history.undo_bar(store, dataset)


def draw_download(store: Store, dataset: Dataset) -> None:
    """Draw the download of the labels so far."""
    st.download_button(
        "Labels as CSV",
        lambda: csv(list_labels(store, dataset.id), ["file", "label"]),
        file_name=f"{dataset.id}-labels.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        help=expert.kinds("The name of each photo and its class so far; the class is empty for those that wait."),
    )


def draw_sorting(store: Store, job: Job) -> None:
    """Draw how far the sorting is."""
    st.markdown("**Looking at your photos, to put those together that look alike.**")
    live.progress(job, "photos")
    live.stop(store, job, "Stop")


def sort(store: Store, dataset: Dataset, latest: Job | None) -> None:
    """Start sorting what has not been sorted yet, unless that was stopped or has failed: then offer it."""
    if latest and latest.status != "finished":
        live.ending(latest)
        if not st.button("Sort again", type="primary", icon=":material/workspaces:"):
            return
    start_sorting(store, dataset.id, selection.eye().name)
    st.rerun()


steps.heading("pile")
kept = selection.store()
shown = selection.dataset(kept)
if shown is None:
    steps.missing("data", "There are no photos yet.", "On to your photos")
else:
    draw(kept, shown)
    if shown.pile:
        steps.link("boxes", steps.TO_BOXES)
