"""The Fine-tune page (phase 2): how many top layers to unfreeze, and the training that follows."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import streamlit as st

from pages.ui.evaluation import accuracy
from pages.ui.page import live, run_queue, selection, steps
from pages.ui.training import depth, depth_probe, evidence, rate_finder
from pages.ui.training.rate_options import rates_with
from pages.ui.words import amounts
from pages.ui.words.names import sentence
from pages.ui.words.options import distinct
from thaw.jobs import starts
from thaw.storage.records import Job, Run
from thaw.storage.store import Store
from thaw.training.run_facts import kept_epoch
from tlcore.models.backbones import find_backbone
from tlcore.settings import FineTuneSettings
from tlcore.training.recommendations import recommend_learning_rate, refuse_fine_tune

DEFAULTS = FineTuneSettings()
RATES = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
USUAL_RATE = 1e-5
BATCHES = (8, 16, 32, 64, 128)


def ask_settings(run: Run, top: int) -> FineTuneSettings:
    """Draw the options and return the settings they make."""
    head_rate = run.head.learning_rate
    input_size = find_backbone(run.backbone).input_size
    image_size = run.facts.image_size or input_size
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
    """Draw the choice of layers, the guard and the Start button; only this part runs again as the slider moves."""
    head_parameters = _head_parameters(store, run)
    with st.expander("Which depth? Let Thaw try some (depth probe)", icon=":material/science:"):
        found_depth = depth_probe.draw(store, run)
    if found_depth is not None:
        depth.choose(run, found_depth)

    @st.fragment
    def plan() -> None:
        top = depth.ask_depth(run, layers, _last_settings(store, run).layers or 0)
        meaning, finder = st.container(), st.expander("Find a learning rate", icon=":material/troubleshoot:")
        batch_size = st.session_state.get(f"batch {run.id}", DEFAULTS.batch_size)
        with finder:
            found = rate_finder.draw(store, run, 2, FineTuneSettings(top, batch_size=batch_size))
        if found is not None:
            st.session_state[f"rate {run.id}"] = found
        settings = ask_settings(run, top)
        with meaning:
            depth.draw_meaning(run, layers, head_parameters, settings)
        refusal = refuse_fine_tune(store.epochs(run.id), run.head, settings)
        insist = False
        if refusal:
            st.warning(sentence(refusal), icon=":material/warning:")
            insist = st.checkbox("I know what I am doing; start anyway", key=f"insist {run.id}")
        with st.container(horizontal=True):
            busy = bool(store.queue())
            cut_short = job.kind == "fine_tune" and job.status in ("stopped", "failed")
            start = st.button(
                "Add to the queue" if busy else "Start fine-tuning",
                type="secondary" if cut_short else "primary",
                icon=":material/playlist_add:" if busy else ":material/play_arrow:",
                disabled=bool(refusal) and not insist,
            )
            resume = cut_short and st.button("Resume", type="primary", icon=":material/resume:")
        if start:
            asked = dataclasses.replace(settings, insist=insist)
            same = starts.find_fine_tune(store, run.id, asked)
            run_queue.start_once(same, lambda: starts.start_fine_tune(store, run.id, asked))
            st.rerun()
        if resume:
            starts.resume(store, run.id)
            st.rerun()

    plan()


def draw_training(store: Store, run: Run, job: Job) -> None:
    """Draw how the run stands, over both phases."""

    def draw(present: Job) -> None:
        if present.active:
            live.progress(present, "images")
            live.pause(store, present)
        elif present.kind == "fine_tune":
            live.ending(present)
        live.curve(run.id, store.epochs(run.id))

    st.subheader("Training", anchor=False)
    # What a phase 2 reached before it was killed says nothing about whether it would have helped.
    if job.kind == "fine_tune" and job.status in ("finished", "stopped"):
        draw_result(store, run)
        evidence.draw(store, run, phase=2)
        accuracy.draw_accuracies(store, run, run.result_phase or 1)
    accuracy.draw_age(store.dataset(run.dataset_id), run)
    live.follow(store, job, draw)
    live.downloads(run.id, store.epochs(run.id))


def draw_result(store: Store, run: Run) -> None:
    """Say which phase's model is the run's result, and why."""
    epochs = store.epochs(run.id)
    head, tuned = kept_epoch(run, epochs, 1), kept_epoch(run, epochs, 2)
    if head is None or tuned is None:
        return
    before, after = amounts.percent(head.val_accuracy), amounts.percent(tuned.val_accuracy)
    if run.result_phase == 2:
        st.success(
            f"Fine-tuning raised validation accuracy from **{before}** to **{after}** (epoch {tuned.epoch}): the "
            "fine-tuned model is this run's result."
            if after != before
            else f"Fine-tuning kept validation accuracy at **{after}** with a lower loss ({head.val_loss:.3f} to "
            f"{tuned.val_loss:.3f}): the fine-tuned model is this run's result.",
            icon=":material/check_circle:",
        )
    else:
        st.info(
            f"Fine-tuning did not help: it reached **{after}** on validation, and the head alone had **{before}**. "
            "The model of phase 1 stays this run's result. Try fewer layers or a smaller learning rate.",
            icon=":material/undo:",
        )


def _head_parameters(store: Store, run: Run) -> int:
    with np.load(store.workspace.run(run.id) / "head.npz", allow_pickle=False) as arrays:
        return sum(arrays[name].size for name in arrays.files)


def _last_settings(store: Store, run: Run) -> FineTuneSettings:
    """Return the settings of the run's phase 2, or those that suit its images."""
    if run.fine_tune:
        return run.fine_tune
    return starts.suit(store, run, run.head, DEFAULTS)


steps.heading("finetune")
kept = selection.store()
present_run = selection.run(kept)
latest = kept.latest_job(present_run.id) if present_run else None
if present_run is None or latest is None:
    steps.missing("head", "Fine-tuning starts from a trained head.", "First teach the head (phase 1)")
elif present_run.result_phase is None:
    steps.missing("head", "The head of this run has not been trained yet.", "Go to step 3: teach the head")
else:
    selection.run_picker(kept, present_run)
    if not latest.active:
        anatomy = json.loads((kept.workspace.run(present_run.id) / "layers.json").read_text(encoding="utf-8"))
        draw_plan(kept, present_run, anatomy, latest)
    run_queue.tell_asked_twice(present_run, latest)
    run_queue.draw(kept, latest.id)
    draw_training(kept, present_run, latest)
    if not latest.active:
        steps.onward("mistakes", "On to step 5: look at the mistakes")
        steps.onward("evaluation", "Or first: how good is it, class by class?")
