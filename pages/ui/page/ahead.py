"""Has the photos of the data set or run in view looked at ahead of time, and says so in one quiet line."""

import streamlit as st

from pages.ui.page import selection
from pages.ui.words import amounts
from thaw.jobs import lifecycle
from thaw.storage.records import Dataset, Job, Run
from thaw.storage.store import Store
from thaw.training import look_ahead

POLL_S = 2.0


def draw(store: Store, dataset: Dataset) -> None:
    """Begin to look at the photos unless that is done, and draw how far it is for as long as it goes on."""
    _follow(store, look_ahead.start(store, dataset, selection.eye()))


def draw_at_depth(store: Store, run: Run, layers: int, bytes_to_write: int | None) -> None:
    """The same for a phase 2 of the top `layers` of a run, which is to find what it learns from."""
    _follow(store, look_ahead.start_at_depth(store, run, layers, bytes_to_write))


def _follow(store: Store, job: Job | None) -> None:
    if job is None:
        return

    @st.fragment(run_every=POLL_S)
    def line() -> None:
        lifecycle.reconcile(store)
        present = store.job(job.id)
        if not present.active:
            # Drawn anew without the line, and without looking here every two seconds.
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(_tell(present))
            st.button(
                "Not now",
                type="tertiary",
                key=f"stop {job.id}",
                on_click=store.ask_to_stop,
                args=(job.id,),
                help="Stops looking ahead. Training then looks at the photos first.",
            )

    line()


def _tell(job: Job) -> str:
    far = f": {job.done:,} of {amounts.count(job.total, 'photo')}" if job.total else ""
    return f":material/visibility: Looking at your photos while you choose, so that training starts at once{far}."
