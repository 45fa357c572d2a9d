"""The import that a page follows: how it stands, what it asks, and on to its data set when it has ended."""

import streamlit as st

from pages.ui.data import edit_history, sources
from pages.ui.page import live, selection
from pages.ui.words.names import emphasised
from thaw.storage.records import Job
from thaw.storage.store import Store

ENDED = "import that ended"


def draw(store: Store) -> None:
    """Draw the import that this page follows, or else one that is going on; choose its data set once it is there."""
    ended = st.session_state.pop(ENDED, None)
    if ended:
        edit_history.announce(store, store.job(ended))
    job = selection.import_job(store)
    if job is None:
        return
    if job.status == "finished":
        st.session_state[ENDED] = job.id
        selection.choose("import", None)
        selection.choose("dataset", job.dataset_id)
        selection.choose("run", None)
        st.rerun()
    selection.choose("import", job.id)
    live.follow(store, job, lambda present: draw_job(store, present))
    if not job.active and st.button("Dismiss"):
        selection.choose("import", None)
        st.rerun()


def draw_job(store: Store, job: Job) -> None:
    """Draw how one import stands, with Stop while it goes on."""
    with st.container(border=True):
        st.markdown(f"Import of {emphasised(job.request.get('name') or job.request.get('path') or 'photos')}")
        if job.active and job.question:
            sources.draw_question(store, job, job.question)
            live.stop(store, job, "Stop the import")
        elif job.active:
            live.progress(job, "files")
            live.stop(store, job, "Stop the import")
        else:
            live.ending(job)
