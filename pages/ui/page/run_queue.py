"""Shows the queue for the device: what is at work, what waits its turn, and how to change that."""

from collections.abc import Callable

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.page import live, selection
from pages.ui.server.asker import tell_asker
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, sentence
from thaw.jobs import lifecycle, queue, stages
from thaw.storage.records import Job, Run
from thaw.storage.store import Store
from tlcore.errors import ThawError
from tlcore.models.backbones import BACKBONES, FRESH

POLL_S = 1.5
ASKED_TWICE = "run that was asked for twice"
WORK = {
    "head": "the head (phase 1)",
    "fine_tune": "fine-tuning (phase 2)",
    "check": "a check of the data",
    "sort": "the sorting of a pile",
    "probe": "a trial of depths",
    "rate_search": "a search for a learning rate",
    "search": "a search for settings",
    "export": "an export",
}


PLAIN_WORK = {
    "fine_tune": "letting the eye adapt (fine-tuning, phase 2)",
    "rate_search": "a search for the size of the steps (learning rate)",
}


def draw(store: Store, shown: str | None = None) -> None:
    """Draw the queue while anything is in it, anew again and again; nothing where that is the job `shown` alone."""
    if all(job.id == shown for job in store.queue()):
        return

    @st.fragment(run_every=POLL_S)
    def panel() -> None:
        lifecycle.reconcile(store)
        line = store.queue()
        if all(job.id == shown for job in line):
            st.rerun()
        waiting = [job for job in line if queue.waits(job)]
        st.header("In progress and waiting", anchor=False)
        for job in line:
            if job not in waiting:
                draw_working(store, job)
        for place, job in enumerate(waiting, 1):
            draw_waiting(store, job, place)

    panel()


def start_once(same: str | None, start: Callable[[], str], choose: bool = True) -> None:
    """Start a run and choose it, unless `same` is one that waits or works with the same settings: that is chosen.

    `start` returns the new run's id. With `choose` False the run on show stays on show.
    """
    if same is not None:
        selection.choose("run", same)
        st.session_state[ASKED_TWICE] = same
    elif choose:
        selection.choose_started("run", start)
    else:
        start()


def tell_asked_twice(run: Run | None, job: Job | None) -> None:
    """Say that the run on show is the one that has been asked for again, as long as it waits or works."""
    if run is None or job is None or not job.active or st.session_state.get(ASKED_TWICE) != run.id:
        return
    st.info(
        f"This very run {'waits already' if queue.waits(job) else 'is at work already'}, so no second one was started. "
        "To train another beside it, change a setting first.",
        icon=":material/info:",
    )


def draw_working(store: Store, job: Job) -> None:
    """Draw the job that has the device."""
    stage = sentence(expert.either(live.tell_stage(job.stage), stages.name(job.stage)))
    counts = f", {job.done:,} of {job.total:,}" if job.total else ""
    st.markdown(f":material/play_circle: {describe(store, job)}  \n:gray[{stage}{counts}{_tell_whose(store, job)}]")


def draw_waiting(store: Store, job: Job, place: int) -> None:
    """Draw a job that waits, with its place in the queue and what can be done about it."""
    standing = "being cancelled" if job.stop_requested else f"waiting since {amounts.moment(job.created_at)}"
    with st.container(border=True):
        st.markdown(f"**{place}.** {describe(store, job)}  \n:gray[{standing}{_tell_whose(store, job)}]")
        with st.container(horizontal=True):
            if place > 1 and st.button(
                "Move to the front", icon=":material/vertical_align_top:", key=f"front {job.id}"
            ):
                store.move_to_front(job.id)
                st.rerun(scope="fragment")
            if st.button("Cancel", icon=":material/close:", key=f"cancel {job.id}", disabled=job.stop_requested):
                store.ask_to_stop(job.id)
                st.rerun(scope="fragment")


def _tell_whose(store: Store, job: Job) -> str:
    whose = tell_asker(job, store.asker)
    return f" · {whose}" if whose else ""


def describe(store: Store, job: Job) -> str:
    """Say what a job does, for Markdown: its data set, its backbone, its phase."""
    work = WORK.get(job.kind, job.kind.replace("_", " "))
    work = expert.either(PLAIN_WORK.get(job.kind, work), work)
    dataset_id, backbone = job.dataset_id, job.request.get("backbone")
    try:
        if job.run_id:
            run = store.run(job.run_id)
            dataset_id, backbone = run.dataset_id, run.backbone
        name = emphasised(store.dataset(dataset_id).name) if dataset_id else "no data set"
    except ThawError:
        name = "a data set that is gone"
    row = BACKBONES.get(backbone or "") or FRESH.get(backbone or "")
    if row and row.fresh and job.kind == "head":
        work = "the training"
    seen = f", {row.title}" if row else ""
    return f"{name}{seen}: {work}"
