"""The learning-rate finder on the Head and Fine-tune pages: its curve, and the rate that it suggests."""

import streamlit as st

from pages.ui.components.figure.figure import figure
from pages.ui.figures import probe_figures
from pages.ui.page import live, trial_progress
from pages.ui.words import amounts
from thaw.jobs import starts
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.tuning.rate_curve import RateCurve, read_curve
from tlcore.errors import RunError
from tlcore.settings import FineTuneSettings

STOPPED = "Nothing of this search was kept, and the run is as it was."
WHAT_IT_IS = {
    1: "Thaw can look for a learning rate for the next head: a fresh head learns from this run's features while the "
    "rate grows, a batch at each, and the rate at which the loss falls fastest is suggested.",
    2: "Thaw can look for a learning rate: a copy of this run's model learns at the chosen depth while the rate grows, "
    "a batch at each, and the rate at which the loss falls fastest is suggested. The run's own weights stay as they "
    "are.",
}


def draw(store: Store, run: Run, phase: int, settings: FineTuneSettings | None = None) -> float | None:
    """Draw what the search for a phase of a run found, and its buttons; return the rate when the person takes it over.

    `settings` say at which depth and batch size phase 2 is searched; None leaves the choice to Thaw. There is one
    search at a time for both phases of a run.
    """
    curve, job = read_curve(store.workspace.run(run.id), phase), starts.latest_trial(store, "rate_search", run.id)
    st.markdown(WHAT_IT_IS[phase])
    if job and job.active:
        live.follow(store, job, lambda present: trial_progress.progress(store, present))
        return None
    if job and job.request["settings"]["phase"] == phase:
        trial_progress.ending(job, STOPPED)
    if curve:
        draw_curve(run, curve)
    with st.container(horizontal=True):
        taken = _take_over(run, curve)
        st.button(
            "Search again" if curve else "Search a learning rate",
            icon=":material/troubleshoot:",
            on_click=start,
            args=(store, run, phase, settings),
            key=f"search rate {phase} {run.id}",
            help="At most 100 batches, from cached features.",
        )
    return taken


def draw_curve(run: Run, curve: RateCurve) -> None:
    """Draw the curve of a search and say what it suggests."""
    figure(
        probe_figures.loss_by_rate(curve),
        key=f"rates {curve.phase} {run.id}",
        name=f"{run.id}-rates-{curve.phase}",
        alt=f"Loss against learning rate; suggested: {curve.suggestion or 'none'}",
    )
    st.markdown(verdict(curve))
    depth = "" if curve.layers is None else f"the top {curve.layers} layers unfrozen, "
    st.caption(
        f"Range test (Smith, 2017) over {len(curve.rates)} batches of {curve.batch_size}, {depth}"
        f"{amounts.moment(curve.created_at)}; read at the steepest descent, as fastai's lr_find does."
    )


def verdict(curve: RateCurve) -> str:
    """Say in plain words what a search suggests."""
    if curve.suggestion is None:
        return "The loss fell at no rate more than single batches differ: no rate is suggested. Keep the usual one."
    if curve.cap is not None and curve.suggestion >= curve.cap:
        return (
            f"Suggested: **{curve.suggestion:g}**, the most that phase 2 may have: a tenth of the head's rate. The "
            "loss fell faster still beyond it, where the backbone forgets what it knows."
        )
    return f"Suggested: **{curve.suggestion:g}**, where the loss falls fastest."


def start(store: Store, run: Run, phase: int, settings: FineTuneSettings | None) -> None:
    """Start a search, unless one goes on already."""
    try:
        starts.start_rate_search(store, run.id, phase, settings)
    except RunError:
        # Another tab was quicker: this one follows what goes on.
        return


def _take_over(run: Run, curve: RateCurve | None) -> float | None:
    if curve is None or curve.suggestion is None:
        return None
    label = f"Use {curve.suggestion:g}"
    pressed = st.button(label, icon=":material/check:", key=f"take rate {curve.phase} {run.id}")
    return curve.suggestion if pressed else None
