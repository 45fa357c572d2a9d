"""How a probe or a search stands and ended: what is tried on a run without changing it."""

import streamlit as st

from pages.ui.page import live
from pages.ui.words import amounts
from pages.ui.words.names import capital, sentence
from thaw.jobs import stages
from thaw.storage.records import Job
from thaw.storage.store import Store


def progress(store: Store, job: Job) -> None:
    """Draw the progress of an active probe or search with the time left, and Stop."""
    if stages.unit(job.stage) in ("percent", "batches"):
        words = [capital(stages.name(job.stage)), f"{job.done / max(job.total, 1):.0%}"]
        if job.rate > 0:
            words.append(f"{amounts.duration(job.seconds_left)} left")
        st.progress(min(job.done / max(job.total, 1), 1.0), text=sentence(" · ".join(words)))
        if job.stop_requested:
            st.caption("Stopping after the present step…")
    else:
        live.progress(job, "images")
    live.stop(store, job, "Stop")


def ending(job: Job, kept: str) -> None:
    """Say how a probe or search ended, where it did not simply finish; `kept` is what a stop leaves."""
    if job.status == "stopped":
        st.info(f"Stopped, as you asked. {kept}", icon=":material/stop_circle:")
    else:
        live.ending(job)
