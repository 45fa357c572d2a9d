"""The Head page (phase 1): start, watch, stop and resume the training of the head on the frozen backbone."""

from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.components.expert import expert
from pages.ui.data import split_choice
from pages.ui.evaluation import accuracy
from pages.ui.figures.score_figure import tell_score
from pages.ui.page import ahead, live, run_queue, selection, steps
from pages.ui.training import augmentation_choice, evidence, rate_finder
from pages.ui.training.rate_options import rates_with
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, sentence
from pages.ui.words.options import distinct
from pages.ui.words.plain import plain_refusal
from thaw.jobs import starts
from thaw.storage.records import Dataset, Job, Run
from thaw.storage.store import Store
from thaw.training.run_facts import kept_epoch
from tlcore.errors import DatasetError
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import find_backbone, title_of
from tlcore.settings import CLASS_WEIGHTS, METHODS, OUTPUTS, HeadSettings, scratch_settings
from tlcore.splits.class_weights import UNBALANCED, imbalance

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
FRESH_RATES = (3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
BATCHES = (8, 16, 32, 64, 128, 256)
RATE_FIELD = "learning rate of the head"
FRESH_RATE_FIELD = "learning rate from scratch"
FRESH_PURPOSE = "Let all of the network learn from your pictures alone, from scratch."
HIDDEN = (0, 64, 128, 256, 512)
METHOD_WORDS = {
    "gradient": "By gradient steps (Adam), as in Keras's guide",
    "svm": "As a linear support vector machine, at once: for few photos",
}
WEIGHT_WORDS = {"auto": "Automatic", "on": "On", "off": "Off"}
OUTPUT_WORDS = {"softmax": "Softmax, one unit a class", "sigmoid": "Sigmoid, one unit for two classes"}


def ask_settings(store: Store, dataset: Dataset, row: Backbone) -> HeadSettings:
    """Draw the options, for experts, and return the settings they make: without them those that are a good start."""
    make = scratch_settings if row.fresh else HeadSettings
    plain = make(
        backbone=row.name,
        seed=selection.seed(),
        validation_split=selection.validation_share(),
        later_share=selection.later_share(),
        parts=selection.parts(),
    )
    if not expert.is_on():
        return replace(plain, image_size=split_choice.image_size(store, dataset, row))
    with st.expander("Options", icon=":material/tune:"):
        small = dataset.included < starts.SVM_IMAGES and not row.fresh
        method = METHODS[0]
        if small:
            method = st.selectbox(
                "How the head learns", METHODS, format_func=distinct(METHODS, METHOD_WORDS.__getitem__)
            )
        left, right = st.columns(2)
        chosen = ask_materials(store, dataset, row, left, right)
        if method == "gradient":
            chosen |= ask_steps(dataset, plain, left, right)
            begun = replace(plain, epochs=chosen["epochs"])
            chosen |= augmentation_choice.ask_augmentation(store, dataset, begun)
        later = plain.later_share
        newest = f", and the newest {later:.0%} of the dated ones for later" if later else ""
        held_out = (
            "The validation photos that came with these photos judge the model"
            if split_choice.keeps_parts(store, dataset)
            else f"{selection.validation_share():.0%} of each class are held out for validation"
        )
        st.caption(f"{held_out}{newest}, seed {selection.seed()}. All are chosen in step 1.")
    return replace(plain, method=method, **chosen)


def ask_materials(
    store: Store, dataset: Dataset, row: Backbone, left: DeltaGenerator, right: DeltaGenerator
) -> dict[str, Any]:
    """Draw the options that every head has: the image size and the class weights."""
    recommended = split_choice.image_size(store, dataset, row)
    weights = left.selectbox(
        "Class weights",
        CLASS_WEIGHTS,
        format_func=distinct(
            CLASS_WEIGHTS,
            lambda each: (
                f"{WEIGHT_WORDS[each]}: {_automatic(store, dataset)}" if each == "auto" else WEIGHT_WORDS[each]
            ),
        ),
        help="They make every class count alike, however many images it has.",
    )
    size = right.number_input(
        "Image size (pixels)",
        row.min_size,
        1024,
        recommended,
        row.size_step,
        help=f"{'Made for' if row.fresh else 'The backbone learnt at'} {row.input_size}; smaller is faster. "
        f"{recommended} suits this data set.",
        key=f"image size {dataset.id} {row.name}",
    )
    taken = row.fit_size(int(size))
    if taken != size:
        below, above = row.near_sizes(int(size))
        right.caption(f"{row.title} takes {below} or {above} pixels, not {size:.0f}: {taken} will be used.")
    return {"class_weights": weights, "image_size": taken}


def ask_steps(dataset: Dataset, start: HeadSettings, left: DeltaGenerator, right: DeltaGenerator) -> dict[str, Any]:
    """Draw the options of what learns by gradient steps, those of `start` at first."""
    fresh = selection.backbone().fresh
    epochs = left.number_input("Epochs, at most", 1, 1000, start.epochs, help="Training stops sooner by itself.")
    patience = right.number_input(
        "Patience (early stopping)", 1, 1000, start.patience, help="Epochs without a better validation loss."
    )
    field = FRESH_RATE_FIELD if fresh else RATE_FIELD
    rates, rate = rates_with(FRESH_RATES if fresh else RATES, st.session_state.get(field, start.learning_rate))
    rate = left.select_slider(
        "Highest learning rate" if fresh else "Learning rate",
        rates,
        rate,
        format_func=distinct(rates, lambda each: f"{each:g}", repr),
        key=field,
    )
    batch = right.select_slider("Batch size", BATCHES, start.batch_size)
    dropout = left.slider("Dropout", 0.0, 0.9, start.dropout, 0.05)
    hidden = right.selectbox(
        "Hidden layer", HIDDEN, format_func=distinct(HIDDEN, lambda units: f"{units} units" if units else "None")
    )
    outputs = OUTPUTS if len(dataset.classes) == 2 else OUTPUTS[:1]
    output = left.selectbox("Output", outputs, format_func=distinct(outputs, OUTPUT_WORDS.__getitem__))
    return {
        "epochs": int(epochs),
        "patience": int(patience),
        "learning_rate": rate,
        "batch_size": batch,
        "dropout": dropout,
        "hidden_units": hidden,
        "output": output,
    }


def _automatic(store: Store, dataset: Dataset) -> str:
    """Say what automatic class weights do here, by the images that would be learnt from."""
    try:
        sides = split_choice.count_sides(store, dataset)
    except DatasetError:
        sides = None
    counts = dataset.classes if sides is None else {label: each.training for label, each in sides.items()}
    return "on here" if imbalance(counts) > UNBALANCED else "off here, the classes are even enough"


def draw_controls(store: Store, dataset: Dataset, run: Run | None) -> None:
    """Draw the options, Start (or the way into the queue) and Resume where a run was cut short."""
    job = store.latest_job(run.id) if run else None
    options = st.container()
    draw_finder(store, run, job)
    with options:
        settings = ask_settings(store, dataset, selection.backbone())
    refusal = split_choice.refusal(store, dataset)
    if refusal:
        words = expert.either(plain_refusal(refusal, dataset), refusal)
        st.warning(sentence(words), icon=":material/warning:")
    with st.container(horizontal=True):
        busy, goes_on = bool(store.queue()), resumable(job)
        if st.button(
            "Add to the queue" if busy else "Start training",
            type="secondary" if busy or goes_on else "primary",
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
    run_queue.tell_asked_twice(run, job)
    run_queue.draw(store, job.id if job else None)


def draw_finder(store: Store, run: Run | None, job: Job | None) -> None:
    """Draw the search of a learning rate for the next head, on what a trained one has cached, for experts; it sets the
    field."""
    if not expert.is_on() or run is None or run.result_phase is None or (job and job.active) or is_fresh(run):
        return
    with st.expander("Find a learning rate", icon=":material/troubleshoot:"):
        found = rate_finder.draw(store, run, 1)
    if found is not None:
        st.session_state[RATE_FIELD] = found


def is_fresh(run: Run) -> bool:
    """Say whether a run learns from scratch."""
    return find_backbone(run.backbone).fresh


def resumable(job: Job | None) -> bool:
    """Say whether a phase 1 was cut short and can go on."""
    return job is not None and job.kind == "head" and job.status in ("stopped", "failed")


def draw_run(store: Store, run: Run) -> None:
    """Draw how a run stands: its progress, its curve, its result."""
    job = store.latest_job(run.id)
    if job is None:
        return

    def draw(present: Job) -> None:
        if present.active:
            live.progress(present, "images")
            live.pause(store, present)
        elif present.kind == "head":
            live.ending(present)
        epochs = [epoch for epoch in store.epochs(run.id) if present.kind == "head" or epoch.phase == 1]
        live.curve(run.id, epochs)

    st.header("Training", anchor=False)
    if run.backbone != selection.backbone().name:
        st.caption(f"Of the run that you have now, with {title_of(run.backbone)}.")
    if job.active and job.kind == "fine_tune":
        steps.onward(
            "finetune",
            expert.either(
                "The eye is adapting now (fine-tuning): watch it on step 4",
                "This run is being fine-tuned now: watch it on step 4",
            ),
        )
    if not job.active:
        draw_result(store, run)
        evidence.draw(store, run, phase=1)
        accuracy.draw_accuracies(store, run, phase=1)
        accuracy.draw_age(store.dataset(run.dataset_id), run)
    live.follow(store, job, draw)
    live.downloads(run.id, store.epochs(run.id))
    if not job.active and run.result_phase is not None and is_fresh(run):
        steps.onward("mistakes", "On to step 5: look at the mistakes")
    elif not job.active and run.result_phase is not None:
        steps.onward(
            "finetune",
            expert.either(
                "On to step 4: let the eye adapt (fine-tune)",
                "On to step 4: unfreeze the top layers",
            ),
        )


def draw_result(store: Store, run: Run) -> None:
    """Say in plain words how good the head is."""
    epochs = store.epochs(run.id)
    kept_one = kept_epoch(run, epochs, 1)
    if run.result_phase is None or kept_one is None:
        return
    if not expert.is_on():
        images = run.facts.validation_images
        share = f"**{tell_score(kept_one.val_accuracy, images)}**{'' if images else ' of the'}"
        st.success(
            f"{'It' if is_fresh(run) else 'The head'} gets {share} exam photos (validation images) right.",
            icon=":material/check_circle:",
        )
        return
    trained = sum(1 for epoch in epochs if epoch.phase == 1)
    origin = (
        "It is a linear support vector machine, fitted at once."
        if run.head.method == "svm"
        else f"Its weights are those of epoch {kept_one.epoch} of {trained}."
    )
    what = "The network" if is_fresh(run) else "The head"
    st.success(
        f"{what} gets **{amounts.percent(kept_one.val_accuracy)}** of the validation images right "
        f"(validation loss {kept_one.val_loss:.3f}). {origin}",
        icon=":material/check_circle:",
    )


steps.heading("head", purpose=FRESH_PURPOSE if selection.backbone().fresh else "")
kept = selection.store()
present_run = selection.run(kept)
dataset_shown = selection.dataset(kept)
if dataset_shown is None:
    steps.missing("data", "The head needs photos to learn from.", "First add a data set")
else:
    network = selection.backbone()
    name, seen = network.title, expert.either("seen through the eye", "seen through")
    if network.fresh:
        name, seen = name.removesuffix(", from scratch"), "learnt from scratch by the network"
    images, classes = dataset_shown.included, len(dataset_shown.classes)
    told = expert.either(
        f"{amounts.count(images, 'photo')} of {amounts.count(classes, 'kind (class)', 'kinds (classes)')}, {seen} "
        f"**{name}**.",
        f"{amounts.count(images, 'image')} in {amounts.count(classes, 'class', 'classes')}, {seen} **{name}**.",
    )
    st.markdown(f"{emphasised(dataset_shown.name)}: {told}")
    ahead.draw(kept, dataset_shown)
    draw_controls(kept, dataset_shown, present_run)
    if present_run:
        draw_run(kept, present_run)
    else:
        st.caption("Nothing has been trained on this data set yet. The defaults are a good start.")
