"""What a careless split would have claimed: the measurement by cross-validation, and its result in words."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.figures import basics
from pages.ui.page import live, selection
from pages.ui.words import amounts
from thaw.jobs import starts
from thaw.storage.facts import Accuracy
from thaw.storage.records import Check, Dataset, Job
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.models.backbones import find_backbone

# Less is within what another seed would change.
NOTABLE_POINTS = 0.5


def draw(store: Store, dataset: Dataset) -> None:
    """Draw the latest measurement, and the button that starts one or the progress of one that goes on."""
    st.header("What would a careless split have claimed?", anchor=False)
    check, job = store.latest_check(dataset.id), latest_job(store, dataset)
    if check:
        draw_result(dataset, check)
    if job and job.active:
        live.follow(store, job, lambda present: draw_progress(store, present))
        return
    if job:
        live.ending(job)
    row = selection.eye()
    if not check:
        st.markdown(
            f"Many tools split photos at random. {expert.said('Near-duplicates')} "
            "then lie on both sides, and the model is praised for "
            "photos that it has learnt by heart. Thaw can measure how much of an accuracy that is, by "
            f"cross-validation on what **{row.title}** sees."
        )
    st.button(
        "Measure again" if check else "Measure with cross-validation",
        icon=":material/straighten:",
        on_click=start,
        args=(store, dataset),
        key=f"measure {dataset.id}",
        help="Every image is judged by a model that has not seen it. It takes seconds to minutes.",
    )


def latest_job(store: Store, dataset: Dataset) -> Job | None:
    """Return the newest measurement of a data set as a job, or None before the first."""
    return next((job for job in store.jobs("check") if job.dataset_id == dataset.id), None)


def start(store: Store, dataset: Dataset) -> None:
    """Start the measurement, unless one goes on already."""
    try:
        starts.start_check(store, dataset.id, selection.eye().name, selection.seed())
    except RunError:
        # Another tab was quicker: this one follows what goes on.
        return


def draw_progress(store: Store, job: Job) -> None:
    """Draw how the measurement stands, with Stop."""
    live.progress(job, "images")
    live.stop(store, job, "Stop")


def draw_result(dataset: Dataset, check: Check) -> None:
    """Draw what was measured: a sentence, a figure, and on what it rests."""
    st.markdown(verdict(check))
    naive, grouped = check.facts.naive, check.facts.grouped
    if check.facts.groups:
        figure(
            basics.claims(naive, grouped),
            key=f"claims {dataset.id}",
            name=f"{dataset.id}-claims",
            alt=f"Accuracy with random folds {interval(naive)}; with near-duplicates kept together {interval(grouped)}",
        )
    st.caption(
        f"Cross-validated in {grouped.folds} folds over {amounts.count(check.facts.images, 'image')}, seen "
        f"through {find_backbone(check.backbone).title}, {amounts.moment(check.created_at)}. A training run has "
        "its own accuracy, on one split."
    )
    if check.version != dataset.version:
        st.caption(":material/history: The data set has changed since this was measured. Measure again.")


def verdict(check: Check) -> str:
    """Say in plain words what a random split would have claimed, and what holds."""
    naive, grouped, kin = check.facts.naive, check.facts.grouped, expert.said("near-duplicates")
    if not check.facts.groups:
        return (
            f"There are no {kin} to leak, so a random split claims what holds: **{interval(grouped)}**, "
            "cross-validated."
        )
    points = 100 * (naive.mean - grouped.mean)
    if points < NOTABLE_POINTS:
        return (
            f"The two hardly differ here: a random split would have claimed {interval(naive)}; keeping "
            f"{kin} together it is **{interval(grouped)}**. {kin[:1].upper()}{kin[1:]} do not flatter this data set."
        )
    chance = (
        " The two intervals overlap: with so few images, part of the difference may be chance."
        if naive.low <= grouped.high
        else ""
    )
    return (
        f"A random split would have claimed {interval(naive)}; keeping {kin} together, the honest figure is "
        f"**{interval(grouped)}**. **{points:.1f} points** of the claim were copies looked up, not learnt.{chance}"
    )


def interval(measured: Accuracy) -> str:
    """Return an accuracy with its 95% interval in words."""
    low, high = 100 * measured.low, 100 * measured.high
    return f"{amounts.percent(measured.mean)} (95% interval {low:.1f} to {high:.1f}%)"
