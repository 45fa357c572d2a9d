"""Shows a job as it goes on: its stage, progress, rate and time left, its curve, and how it ended."""

from collections.abc import Callable

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.figures import basics, score_figure
from pages.ui.words import amounts, glossary, plain
from pages.ui.words.names import capital, csv, sentence
from thaw.jobs import lifecycle, queue, stages
from thaw.prediction.client import predictor
from thaw.storage.records import Job
from thaw.storage.store import Store
from tlcore.progress import Stage
from tlcore.training.history import Epoch

POLL_S = 1.0
# A curve that grows is looked at, and its first point is waited for.
LIVE_POLL_S = 0.4
TRAINING = ("head", "fine_tune")
IMPORT_STOPPED = "Nothing of this import was kept, and your originals are as they were."
TRAINING_STOPPED = "Everything up to the last finished epoch is kept; Resume goes on from there."
PLAIN_TRAINING_STOPPED = "Everything up to the last finished round (epoch) is kept; Resume goes on from there."
CHECK_STOPPED = "What had been computed is kept for the next time."
SAVE_STOPPED = "No half of a project was kept."
EXPORT_STOPPED = "Nothing of this export was kept; an earlier one is as it was."
STOPPED = {
    "import": IMPORT_STOPPED,
    "open": IMPORT_STOPPED,
    "check": CHECK_STOPPED,
    "sort": CHECK_STOPPED,
    "save": SAVE_STOPPED,
    "export": EXPORT_STOPPED,
}
EPOCH_COLUMNS = ("epoch", "phase", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")


def follow(store: Store, job: Job, draw: Callable[[Job], None]) -> None:
    """Draw a job once a second, or a curve oftener, while it is active; run the whole page again when it has ended."""
    poll_s = LIVE_POLL_S if job.kind in TRAINING else POLL_S

    @st.fragment(run_every=poll_s if job.active else None)
    def panel() -> None:
        lifecycle.reconcile(store)
        present = store.job(job.id)
        if job.active and not present.active:
            if present.kind in TRAINING and store.run(str(present.run_id)).result_phase:
                # Whoever watched will want to see what the model says.
                predictor(store.workspace).warm(str(present.run_id))
            st.rerun()
        draw(present)

    panel()


def progress(job: Job, noun: str) -> None:
    """Draw the stage of an active job with its counts; `noun` is what it counts ("images")."""
    stage = tell_stage(job.stage)
    share = min(job.done / job.total, 1.0) if job.total else 0.0
    st.progress(share, text=sentence(" · ".join([stage, *_counts(job, noun)])))
    if job.note:
        st.caption(sentence(job.note))
    if job.stop_requested:
        st.caption("Stopping after the present step…")
    if lifecycle.silent(job):
        st.warning(
            "Nothing has been heard of the process for more than 15 seconds: it is suspended, or the computer is "
            "overloaded. It goes on by itself when it can.",
            icon=":material/hourglass_empty:",
        )


def tell_stage(stage: Stage) -> str:
    """Say what a job is at, as the beginning of a sentence."""
    told = capital(stages.name(stage))
    return expert.either(plain.STAGES.get(stage, glossary.plainly(told)).removesuffix(", round"), told)


def pause(store: Store, job: Job) -> None:
    """Draw the button that asks the training of a run to stop, or gives up its place in the queue."""
    if queue.waits(job):
        stop(store, job, "Cancel", ":material/close:")
    else:
        stop(store, job, "Pause", ":material/pause:")


def stop(store: Store, job: Job, label: str, icon: str = ":material/stop:") -> None:
    """Draw the button that asks an active job to stop."""
    st.button(
        label,
        icon=icon,
        disabled=job.stop_requested,
        on_click=store.ask_to_stop,
        args=(job.id,),
        key=f"stop {job.id}",
    )


def ending(job: Job) -> None:
    """Say in words how a job ended, where it did not simply finish."""
    if job.status == "failed":
        words = job.error or "The process ended without saying why."
        st.error(sentence(expert.either(glossary.plainly(words), words)), icon=":material/error:")
    elif job.status == "stopped":
        if job.kind in STOPPED:
            st.info(f"Stopped, as you asked. {STOPPED[job.kind]}", icon=":material/stop_circle:")
        else:
            kept = expert.either(PLAIN_TRAINING_STOPPED, TRAINING_STOPPED)
            st.info(f"Paused, as you asked. {kept}", icon=":material/pause_circle:")


def curve(run_id: str, epochs: list[Epoch]) -> None:
    """Draw the learning curve of a run, or a friendly word before its first epoch: the score alone, or for experts the
    loss as well."""
    if not epochs:
        st.caption(f"The curve appears here with the first {expert.either('round (epoch)', 'epoch')}.")
        return
    last = epochs[-1]
    if not expert.is_on():
        figure(
            score_figure.learning_score(epochs),
            key=f"curve {run_id}",
            name=f"{run_id}-curve",
            zoom=True,
            alt=f"Share of photos right over {amounts.count(len(epochs), 'round')}. After the last: "
            f"{amounts.percent(last.val_accuracy)} of the exam photos, {amounts.percent(last.accuracy)} of those that "
            "it learns from.",
        )
        return
    figure(
        basics.learning_curve(epochs),
        key=f"curve {run_id}",
        name=f"{run_id}-curve",
        zoom=True,
        alt=(
            f"Accuracy and loss over {amounts.count(len(epochs), 'epoch')}: validation accuracy from "
            f"{amounts.percent(epochs[0].val_accuracy)} to {amounts.percent(last.val_accuracy)}, validation loss from "
            f"{epochs[0].val_loss:.3f} to {last.val_loss:.3f}."
        ),
    )


def downloads(run_id: str, epochs: list[Epoch]) -> None:
    """Draw the download of a run's epochs as CSV, for experts."""
    if not epochs or not expert.is_on():
        return
    rows = [{column: getattr(epoch, column) for column in EPOCH_COLUMNS} for epoch in epochs]
    st.download_button(
        "Epochs as CSV",
        csv(rows, EPOCH_COLUMNS),
        file_name=f"{run_id}-epochs.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _counts(job: Job, noun: str) -> list[str]:
    if not job.total:
        return []
    scale, unit = _unit(job.stage, noun)
    words = [f"{job.done / scale:,.0f} of {job.total / scale:,.0f} {unit}"]
    rate = job.rate / scale
    if rate >= 1:
        words.append(f"{rate:,.1f} {unit}/s")
    elif rate > 0:
        words.append(f"{amounts.duration(1 / rate)} each")
    if job.rate > 0:
        words.append(f"{amounts.duration(job.seconds_left)} left")
    return words


def _unit(stage: Stage, noun: str) -> tuple[float, str]:
    """Return what a stage counts: epochs while training, rounds of a check, megabytes of a download, else `noun`."""
    unit = stages.unit(stage)
    if unit == "bytes":
        return 1e6, "MB"
    return 1, expert.said(unit or noun)
