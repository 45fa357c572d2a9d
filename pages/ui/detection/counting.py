"""How well a detector counts on the exam photos, and what it takes for what: a figure and a sentence for each."""

import streamlit as st

from pages.ui.components.figure.figure import figure
from pages.ui.figures import finding_figure
from pages.ui.figures.confusion_figure import MOST_CLASSES, least_width_px
from pages.ui.words import amounts
from pages.ui.words.names import capital, emphasised, visible
from pages.ui.words.options import distinct
from thaw.storage.records import Run
from tlcore.detection.evaluation import Judged

ALL = ""
MOST_CONFUSIONS = 5


def draw(run: Run, judged: Judged) -> None:
    """Draw both beside one another where there is room."""
    left, right = st.columns(2, gap="large")
    with left:
        draw_counts(run, judged)
    with right:
        draw_taken(run, judged)


def draw_counts(run: Run, judged: Judged) -> None:
    """Draw what is counted on each exam photo beside what there is, of all kinds together or of one."""
    st.header("How well it counts", anchor=False)
    there, counted = judged.counts
    kinds = [ALL, *judged.labels]
    chosen = ALL
    if len(judged.labels) > 1:
        called = distinct(kinds, lambda each: visible(each) if each else "All of them", ascii)
        chosen = st.selectbox("Count", kinds, format_func=called, key=f"counted kind {run.id}")
    places = [judged.labels.index(chosen)] if chosen else list(range(len(judged.labels)))
    real, said = there[:, places].sum(axis=1), counted[:, places].sum(axis=1)
    told = finding_figure.describe_counted(real, said)
    figure(
        finding_figure.counted_against(real, said),
        key=f"counted {run.id}",
        name=f"{run.id}-counted",
        alt=f"Counted against there are: {told}",
    )
    st.caption(
        f"{capital(told)}. A dot stands for photos of the same two numbers; on the line both are the same. Kind by "
        f"kind the count of a photo is off by {judged.counting_error:.1f} on average, whatever is missed, mixed up or "
        "seen in vain."
    )


def draw_taken(run: Run, judged: Judged) -> None:
    """Draw what is taken for what, or of very many kinds the commonest of it in words alone."""
    st.header("What it takes for what", anchor=False)
    if len(judged.labels) < MOST_CLASSES:
        taken = judged.taken
        figure(
            finding_figure.taken_for(judged.labels, taken),
            key=f"taken {run.id}",
            name=f"{run.id}-taken-for",
            alt=finding_figure.describe_taken(judged.labels, taken),
            least_width_px=least_width_px(len(taken)),
        )
    lines = [
        f"- {emphasised(true)} taken for {emphasised(said)}: {amounts.count(times, 'time')}"
        for true, said, times in judged.confusions[:MOST_CONFUSIONS]
    ]
    st.markdown("\n".join(lines) or "No kind is taken for another.")
