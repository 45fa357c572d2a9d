"""The Find and count page: a detector learns from boxes, shows what it finds and misses, and counts on new pictures."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.webcam.counter import counting_camera
from pages.ui.data import following, sources
from pages.ui.detection import outcome, teaching, trying
from pages.ui.page import selection, steps
from thaw.storage.store import Store


def draw(store: Store) -> None:
    """Draw the page of a data set with boxes: teach, look at what is found, let the eye adapt, try it."""
    dataset, run = selection.dataset(store), selection.run(store)
    assert dataset is not None
    teaching.draw_photos(store, dataset)
    if run is not None and run.head.task != "detect":
        run = None
    job = store.latest_job(run.id) if run else None
    confidence = outcome.draw(store, run) if run and run.result_phase and not (job and job.active) else None
    teaching.draw_controls(store, dataset, run)
    if run and job:
        teaching.draw_training(store, run, job)
    if run is None or job is None or confidence is None:
        return
    st.header(expert.either("Let its eye adapt (fine-tune)", "Fine-tuning (phase 2)"), anchor=False)
    teaching.draw_thaw(store, run, job)
    st.header("Count on new pictures", anchor=False)
    trying.draw(store, run, confidence)
    st.header("Try it live", anchor=False)
    counting_camera(run.id, run.image_size, confidence)
    steps.onward("export", "Take it with you")


def lead(store: Store, name: str, what: str, label: str) -> None:
    """End the page where there is nothing to find yet, with the way to that and an example to try it on."""
    first, example = st.container(), st.container()
    with example:
        st.header("Or see it at work", anchor=False)
        job = selection.import_job(store)
        following.draw(store)
        if job is None or not job.active:
            sources.draw_objects(store, "Try an example")
    with first:
        steps.missing(name, what, label)


steps.heading("find", wide=True)
kept = selection.store()
shown = selection.dataset(kept)
if shown is None:
    lead(kept, "data", "There are no photos yet.", "First add a data set")
elif not kept.has_boxes(shown.id):
    lead(kept, "boxes", "Nobody has drawn boxes on these photos yet.", "First draw boxes around the things to find")
else:
    draw(kept)
