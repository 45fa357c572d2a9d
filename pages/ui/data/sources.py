"""The ways in: where photos are to go, the drop zone, a path on this machine, the samples, and what an import asks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.components.drop_zone.drop_zone import drop_zone
from pages.ui.components.expert import expert
from pages.ui.page import failure, selection
from pages.ui.page.paths import read_path
from pages.ui.words.names import emphasised, literal, sentence
from pages.ui.words.options import distinct
from thaw.projects.jobs import start_import
from thaw.projects.save import is_project
from thaw.sources import object_sample
from thaw.sources.allowed_folders import allowed_roots
from thaw.sources.samples import FLOWERS
from thaw.sources.sources import kind_of
from thaw.storage.questions import Option, Question
from thaw.storage.records import Dataset, Job
from thaw.storage.store import Store
from tlcore.errors import DatasetError

BUTTON_WIDTH = 260
PREVIEW_WIDTH = 380
PATH_FORM, PROJECT_FORM = "path form", "project form"
NEW, MAIN, HOLDOUT = "new", "main", "holdout"
# A line of its own for the drop zone.
PHONE = "<style>@media (max-width: 640px) { .st-key-ways-in > :first-child { flex: 1 0 100% !important; } }</style>"
OTHERS = "Other ways: a path on this machine, a project, or a sample"
SENTENCES = {
    NEW: "Thaw makes a data set of its own from them.",
    MAIN: "A folder named like a class joins it, any other becomes a new class. What is there already is skipped.",
    HOLDOUT: "From other cameras or other days. Training never sees them: they show how the model does out there.",
}


@dataclass(frozen=True)
class Target:
    """Where photos go: `request` is what says so in a request for an import, `title` in the drop zone."""

    request: dict[str, str]
    title: str


def draw(store: Store, shown: Dataset | None) -> None:
    """Draw the ways in; the data set on show can be the one that photos are added to.

    Where it has photos, they are to be seen first: the ways in are one line.
    """
    small = shown is not None and shown.accepted > 0
    where: DeltaGenerator
    others: DeltaGenerator
    if small:
        st.html(PHONE)
        with st.container(key="ways-in", horizontal=True, vertical_alignment="center", gap="small"):
            zone, where, others = st.container(), st.popover("Where they go"), st.popover("Other ways")
    else:
        where, zone, others = st.container(), st.container(), st.expander(OTHERS, icon=":material/folder_open:")
    with where:
        target = choose_target(shown)
    with zone:
        uploaded = drop_zone(store.workspace, target.request, target.title, small)
    if uploaded:
        follow_import(lambda: uploaded)
    with others:
        draw_path(store, target)
        st.divider()
        draw_project(store)
        st.divider()
        draw_samples(store, target)


def choose_target(shown: Dataset | None) -> Target:
    """Draw the choice of where photos go, if there is one, and return it."""
    if shown is None:
        return Target({}, "Drop a folder of photos here")
    labels = {
        NEW: "A new data set",
        MAIN: f"Add to {emphasised(shown.name)}",
        HOLDOUT: f"{expert.either('Extra exam photos (holdout)', 'Holdout')} of {emphasised(shown.name)}",
    }
    place = st.radio(
        "Where do these photos go?",
        list(labels),
        format_func=distinct(labels, labels.__getitem__),
        captions=[expert.kinds(each) for each in SENTENCES.values()],
        key=f"target of {shown.id}",
    )
    if place == MAIN:
        return Target({"dataset": shown.id, "role": MAIN}, "Drop photos here to add them")
    if place == HOLDOUT:
        return Target(
            {"dataset": shown.id, "role": HOLDOUT}, f"Drop the {expert.either('extra exam', 'holdout')} photos here"
        )
    return Target({}, "Drop photos here for a new data set" if shown.accepted else "Drop a folder of photos here")


def draw_path(store: Store, target: Target) -> None:
    """Draw the field for a path on this machine, and which folders may be read."""
    with st.form(PATH_FORM, border=False):
        path = st.text_input(
            "Folder, .zip, .tar.gz or .csv on this machine",
            placeholder="/home/me/photos",
            help=expert.kinds(
                "A table has one line for each photo: its path, a comma and its class. Those of other tools will do."
            ),
        )
        if st.form_submit_button("Import this path"):
            import_path(store, path, target)
    failure.show_kept(PATH_FORM)
    allowed = " or ".join(literal(str(root)) for root in allowed_roots())
    st.caption(
        f"Thaw reads below {allowed} only. To allow another folder, start it with "
        "`streamlit run app.py -- --root FOLDER`."
    )


def draw_project(store: Store) -> None:
    """Draw the field for a project that was saved, on this or another machine."""
    st.markdown(
        "A project that was saved on the History page comes back with its photos, labels, runs and weights. Drop its "
        "zip above, or name it here; all of it is checked first, and nothing in it is ever run."
    )
    with st.form(PROJECT_FORM, border=False):
        text = st.text_input("Project (.zip) on this machine", placeholder="/home/me/run-project.zip")
        if st.form_submit_button("Open a project", icon=":material/folder_zip:"):
            open_project(store, text)
    failure.show_kept(PROJECT_FORM)


def open_project(store: Store, text: str) -> None:
    """Start opening the project whose path was typed, or say beside the field what is wrong with it."""
    try:
        path = read_path(text)
        if not is_project(path):
            raise DatasetError(
                f"Expected a project that Thaw has saved. Received: {str(path)!r}. Photos are imported above."
            )
    except DatasetError as problem:
        failure.keep(PROJECT_FORM, problem)
        return
    failure.keep(PROJECT_FORM, None)
    begin(store, {"kind": "zip", "path": str(path), "name": "", "roots": [str(root) for root in allowed_roots()]})


def draw_samples(store: Store, target: Target) -> None:
    """Draw the sample that comes with Thaw, and the one to download with what it costs."""
    st.markdown(
        expert.kinds("No photos at hand? Try 1,797 real handwritten digits, in ten classes. They come with Thaw.")
    )
    if st.button("Use the sample digits", icon=":material/pin:"):
        begin(store, {"kind": "digits", "path": "", "name": "digits"})
    draw_objects(store, "Use the sample to find and count")
    megabytes = f"{FLOWERS.download.bytes / 1e6:,.0f} MB"
    st.markdown(
        f"Or real photos: {FLOWERS.photos:,} flowers in {FLOWERS.classes} {expert.kinds('classes')}. "
        f"This needs the internet once and downloads {megabytes}; a download that is cut off goes on where it stopped. "
        f"Licence: {FLOWERS.licence}."
    )
    if st.button(f"Download and import ({megabytes})", icon=":material/download:"):
        begin(store, {"kind": "flowers", "path": "", "name": FLOWERS.title} | target.request)


def draw_objects(store: Store, label: str) -> None:
    """Draw the sample to find and count things on: what it is, whose photographs it is made of, and its button."""
    st.markdown(
        f"{object_sample.PHOTOS} photos of blossoms and towers, with a box around each. They are put together on this "
        f"computer from {object_sample.CREDIT}. The exam photos are made of other pieces of them than those that it "
        "learns from."
    )
    if st.button(label, icon=":material/search_check:"):
        begin(store, {"kind": "objects", "path": "", "name": object_sample.TITLE})


def import_path(store: Store, text: str, target: Target) -> None:
    """Start the import of a path that was typed, or say beside the field what is wrong with it."""
    try:
        path = read_path(text)
    except DatasetError as problem:
        failure.keep(PATH_FORM, problem)
        return
    failure.keep(PATH_FORM, None)
    roots = [str(root) for root in allowed_roots()]
    begin(store, {"kind": kind_of(path), "path": str(path), "name": "", "roots": roots} | target.request)


def begin(store: Store, request: dict[str, Any]) -> None:
    """Start an import and show it; one that goes on and was asked for in the same words is shown instead."""
    asked = request | {"ask": True}
    same = next((job.id for job in store.jobs("import", "open") if job.active and job.request == asked), None)
    if same is not None:
        st.toast("This import is going on already: it is shown at the top of the page.", icon=":material/info:")
    follow_import(lambda: same or start_import(store, asked))


def follow_import(start: Callable[[], str]) -> None:
    """Show from now on the import that `start` starts, whose id it returns."""
    selection.choose_started("import", start)
    st.rerun()


def draw_question(store: Store, job: Job, question: Question) -> None:
    """Draw a question that a job waits with; the option that is advised stands out."""
    st.markdown(f"**{sentence(expert.said(question.text))}**")
    for option in question.options:
        _draw_option(store, job, question, option)


def _draw_option(store: Store, job: Job, question: Question, option: Option) -> None:
    """Draw one answer: its button, and beside it (on a narrow screen below) what would come of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            sentence(expert.said(option.label)),
            type="primary" if option.key == question.default else "secondary",
            key=f"answer {question.key} {option.key} {job.id}",
            width=BUTTON_WIDTH,
            disabled=job.answer is not None,
            on_click=store.answer_question,
            args=(job.id, question, option.key),
        )
        if option.preview:
            st.caption(sentence(expert.said(option.preview)), width=PREVIEW_WIDTH)
