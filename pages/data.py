"""The Data page: photos in, and what became of them - classes, pictures, and every file that was set aside."""

import math

import streamlit as st

from pages.ui import amounts, figures, live, partition, pictures, selection, steps
from pages.ui.drop_zone import drop_zone
from pages.ui.figure import figure
from pages.ui.names import csv, emphasised, sentence, visible
from pages.ui.paths import read_path
from tlcore import jobs
from tlcore.errors import DatasetError
from tlcore.records import Dataset, Job
from tlcore.store import Store

CLASSES_A_PAGE = 20
PICTURES_A_CLASS = 12
METRIC_WIDTH = 150


def begin(store: Store, request: dict[str, str]) -> None:
    """Start an import and show it."""
    follow_import(jobs.start_import(store, request))


def follow_import(job_id: str) -> None:
    """Show the import of that id from now on."""
    selection.choose("import", job_id)
    st.rerun()


def draw_sources(store: Store) -> None:
    """Draw the ways in: the drop zone, a path on this machine, the sample."""
    uploaded = drop_zone(store.workspace)
    if uploaded:
        follow_import(uploaded)
    with st.expander("Other ways: a path on this machine, or a sample", icon=":material/folder_open:"):
        with st.form("path form", border=False):
            path = st.text_input("Folder or .zip on this machine", placeholder="/home/me/photos")
            if st.form_submit_button("Import this path"):
                import_path(store, path)
        st.markdown("No photos at hand? Try 1,797 real handwritten digits, in ten classes. They come with Thaw.")
        if st.button("Use the sample digits", icon=":material/pin:"):
            begin(store, {"kind": "digits", "path": "", "name": "digits"})


def import_path(store: Store, text: str) -> None:
    """Start the import of a path that was typed, or say beside the field what is wrong with it."""
    try:
        path = read_path(text)
    except DatasetError as problem:
        st.error(sentence(str(problem)), icon=":material/error:")
        return
    begin(store, {"kind": "zip" if path.suffix.lower() == ".zip" else "folder", "path": str(path), "name": ""})


def draw_import(store: Store) -> None:
    """Draw the import that this page follows, or else one that is going on."""
    job = selection.import_job(store)
    if job is None:
        return
    if job.status == "finished":
        selection.choose("import", None)
        selection.choose("dataset", job.dataset_id)
        selection.choose("run", None)
        st.rerun()
    selection.choose("import", job.id)
    live.follow(store, job, lambda present: draw_import_job(store, present))
    if not job.active and st.button("Dismiss"):
        selection.choose("import", None)
        st.rerun()


def draw_import_job(store: Store, job: Job) -> None:
    """Draw how one import stands, with Stop while it goes on."""
    with st.container(border=True):
        st.markdown(f"Import of {emphasised(job.request.get('name') or job.request.get('path') or 'photos')}")
        if job.active:
            live.progress(job, "files")
            st.button(
                "Stop the import",
                icon=":material/stop:",
                disabled=job.stop_requested,
                on_click=store.ask_to_stop,
                args=(job.id,),
            )
        else:
            live.ending(job)


def pick_dataset(store: Store, present: Dataset) -> None:
    """Draw the choice among data sets, where there are several."""
    datasets = {each.id: each for each in store.datasets()}
    if len(datasets) < 2:
        return
    picked = st.selectbox(
        "Data set",
        list(datasets),
        index=list(datasets).index(present.id),
        format_func=lambda each: f"{visible(datasets[each].name)}, {amounts.moment(datasets[each].created_at)}",
        key=f"data set picker {present.id}",
    )
    if picked and picked != present.id:
        selection.choose("dataset", picked)
        selection.choose("run", None)
        st.rerun()


def draw_dataset(store: Store, dataset: Dataset) -> None:
    """Draw a data set: its numbers, classes, pictures and set-aside files."""
    st.subheader(emphasised(dataset.name), anchor=False)
    found = dataset.accepted + dataset.set_aside + dataset.ignored
    with st.container(horizontal=True):
        st.metric("Images accepted", f"{dataset.accepted:,}", border=True, width=METRIC_WIDTH)
        st.metric("Classes", f"{len(dataset.classes):,}", border=True, width=METRIC_WIDTH)
        st.metric("Set aside", f"{dataset.set_aside:,}", border=True, width=METRIC_WIDTH)
        st.metric("Files found", f"{found:,}", border=True, width=METRIC_WIDTH, help="accepted + set aside + ignored")
    if dataset.ignored:
        st.caption(f"{amounts.count(dataset.ignored, 'system file')} ignored, such as Thumbs.db or .DS_Store.")
    for note in dataset.notes:
        st.info(sentence(note), icon=":material/info:")
    tabs = {"Pictures": draw_pictures, "Counts": draw_counts, f"Set aside ({dataset.set_aside:,})": draw_set_aside}
    # Only the tab in front is drawn: a hidden figure would hold up the page, whose pictures are looked at first.
    for tab, draw in zip(
        st.tabs(list(tabs), on_change="rerun", key=f"tabs of {dataset.id}"), tabs.values(), strict=True
    ):
        if tab.open:
            with tab:
                draw(store, dataset)


def draw_pictures(store: Store, dataset: Dataset) -> None:
    """Draw a strip of thumbnails for each class, twenty classes a page."""
    labels = list(dataset.classes)
    pages = max(1, math.ceil(len(labels) / CLASSES_A_PAGE))
    page = st.pagination(pages, key=f"classes of {dataset.id}") if pages > 1 else 1
    for label in labels[(page - 1) * CLASSES_A_PAGE : page * CLASSES_A_PAGE]:
        st.markdown(f"{emphasised(label)} · {amounts.count(dataset.classes[label], 'image')}")
        pictures.strip(dataset.id, store.images(dataset.id, label, limit=PICTURES_A_CLASS))


def draw_counts(_: Store, dataset: Dataset) -> None:
    """Draw the number of images of each class, as bars and as a table."""
    figure(
        figures.class_counts(dataset.classes),
        key=f"counts of {dataset.id}",
        name=f"{dataset.id}-counts",
        alt=f"Number of images of each of {len(dataset.classes)} classes",
    )
    if len(dataset.classes) > figures.MOST_BARS:
        st.caption(f"The {figures.MOST_BARS} largest classes are drawn; the table has all.")
    rows = [{"class": visible(name), "images": number} for name, number in dataset.classes.items()]
    st.dataframe(rows, hide_index=True, alt="Images of each class")


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


steps.heading("data")
kept = selection.store()
progress_spot = st.container()
draw_sources(kept)
with progress_spot:
    draw_import(kept)
shown = selection.dataset(kept)
if shown is None:
    st.caption("Your data sets appear here. Nothing leaves this machine.")
else:
    pick_dataset(kept, shown)
    draw_dataset(kept, shown)
    partition.choose(kept, shown)
    steps.onward("backbone", "On to step 2: choose a backbone")
