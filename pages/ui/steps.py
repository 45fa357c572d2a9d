"""The five steps, in their order: where each page lies, what it is called, and how to go from one to the next."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.ui import selection

FOLDER = Path(__file__).parents[1]


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


def page(name: str) -> st.Page:
    """Return the Streamlit page of a step."""
    number = _number(name)
    return st.Page(
        FOLDER / f"{name}.py",
        title=STEPS[number - 1].title,
        icon=f":material/counter_{number}:",
        url_path=name,
        default=number == 1,
    )


def heading(name: str) -> None:
    """Draw a page's title with its place among the steps."""
    number = _number(name)
    step = STEPS[number - 1]
    st.title(step.title, anchor=False)
    st.markdown(f":gray[Step {number} of {len(STEPS)}.] {step.purpose}")


def onward(name: str, label: str) -> None:
    """Draw the link to another step, taking the chosen data set and run along."""
    with st.container(border=True, width="content"):
        st.page_link(page(name), label=label, icon=":material/arrow_forward:", query_params=selection.as_query())


def missing(name: str, what: str, label: str) -> None:
    """Say what has to be done first, with the link to where it is done, and end the page there."""
    st.markdown(f"**{what}**")
    onward(name, label)
    st.stop()


def _number(name: str) -> int:
    return [step.name for step in STEPS].index(name) + 1
