"""The depth probe on the Fine-tune page: short runs at several depths, and the depth that they recommend."""

import json

import streamlit as st

from pages.ui.components.figure.figure import figure
from pages.ui.figures import probe_figures
from pages.ui.page import live, trial_progress
from pages.ui.words import amounts
from thaw.jobs import starts
from thaw.storage.records import Job, Run
from thaw.storage.store import Store
from thaw.storage.workspace import LAYERS_FILE
from thaw.tuning.probe_record import Depth, Probe, read_probe, recommend
from tlcore.errors import RunError

STOPPED = "Every depth that was finished is kept; start it again to go on with the others."
WHAT_IT_IS = (
    "Thaw can try several depths for you: a short phase 2 at each, on a part of your training photos, judged on photos "
    "that each short run has not seen. Your validation photos and this run's model stay untouched."
)


def draw(store: Store, run: Run) -> int | None:
    """Draw what the probe of a run found, and its buttons; return the depth when the person takes it over."""
    probe, job = read_probe(store.workspace.run(run.id)), starts.latest_trial(store, "probe", run.id)
    st.markdown(WHAT_IT_IS)
    if job and job.active:
        live.follow(store, job, lambda present: draw_progress(store, run, present))
        return None
    if job:
        trial_progress.ending(job, STOPPED)
    if probe:
        draw_depths(store, run, probe)
    with st.container(horizontal=True):
        taken = _take_over(run, probe)
        st.button(
            _start_label(probe),
            icon=":material/science:",
            on_click=start,
            args=(store, run),
            key=f"probe {run.id}",
            help="It costs less than three fine-tuning runs at the greatest depth, and goes on in the background.",
        )
    return taken


def draw_progress(store: Store, run: Run, job: Job) -> None:
    """Draw how a probe stands, with Stop and the depths so far."""
    live_probe = read_probe(store.workspace.run(run.id))
    trial_progress.progress(store, job)
    if live_probe:
        draw_depths(store, run, live_probe)


def draw_depths(store: Store, run: Run, probe: Probe) -> None:
    """Draw the finished depths and say which one they recommend."""
    if not probe.depths:
        return
    layers = len(json.loads((store.workspace.run(run.id) / LAYERS_FILE).read_text(encoding="utf-8")))
    recommended = recommend(probe.depths)
    figure(
        probe_figures.accuracy_by_depth(probe.depths, layers, recommended),
        key=f"depths {run.id}",
        name=f"{run.id}-depths",
        alt="Accuracy at each depth: " + "; ".join(f"top {depth.top} layers {_tell(depth)}" for depth in probe.depths),
    )
    if recommended:
        st.markdown(verdict(probe, recommended))
    plan = probe.plan
    st.caption(
        f"{len(probe.depths)} of {len(plan.tops)} depths tried in "
        f"{amounts.duration(sum(depth.seconds for depth in probe.depths))}: {plan.folds} folds over "
        f"{amounts.count(plan.images, 'training photo')}, {amounts.count(plan.epochs, 'epoch')} each at a rate of "
        f"{plan.learning_rate:g}. Bars show one standard error."
    )


def verdict(probe: Probe, recommended: Depth) -> str:
    """Say in plain words which depth is recommended, and on what grounds."""
    best = max(probe.depths, key=lambda depth: (depth.accuracy, -depth.top))
    so_far = " so far" if probe.missing else ""
    named = _name(recommended)
    if recommended == best:
        return f"Recommended{so_far}: **{named}**, the best at {_tell(best)}, with none shallower as good."
    return (
        f"Recommended{so_far}: **{named}** ({_tell(recommended)}). The best is {_name(best)} at {_tell(best)}, less "
        "than one standard error more: too little to tell from chance, so the shallowest is to be preferred (Breiman "
        "et al., 1984)."
    )


def start(store: Store, run: Run) -> None:
    """Start the probe, or go on with it, unless one goes on already."""
    try:
        starts.start_probe(store, run.id)
    except RunError:
        # Another tab was quicker: this one follows what goes on.
        return


def _take_over(run: Run, probe: Probe | None) -> int | None:
    recommended = recommend(probe.depths) if probe else None
    if recommended is None:
        return None
    label = f"Use {_name(recommended)}"
    return recommended.top if st.button(label, icon=":material/check:", key=f"take depth {run.id}") else None


def _start_label(probe: Probe | None) -> str:
    if probe is None:
        return "Try several depths"
    return "Go on with the missing depths" if probe.missing else "Try again"


def _name(depth: Depth) -> str:
    return f"the top {depth.top} layers" if depth.top else "no layer, the head alone"


def _tell(depth: Depth) -> str:
    return f"{amounts.percent(depth.accuracy)} ± {amounts.percent(depth.standard_error)}"
