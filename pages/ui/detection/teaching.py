"""How a detector learns: what it learns from, Start, its curve, and how much of its eye may adapt."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.figures import basics
from pages.ui.figures.score_figure import learning_score
from pages.ui.page import live, run_queue, selection, steps
from pages.ui.training import depth
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, sentence
from pages.ui.words.options import distinct
from thaw.detection import costs
from thaw.detection.boxed_split import refuse_detection
from thaw.jobs import starts
from thaw.storage.records import Dataset, Job, Run
from thaw.storage.store import Store
from thaw.storage.workspace import LAYERS_FILE
from tlcore.settings import DETECTOR_SIZES_PX, HeadSettings, detection_settings
from tlcore.training.history import Epoch
from tlcore.training.recommendations import refuse_fine_tune

SIZE_WORDS = {320: "320 pixels: quick", 416: "416 pixels", 512: "512 pixels: for small things, slower"}
MOST_KINDS_TOLD = 6
STILL_LEARNING = (
    "It is still learning. Teach it for more rounds (epochs) first, or its rough corrections will damage what the eye "
    "knows."
)


def draw_photos(store: Store, dataset: Dataset) -> None:
    """Say how many photos have boxes, around what, and how many are still to be drawn on."""
    counts, looked_at = store.count_boxes(dataset.id), len(store.boxes(dataset.id))
    left = dataset.accepted - dataset.excluded - looked_at
    kinds = [f"{emphasised(label)} {count:,}" for label, count in sorted(counts.items(), key=lambda each: -each[1])]
    more = f" and {len(kinds) - MOST_KINDS_TOLD} more" if len(kinds) > MOST_KINDS_TOLD else ""
    st.markdown(
        f"{emphasised(dataset.name)}: {amounts.count(sum(counts.values()), 'box', 'boxes')} on "
        f"{amounts.count(looked_at, 'photo')}. {', '.join(kinds[:MOST_KINDS_TOLD])}{more}"
    )
    if left > 0:
        st.caption(f"{amounts.count(left, 'photo')} nobody has drawn on yet: nothing is learnt from those.")
    st.page_link(
        steps.page("boxes"), label="Draw boxes", icon=":material/crop_free:", query_params=selection.as_query()
    )


def ask_settings(photos: int) -> HeadSettings:
    """Draw the options, for experts; return the settings they make, without them those that are a good start for so
    many photos with boxes."""
    row = selection.backbone()
    plain = detection_settings(row.name, photos, seed=selection.seed(), validation_split=selection.validation_share())
    if not expert.is_on():
        return plain
    with st.expander("Options", icon=":material/tune:"):
        left, right = st.columns(2)
        size = left.selectbox(
            "Image size (pixels)",
            DETECTOR_SIZES_PX,
            format_func=distinct(DETECTOR_SIZES_PX, SIZE_WORDS.__getitem__),
            help="Photos are fitted into a square of this side. Of an object at least 8 of its pixels must be left.",
        )
        epochs = right.number_input("Epochs, at most", 1, 1000, plain.epochs)
    return detection_settings(
        row.name, seed=plain.seed, validation_split=plain.validation_split, image_size=size, epochs=int(epochs)
    )


def draw_controls(store: Store, dataset: Dataset, run: Run | None) -> None:
    """Draw Start, or the way into the queue, and Resume where a run was cut short."""
    job = store.latest_job(run.id) if run else None
    photos = store.count_looked_at(dataset.id)
    settings = ask_settings(photos)
    refusal = refuse_detection(store, dataset.id, settings.detector)
    if refusal:
        st.warning(sentence(refusal), icon=":material/warning:")
    with st.container(horizontal=True):
        busy = bool(store.queue())
        goes_on = job is not None and job.kind == "head" and job.status in ("stopped", "failed")
        if st.button(
            "Add to the queue" if busy else "Learn to find them (train)",
            type="secondary" if busy or goes_on or (run and run.result_phase) else "primary",
            icon=":material/playlist_add:" if busy else ":material/play_arrow:",
            disabled=bool(refusal),
        ):
            run_queue.start_once(
                starts.find_head(store, dataset.id, settings),
                lambda: starts.start_head(store, dataset.id, settings),
                choose=job is None or not job.active,
            )
            st.rerun()
        if run and goes_on and st.button("Resume", type="primary", icon=":material/resume:"):
            starts.resume(store, run.id)
            st.rerun()
        if not refusal:
            tell_expected(costs.expect_training(store, photos, settings.detector))
    run_queue.tell_asked_twice(run, job)
    run_queue.draw(store, job.id if job else None)


def tell_expected(expected: costs.Expected | None) -> None:
    """Say beside a button how long what it starts takes at most, where that is known."""
    if expected is None:
        st.markdown("The first time shows how fast this computer is.")
    elif expected.measured:
        st.markdown(f"**{amounts.roughly(expected.seconds)}** at most, mostly less")
    else:
        st.markdown(f"About **{amounts.roughly(expected.seconds)}** at most on a usual computer")


def draw_training(store: Store, run: Run, job: Job) -> None:
    """Draw how the training of a run goes, or went: progress, and its curve."""

    def draw(present: Job) -> None:
        if present.active:
            live.progress(present, "photos")
            live.pause(store, present)
        else:
            live.ending(present)
        draw_curve(run.id, store.epochs(run.id))

    live.follow(store, job, draw)
    live.downloads(run.id, store.epochs(run.id))


def draw_curve(run_id: str, epochs: Sequence[Epoch]) -> None:
    """Draw how well a detector finds things, round by round; for experts its loss as well."""
    if not epochs:
        st.caption(f"The curve appears here with the first {expert.either('round (epoch)', 'epoch')}.")
        return
    last = epochs[-1]
    figure(
        basics.learning_curve(list(epochs), "AP50")
        if expert.is_on()
        else learning_score(epochs, "how well it finds them"),
        key=f"curve {run_id}",
        name=f"{run_id}-curve",
        zoom=True,
        alt=f"How well it finds things over {amounts.count(len(epochs), 'round')}, from 0 to 100% (AP50). After the "
        f"last: {amounts.percent(last.val_accuracy)} on the exam photos.",
    )


def draw_thaw(store: Store, run: Run, job: Job) -> None:
    """Draw the ice, how long it takes, and the button that lets the top layers of the eye adapt."""
    layers: list[dict[str, Any]] = json.loads((store.workspace.run(run.id) / LAYERS_FILE).read_text(encoding="utf-8"))
    advised = starts.suit(store, run, run.head, starts.complete(run))

    @st.fragment
    def plan() -> None:
        top = depth.recall(run, (run.fine_tune and run.fine_tune.layers) or advised.layers or 0)
        depth.draw_ice(run, layers, top)
        settings = replace(advised, layers=top)
        refusal = refuse_fine_tune(store.epochs(run.id), run.head, settings)
        controls, insist = st.container(horizontal=True, vertical_alignment="bottom"), False
        if refusal:
            st.warning(sentence(expert.either(STILL_LEARNING, refusal)), icon=":material/warning:")
            insist = st.checkbox("I know what I am doing; start anyway", key=f"insist {run.id}")
        with controls:
            depth.ask_exactly(run, layers)
            if st.button(
                "Add to the queue"
                if store.queue()
                else expert.either("Let the eye adapt (fine-tune)", "Start fine-tuning"),
                icon=":material/ac_unit:",
                disabled=bool(refusal) and not insist,
            ):
                asked = replace(settings, insist=insist)
                same = starts.find_fine_tune(store, run.id, asked)
                run_queue.start_once(same, lambda: starts.start_fine_tune(store, run.id, asked))
                st.rerun()
            tell_expected(costs.expect_adapting(store, run, layers, settings))

    plan()
