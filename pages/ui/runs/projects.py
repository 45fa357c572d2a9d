"""Saves a run, or a data set with all its runs, as a project: how large it gets, how it goes, and where it lies."""

from pathlib import Path

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.page import live
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, literal
from pages.ui.words.options import distinct
from thaw.projects.jobs import start_save
from thaw.projects.save import choose_contents, measure_project
from thaw.storage.records import Job, Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from thaw.summaries.summary import is_large
from tlcore.errors import ThawError

RUN, DATASET = "run", "dataset"
# A browser's download is read into the server's memory; beyond this the path is told instead.
MOST_DOWNLOADED_BYTES = 500_000_000
KEPT_JOBS = 100


def draw(store: Store, run: Run) -> None:
    """Draw the choice of what to save with its size, the saving while it goes on, and what it left."""
    dataset = store.dataset(run.dataset_id)
    st.markdown(
        "A project goes on elsewhere: photos, labels, changes, settings, weights, "
        f"{expert.either('rounds (epochs)', 'epochs')} and answers in one zip. Open it on the Data page, or with "
        "`python -m thaw project open`."
    )
    what = st.radio(
        "What to save",
        [RUN, DATASET],
        format_func=distinct(
            (RUN, DATASET),
            lambda each: (
                "This run and its data set" if each == RUN else f"{emphasised(dataset.name)} with all its finished runs"
            ),
        ),
        key=f"project of {run.id}",
        horizontal=True,
    )
    subject = run.id if what == RUN else dataset.id
    latest = latest_save(store, subject)
    if latest and latest.active:
        live.follow(store, latest, lambda job: draw_saving(store, job))
        return
    try:
        finished = tuple(each.id for each in store.runs() if each.result_phase)
        # The files of so many photos are not asked for their sizes before somebody wants them saved.
        choose_contents(store, subject)
        size = None if is_large(dataset) else measured(store.workspace.root, subject, dataset.version, finished)
    except ThawError as problem:
        st.caption(str(problem))
        return
    told = "" if size is None else f" ({amounts.size(size)})"
    if st.button(f"Save as a project{told}", icon=":material/folder_zip:"):
        start_save(store, subject)
        st.rerun()
    if latest:
        live.ending(latest)
    draw_saved(store, subject)


def draw_saving(store: Store, job: Job) -> None:
    """Draw how the saving stands, with Stop."""
    if job.active:
        live.progress(job, "files")
        live.stop(store, job, "Stop saving")


def draw_saved(store: Store, subject: str) -> None:
    """Draw where the latest saved project lies, and its download unless it is too large for a browser."""
    path = store.workspace.project(subject)
    if not path.exists():
        return
    kept = path.stat()
    st.caption(
        f"Saved {amounts.moment(kept.st_mtime)}, {amounts.size(kept.st_size)}: {literal(str(path))}. It holds the "
        "photos themselves: hand it on only if they may be seen."
    )
    if kept.st_size <= MOST_DOWNLOADED_BYTES:
        st.download_button(
            "Download the project",
            path.read_bytes,
            file_name=f"{subject}-project.zip",
            mime="application/zip",
            icon=":material/download:",
            key=f"download {subject}",
            on_click="ignore",
        )


def latest_save(store: Store, subject: str) -> Job | None:
    """Return the newest job that saves a run or data set, or None before the first."""
    return next((job for job in store.jobs("save", limit=KEPT_JOBS) if job.request["subject"] == subject), None)


# The sizes of 64,000 files take half a second to ask.
@st.cache_data(show_spinner=False, max_entries=20)
def measured(root: Path, subject: str, version: int, finished: tuple[str, ...]) -> int:
    """Return about how many bytes a project has; `version` and `finished` change with what it holds."""
    store = Store(Workspace(root))
    return measure_project(store, choose_contents(store, subject))
