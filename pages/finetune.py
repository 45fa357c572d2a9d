"""The Fine-tune page (phase 2): how much of the backbone may thaw, the training that follows, and what came of it."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.evaluation import accuracy, thaw_result
from pages.ui.figures.score_figure import score_curve, tell_score
from pages.ui.page import ahead, live, run_queue, selection, steps
from pages.ui.training import depth, depth_probe, evidence, rate_finder
from pages.ui.training.rate_options import rates_with
from pages.ui.words import amounts
from pages.ui.words.names import sentence
from pages.ui.words.options import distinct
from thaw.jobs import starts
from thaw.storage.records import Job, Run
from thaw.storage.store import Store
from thaw.training.costs import expect_costs
from thaw.training.run_facts import kept_epoch
from tlcore.models.backbones import find_backbone
from tlcore.settings import FineTuneSettings
from tlcore.training.recommendations import recommend_learning_rate, refuse_fine_tune

DEFAULTS = FineTuneSettings()
RATES = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
USUAL_RATE = 1e-5
BATCHES = (8, 16, 32, 64, 128)
PLAIN_REFUSAL = (
    "The head is still learning. Teach it for more rounds (epochs) on step 3 first, or its rough corrections will "
    "damage what the eye knows."
)


def _sizes(run: Run) -> tuple[int, int]:
    """Return the side of the run's images and that of those that its backbone learnt from, in pixels."""
    input_size = find_backbone(run.backbone).input_size
    return run.facts.image_size or input_size, input_size


def suit(run: Run, top: int) -> FineTuneSettings:
    """Return the settings that suit a run at a depth."""
    return dataclasses.replace(
        DEFAULTS, layers=top, learning_rate=recommend_learning_rate(run.head.learning_rate, *_sizes(run))
    )


def ask_settings(run: Run, top: int) -> FineTuneSettings:
    """Draw the options and return the settings they make."""
    head_rate = run.head.learning_rate
    image_size, input_size = _sizes(run)
    advised = recommend_learning_rate(head_rate, image_size, input_size)
    field = f"rate {run.id}"
    rates, start = rates_with(RATES, st.session_state.get(field, advised))
    rate = st.select_slider(
        "Learning rate",
        rates,
        start,
        format_func=distinct(rates, lambda each: f"{each:g}", repr),
        help="10 to 100 times below the head's, so that the backbone is adjusted rather than overwritten.",
        key=field,
    )
    if image_size < input_size:
        st.caption(
            f"{advised:g} is advised here rather than a hundredth of the head's rate: at {image_size} pixels, below "
            f"the {input_size} that the backbone learnt at, its features have further to go than on photos."
        )
    elif not math.isclose(advised, USUAL_RATE):
        st.caption(f"{advised:g} is advised here, a hundredth of the head's {head_rate:g}.")
    with st.expander("Options", icon=":material/tune:"):
        left, middle, right = st.columns(3)
        epochs = left.number_input("Epochs, at most", 1, 1000, DEFAULTS.epochs)
        batch = middle.select_slider("Batch size", BATCHES, DEFAULTS.batch_size, key=f"batch {run.id}")
        patience = right.number_input("Patience (early stopping)", 1, 1000, DEFAULTS.patience)
    return FineTuneSettings(top, int(epochs), batch, rate, int(patience))


def draw_plan(store: Store, run: Run, layers: list[dict[str, Any]], job: Job) -> None:
    """Draw the ice, and beside Start how long it takes; only this part runs again as another depth is chosen."""
    head_parameters = _head_parameters(store, run)

    @st.fragment
    def plan() -> None:
        # Filled from below: what is decided by the expert's settings stands above them.
        block, controls, guard = (
            st.container(),
            st.container(horizontal=True, vertical_alignment="bottom"),
            st.container(),
        )
        if expert.is_on():
            top, settings = ask_expert(store, run, layers, head_parameters)
        else:
            top = depth.recall(run, _last_settings(store, run).layers or 0)
            settings = suit(run, top)
        with block:
            depth.draw_ice(run, layers, top)
        with guard:
            refusal = refuse_fine_tune(store.epochs(run.id), run.head, settings)
            insist = False
            if refusal:
                st.warning(sentence(expert.either(PLAIN_REFUSAL, refusal)), icon=":material/warning:")
                insist = st.checkbox("I know what I am doing; start anyway", key=f"insist {run.id}")
        with controls:
            depth.ask_exactly(run, layers)
            busy = bool(store.queue())
            cut_short = job.kind == "fine_tune" and job.status in ("stopped", "failed")
            begun = st.button(
                "Add to the queue" if busy else expert.either("Let the eye adapt (fine-tune)", "Start fine-tuning"),
                type="secondary" if cut_short else "primary",
                icon=":material/playlist_add:" if busy else ":material/play_arrow:",
                disabled=bool(refusal) and not insist,
            )
            resume = cut_short and st.button("Resume", type="primary", icon=":material/resume:")
            costs = expect_costs(run.facts, layers, head_parameters, run.head, settings)
            if costs.total_s is not None:
                st.markdown(f"**{amounts.roughly(costs.total_s)}** at most, mostly less")
        # At the depth of its last phase 2 a run has all that another one would learn from.
        if not refusal and not begun and not resume and top != (run.fine_tune and run.fine_tune.layers):
            ahead.draw_at_depth(store, run, top, costs.disk_bytes)
        if begun:
            start(store, run, dataclasses.replace(settings, insist=insist))
        if resume:
            starts.resume(store, run.id)
            st.rerun()

    plan()


def ask_expert(
    store: Store, run: Run, layers: list[dict[str, Any]], head_parameters: int
) -> tuple[int, FineTuneSettings]:
    """Draw all that an expert may set and try, folded; return the depth and the settings."""
    with st.expander("Expert settings", icon=":material/tune:"):
        with st.expander("Which depth? Let Thaw try some (depth probe)", icon=":material/science:"):
            found_depth = depth_probe.draw(store, run)
        if found_depth is not None:
            depth.choose(run, found_depth)
        top = depth.recall(run, _last_settings(store, run).layers or 0)
        depth.ask_preset(run, layers)
        meaning, finder = st.container(), st.expander("Find a learning rate", icon=":material/troubleshoot:")
        batch_size = st.session_state.get(f"batch {run.id}", DEFAULTS.batch_size)
        with finder:
            found = rate_finder.draw(store, run, 2, FineTuneSettings(top, batch_size=batch_size))
        if found is not None:
            st.session_state[f"rate {run.id}"] = found
        settings = ask_settings(run, top)
        with meaning:
            depth.draw_meaning(run, layers, head_parameters, settings)
            depth.draw_layers(run, layers, top)
    return top, settings


def start(store: Store, run: Run, asked: FineTuneSettings) -> None:
    """Start a phase 2 with these settings, or put it into the queue, and show its run."""
    same = starts.find_fine_tune(store, run.id, asked)
    run_queue.start_once(same, lambda: starts.start_fine_tune(store, run.id, asked))
    st.rerun()


def draw_training(store: Store, run: Run, job: Job) -> None:
    """Draw how phase 2 stands or stood: its score from the head's on; further below what is there of both phases."""

    def draw(present: Job) -> None:
        if present.active:
            live.progress(present, "images")
            live.pause(store, present)
        elif present.kind == "fine_tune":
            live.ending(present)
        draw_score(store, run, present)
        if not expert.is_on():
            return
        both = st.expander(
            "Curves of both phases", icon=":material/show_chart:", key=f"curves of {run.id}", on_change="rerun"
        )
        if both.open:
            with both:
                live.curve(run.id, store.epochs(run.id))

    live.follow(store, job, draw)
    # What a phase 2 reached before it was killed says nothing about whether it would have helped.
    if has_ended(job):
        thaw_result.draw_answers(store, run)
        evidence.draw(store, run, phase=2)
    accuracy.draw_age(store.dataset(run.dataset_id), run)
    live.downloads(run.id, store.epochs(run.id))


def draw_score(store: Store, run: Run, job: Job) -> None:
    """Draw the one curve: the head's score, and from there on that of each epoch of phase 2."""
    epochs = store.epochs(run.id)
    tuned, head = [epoch for epoch in epochs if epoch.phase == 2], kept_epoch(run, epochs, 1)
    if head is None or not (tuned or (job.active and job.kind == "fine_tune")):
        return
    images = run.facts.validation_images
    last = tell_score((tuned[-1] if tuned else head).val_accuracy, images)
    figure(
        score_curve(head, tuned, images),
        key=f"score {run.id}",
        name=f"{run.id}-score",
        zoom=True,
        alt=(
            f"Exam photos that are right: the head had {tell_score(head.val_accuracy, images)}; after "
            f"{amounts.count(len(tuned), 'round')} of {expert.either('adapting', 'fine-tuning')} {last}."
        ),
    )


def has_ended(job: Job) -> bool:
    """Say whether a phase 2 has ended in a way that lets it be judged."""
    return job.kind == "fine_tune" and job.status in ("finished", "stopped")


def _head_parameters(store: Store, run: Run) -> int:
    with np.load(store.workspace.run(run.id) / "head.npz", allow_pickle=False) as arrays:
        return sum(arrays[name].size for name in arrays.files)


def _last_settings(store: Store, run: Run) -> FineTuneSettings:
    """Return the settings of the run's phase 2, or those that suit its images."""
    if run.fine_tune:
        return run.fine_tune
    return starts.suit(store, run, run.head, DEFAULTS)


def draw(store: Store, run: Run, job: Job) -> None:
    """Draw the page of a run that has a head: what came of the last try, the next one, and how it goes."""
    anatomy = json.loads((store.workspace.run(run.id) / "layers.json").read_text(encoding="utf-8"))
    if has_ended(job):
        thaw_result.draw(store, run, job, anatomy, lambda asked: start(store, run, asked))
        accuracy.draw_accuracies(store, run, run.result_phase or 1)
    if job.active:
        depth.draw_ice(run, anatomy, _last_settings(store, run).layers or 0, movable=False)
    else:
        draw_plan(store, run, anatomy, job)
    run_queue.tell_asked_twice(run, job)
    run_queue.draw(store, job.id)
    draw_training(store, run, job)


# The ice is as wide as the window allows.
steps.heading("finetune", wide=True)
kept = selection.store()
present_run = selection.run(kept)
latest = kept.latest_job(present_run.id) if present_run else None
if present_run is None or latest is None:
    words = expert.either("The eye can adapt once a head is trained.", "Fine-tuning starts from a trained head.")
    steps.missing("head", words, "First teach the head (phase 1)")
elif present_run.result_phase is None:
    steps.missing("head", "The head of this run has not been trained yet.", "Go to step 3: teach the head")
elif find_backbone(present_run.backbone).fresh:
    steps.missing(
        "mistakes",
        "This training began with nothing and learnt all at once: nothing is frozen, so there is nothing to thaw.",
        "On to step 5: look at the mistakes",
    )
else:
    draw(kept, present_run, latest)
    if not latest.active:
        steps.onward("mistakes", "On to step 5: look at the mistakes")
        steps.onward("evaluation", expert.kinds("Or first: how good is it, class by class?"))
