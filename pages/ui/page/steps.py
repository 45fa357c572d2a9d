"""The five steps in their order, and the pages beside them: where each lies, what it is called, how to go there."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.ui.page import selection

FOLDER = Path(__file__).parents[2]


@dataclass(frozen=True)
class Step:
    """One page: its file and URL (`name`), its menu title and the sentence that says what is done there."""

    name: str
    title: str
    purpose: str


STEPS = (
    Step("data", "Data", "Add your photos: one folder for each class."),
    Step("backbone", "Backbone", "Choose the network that already knows how to see."),
    Step("head", "Head", "Teach the head (phase 1): a small classifier on top of the frozen backbone."),
    Step("finetune", "Fine-tune", "Unfreeze the top layers just enough (phase 2)."),
    Step("mistakes", "Mistakes", "Look at what the model gets wrong, worst first."),
)
# Pages that are no step of the way, with their icons.
ASIDE = {
    Step("evaluation", "Evaluation", "See how good the model is, and how far to trust it."): "monitoring",
    Step(
        "map", "Map", "See all photos on one map, like beside like, and look at those that stand out."
    ): "scatter_plot",
    Step("try_it", "Try it", "See what the model says of pictures that it has never met."): "photo_camera",
    Step("compare", "Compare", "See which run is better, and what differs between them."): "compare_arrows",
    Step("history", "History", "Every run with what it was made of, to find again and to take along."): "history",
    Step("export", "Export", "Take the model with you, in files that were proven to answer as it does."): "output",
    Step("disk", "Disk", "What Thaw keeps on this disk, and how to make room."): "hard_drive",
}


def page(name: str) -> st.Page:
    """Return the Streamlit page of a step or of a page beside the steps."""
    step, icon = _find(name)
    return st.Page(
        FOLDER / f"{name}.py",
        title=step.title,
        icon=f":material/{icon}:",
        url_path=name,
        default=step == STEPS[0],
    )


def pages() -> list[st.Page]:
    """Return all pages in the order of the menu."""
    return [page(step.name) for step in (*STEPS, *ASIDE)]


def heading(name: str) -> None:
    """Draw a page's title with its place among the steps, if it is one of them."""
    step, _ = _find(name)
    place = "" if step in ASIDE else f":gray[Step {STEPS.index(step) + 1} of {len(STEPS)}.] "
    st.title(step.title, anchor=False)
    st.markdown(f"{place}{step.purpose}")


def onward(name: str, label: str) -> None:
    """Draw the link to another step, taking the chosen data set and run along."""
    with st.container(border=True, width="content"):
        st.page_link(page(name), label=label, icon=":material/arrow_forward:", query_params=selection.as_query())


def missing(name: str, what: str, label: str) -> None:
    """Say what has to be done first, with the link to where it is done, and end the page there."""
    st.markdown(f"**{what}**")
    onward(name, label)
    st.stop()


def _find(name: str) -> tuple[Step, str]:
    """Return the page of that name and its icon."""
    icons = {step: f"counter_{number}" for number, step in enumerate(STEPS, 1)} | ASIDE
    return next((step, icon) for step, icon in icons.items() if step.name == name)
