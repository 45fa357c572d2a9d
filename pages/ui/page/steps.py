"""The pages of the menu: the four that tell the story, the same step by step, and more; where each lies, how to go
there."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.page import selection
from thaw.storage.store import Store

FOLDER = Path(__file__).parents[2]


# A page's own `set_page_config` comes after the navigation script's: at every run of the page it was narrow for a
# moment.
WIDE = "<style>[data-testid='stMainBlockContainer'] { max-width: 76rem; }</style>"
STAYING = """
[data-testid="stLayoutWrapper"]:has(> .st-key-KEY) { position: sticky; bottom: 0; z-index: 90; }
.st-key-KEY { max-height: 40dvh; padding: 0.6rem 0; overflow-y: auto; border-top: 1px solid #8885;
  background: light-dark(#ffffff, #12191c); }
/* Above the links at the bottom of a phone. */
@media (max-width: 640px) { [data-testid="stLayoutWrapper"]:has(> .st-key-KEY) { bottom: 2.5rem; } }
"""
TO_BOXES = "Find and count things in these photos"


class PageEnds(Exception):
    """Ends a page early; after `st.stop` nothing could be drawn around it any more."""


@dataclass(frozen=True)
class Step:
    """One page: its file and URL (`name`), its menu title and the sentence that says what is done there, plainly and,
    where that differs, in the field's words."""

    name: str
    title: str
    purpose: str
    expert: str = ""


STUDIO = Step("studio", "Studio", "Photos in, and see what the computer makes of them.")
# The story in four pages. Some are pages of the steps as well, under a title and an address of their own.
STORY = {
    STUDIO: ("auto_awesome", "studio"),
    Step("thaw", "Thaw", "Let the ready-made eye adapt to your photos."): ("ac_unit", "finetune"),
    Step("mistakes", "Mistakes", "Look at what the model gets wrong, worst first."): ("search", "mistakes"),
    Step("export", "Take it with you", "Take the model with you, in files that were proven to answer as it does."): (
        "output",
        "export",
    ),
}
STEPS = (
    Step(
        "data",
        "Data",
        "Add your photos: one folder for each kind, such as cats and dogs.",
        "Add your photos: one folder for each class.",
    ),
    Step(
        "backbone",
        "Backbone",
        "Choose the ready-made eye (backbone): a network that already knows how to see.",
        "Choose the network that already knows how to see.",
    ),
    Step(
        "head",
        "Head",
        "Teach the head (phase 1): the small part behind the ready-made eye (backbone) that decides what it sees.",
        "Teach the head (phase 1): a small classifier on top of the frozen backbone.",
    ),
    Step(
        "finetune",
        "Fine-tune",
        "Let the top layers of the eye adapt to your photos, just enough (fine-tune, phase 2).",
        "Unfreeze the top layers just enough (phase 2).",
    ),
    Step("mistakes", "Mistakes", "Look at what the model gets wrong, worst first."),
)
# Pages that are no step of the way, with their icons.
ASIDE = {
    Step("pile", "Pile", "No folders? Name groups of photos that look alike; the rest is suggested."): "workspaces",
    Step("boxes", "Draw boxes", "Find and count things: draw a box around each of them on some photos."): "crop_free",
    Step("find", "Find and count", "Teach it to find things on photos, and count them."): "search_check",
    Step("evaluation", "Evaluation", "See how good the model is, and how far to trust it."): "monitoring",
    Step(
        "map", "Map", "See all photos on one map, like beside like, and look at those that stand out."
    ): "scatter_plot",
    Step("try_it", "Try it", "See what the model says of pictures that it has never met."): "photo_camera",
    Step("compare", "Compare", "See which run is better, and what differs between them."): "compare_arrows",
    Step("history", "History", "Every run with what it was made of, to find again and to take along."): "history",
    Step("disk", "Disk", "What Thaw keeps on this disk, and how to make room."): "hard_drive",
}


# What tells kinds of photos apart, and has nothing to say of photos with boxes.
OF_KINDS = ("head", "finetune", "thaw", "mistakes", "worst", "evaluation", "map", "try_it")


def page(name: str) -> st.Page:
    """Return the Streamlit page of a step or of a page beside the steps."""
    return make(*_find(name), name)


def pages() -> dict[str, list[st.Page]]:
    """Return all pages as the menu groups them: the story, the same step by step, and more."""
    story = [make(step, icon, file) for step, (icon, file) in STORY.items()]
    by_step = [page(step.name) for step in STEPS[:-1]]
    # One page has one place in a menu: the last step is the story's page under another address.
    by_step.append(make(Step("worst", STEPS[-1].title, STEPS[-1].purpose), f"counter_{len(STEPS)}", STEPS[-1].name))
    return {"": story, "Step by step": by_step, "More": [page(step.name) for step in ASIDE]}


def find_title(address: str) -> str:
    """Return the title of the page that lies at an address; the first page lies at the empty one as well."""
    if address == "worst":
        return STEPS[-1].title
    return _find(address or STUDIO.name)[0].title


def make(step: Step, icon: str, file: str) -> st.Page:
    """Return the Streamlit page of a place in the menu, whose script is `file`.py."""
    return st.Page(
        FOLDER / f"{file}.py",
        title=step.title,
        icon=f":material/{icon}:",
        url_path=step.name,
        default=step == STUDIO,
    )


def heading(name: str, wide: bool = False, purpose: str = "") -> None:
    """Draw a page's title with its place among the steps, if it is one of them, and what is done there, `purpose` where
    that is not as always; the page is wider where it is asked for."""
    if wide:
        st.html(WIDE)
    step, _ = _find(name)
    # Where the page has two places in the menu, the one that it was opened at.
    step = next((each for each, (_, file) in STORY.items() if file == name and each.name == selection.place()), step)
    place = f":gray[Step {STEPS.index(step) + 1} of {len(STEPS)}.] " if step in STEPS else ""
    st.title(step.title, anchor=False)
    st.markdown(f"{place}{purpose or expert.either(step.purpose, step.expert or step.purpose)}")


def onward(name: str, label: str, stays: bool = False) -> None:
    """Draw the link to another step, taking the chosen data set and run along; as the last thing on a page it can stay
    in sight, at the lower edge of the window."""
    with st.container(key=f"on-to-{name}") if stays else st.container(border=True, width="content"):
        if stays:
            stay(f"on-to-{name}")
        link(name, label)


def link(name: str, label: str) -> None:
    """Draw a link to another step, taking the chosen data set and run along."""
    st.page_link(page(name), label=label, icon=":material/arrow_forward:", query_params=selection.as_query())


def stay(key: str) -> None:
    """Keep the container of that key, which this is drawn in, at the lower edge of the window for as long as its place
    in the page is further down."""
    # With something to draw, however little: styles alone Streamlit lays where the overlay lies.
    st.html(f"<style>{STAYING.replace('KEY', key)}</style><span></span>")


def missing(name: str, what: str, label: str) -> None:
    """Say what has to be done first, with the link to where it is done, and end the page there."""
    st.markdown(f"**{what}**")
    onward(name, label)
    raise PageEnds


def lead_to_boxes(address: str, store: Store) -> None:
    """End a page that is about kinds of photos where the photos chosen have boxes instead, with the way to theirs."""
    if address not in OF_KINDS:
        return
    shown = selection.dataset(store)
    if shown is None or shown.included or not store.has_boxes(shown.id):
        return
    heading("mistakes" if address == "worst" else address)
    missing("find", "These photos have boxes, so that things are found and counted on them.", "On to Find and count")


def _find(name: str) -> tuple[Step, str]:
    """Return the page of that name and its icon."""
    icons = {step: f"counter_{number}" for number, step in enumerate(STEPS, 1)} | ASIDE
    icons |= {step: icon for step, (icon, _) in STORY.items()}
    return next((step, icon) for step, icon in icons.items() if step.name == name)
