"""The Export page: the model as files for phones, servers and programs, each proven before it can be downloaded."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.detection.outcome import add_up
from pages.ui.evaluation import accuracy
from pages.ui.page import deleting, live, prediction_cache, selection, steps
from pages.ui.runs import export_result
from pages.ui.runs.web_runtime import draw_web_runtime
from pages.ui.words import amounts
from pages.ui.words.names import emphasised
from thaw.detection.found import CONFIDENCE, read_found
from thaw.exporting import exports
from thaw.exporting.web_runtime import kept_runtime
from thaw.jobs import starts
from thaw.runs.decision import read_decision
from thaw.storage.export_record import EXPORT_FOLDER
from thaw.storage.records import Job, Run
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.exporting.formats import FORMATS
from tlcore.exporting.verification import MOST_JUDGED
from tlcore.progress import Stage


def draw_model(store: Store, run: Run) -> None:
    """Say which model is exported, how good it is, and what is put inside it."""
    if run.head.task == "detect":
        draw_detector(store, run)
        return
    said = prediction_cache.predictions(store, run)
    words = accuracy.name_model(run)
    photos = amounts.count(len(said.images), expert.either("exam photo", "validation photo"))
    st.markdown(
        f"The {words} of {emphasised(store.dataset(run.dataset_id).name)}, right on "
        f"**{amounts.percent(said.accuracy)}** of {photos}. Every file takes plain pixels: scaling is inside."
    )
    kept = read_decision(run)
    if kept is None:
        st.caption(
            expert.either(
                "This model always answers, however unsure it is.",
                "Neither a temperature nor a threshold has been kept for this model, so that it always answers. The "
                "Evaluation page has both.",
            )
        )
        steps.onward("evaluation", "Choose when it should say “I don't know”")
    else:
        st.caption(
            f"Inside too: {expert.either('', f'the temperature {kept.temperature:.2f}, and ')}“I don't know” below "
            f"{kept.threshold:.0%}, as kept on the Evaluation page."
        )


def draw_detector(store: Store, run: Run) -> None:
    """Say the same of a model that finds things."""
    judged = read_found(store, run).judge(CONFIDENCE)
    found, things, alarms = add_up(judged)
    st.markdown(
        f"The detector of {emphasised(store.dataset(run.dataset_id).name)}: **{found:,} of {things:,}** found on "
        f"{amounts.count(judged.photos, 'exam photo')}, {amounts.count(alarms, 'false alarm')}. Every file takes plain "
        "pixels: scaling is inside."
    )
    st.caption(
        f"A small program comes with the files. It shows what the model is at least {CONFIDENCE:.0%} sure of, "
        "as boxes in pixels of your picture."
    )


def ask_formats(store: Store, run: Run) -> list[str]:
    """Draw the choice of formats, at first all that can be made here; return the names of those chosen."""
    st.header("For what?", anchor=False)
    offered = [FORMATS[name] for name in exports.offered_formats(run)]
    has_runtime = kept_runtime(store.workspace) is not None
    if any(row.fetched for row in offered):
        draw_web_runtime(store.workspace)
    return [
        row.name
        # What most people want first: a page to be opened.
        for row in sorted(offered, key=lambda each: not each.fetched)
        if (has_runtime or not row.fetched)
        and st.checkbox(f"{row.title} – {row.use}", value=True, key=f"format {row.name} {run.id}")
    ]


def start(store: Store, run: Run, chosen: list[str]) -> None:
    """Start the export, unless one goes on already."""
    try:
        exports.start_export(store, run.id, chosen)
    except RunError:
        # Another tab was quicker: this one follows what goes on.
        return


def draw_progress(store: Store, job: Job) -> None:
    """Draw how an export stands, with Stop."""
    live.progress(job, "formats" if job.stage == Stage.MEASURING_SPEED else "images")
    live.stop(store, job, "Stop")
    st.caption("It goes on if you close this page.")


def draw_run(store: Store, run: Run) -> None:
    """Draw the whole page for a run that has a model."""
    draw_model(store, run)
    deleting.undo_bar(store)
    job, made = starts.latest_trial(store, "export", run.id), exports.latest_export(store, run.id)
    if job and job.active:
        live.follow(store, job, lambda present: draw_progress(store, present))
        return
    if job:
        live.ending(job)
    stale = exports.explain_stale(store, run, made) if made else None
    if made:
        export_result.draw(made, stale)
    with st.expander("Export again", expanded=stale is not None) if made else st.container():
        chosen = ask_formats(store, run)
        st.button(
            "Export and prove",
            type="primary",
            icon=":material/output:",
            disabled=not chosen,
            on_click=start,
            args=(store, run, chosen),
            help="Every file is opened by a fresh program of its own and must answer as this model does, on "
            f"at most {MOST_JUDGED:,} photos of each set. It takes a minute or two.",
        )
    if made:
        deleting.offer(store, [f"{run.id}/{EXPORT_FOLDER}"], "Delete this export…")


steps.heading("export")
kept_store = selection.store()
present_run = selection.run(kept_store)
shown = selection.dataset(kept_store)
if (present_run is None or present_run.result_phase is None) and shown and kept_store.has_boxes(shown.id):
    steps.missing("find", "There is no trained model to take along yet.", "First teach it to find things")
elif present_run is None:
    steps.missing("head", "There is no trained model to export yet.", "First teach the head (phase 1)")
elif present_run.result_phase is None:
    steps.missing("head", "This run has no model yet.", "Go to step 3: teach the head")
else:
    draw_run(kept_store, present_run)
