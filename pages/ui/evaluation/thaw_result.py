"""What came of letting the backbone thaw: the score before and after, the photos that changed sides, and the next try.

Where it did not help, one sentence says why, from the curves, and a button starts what is advised.
"""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.evaluation import prediction_changes
from pages.ui.evaluation.accuracy import count_right
from pages.ui.page import prediction_cache, steps
from pages.ui.server.routes import picture_url
from pages.ui.words import amounts
from pages.ui.words.names import in_html
from thaw.runs.prediction_changes import ChangedImage, Turnover, list_changes
from thaw.storage.records import Image, Job, Run
from thaw.storage.store import Store
from thaw.training.evidence import explain_shortfall
from thaw.training.run_facts import kept_epoch
from thaw.training.shortfall import Reason, Shortfall
from tlcore.evaluation.predictions import VALIDATION
from tlcore.settings import FineTuneSettings
from tlcore.training.history import Epoch

MOST_IN_A_ROW = 24
# The sentence, and beside it what it advises.
BESIDE = (5, 3)
STYLE = """<style>
.thaw-score { margin: 0; font-size: 1.5rem; line-height: 1.2; }
.thaw-turned { margin: 0 0 0.3rem; font-weight: 600; }
.thaw-changed { display: flex; gap: 0.6rem; overflow-x: auto; padding: 3px 3px 0.4rem; }
.thaw-changed:focus-visible { outline: 3px solid currentcolor; }
.thaw-changed figure { flex: none; width: 104px; margin: 0; }
.thaw-changed img { display: block; width: 104px; height: 84px; object-fit: cover; border-radius: 8px;
  background: #8882; }
.thaw-changed figcaption { margin-top: 0.2rem; font-size: 0.8rem; line-height: 1.25; overflow-wrap: anywhere; }
.thaw-score b { font-size: 3rem; font-weight: 650; font-variant-numeric: tabular-nums; }
</style>"""


def draw(
    store: Store, run: Run, job: Job, layers: Sequence[dict[str, Any]], start: Callable[[FineTuneSettings], None]
) -> None:
    """Draw the banner of a phase 2 that has ended; `start` starts another with the settings that it is given.

    `layers` are the backbone's (`tlcore.models.layers.describe_layers`). Draws nothing where a phase left no model.
    """
    epochs = store.epochs(run.id)
    head, tuned = kept_epoch(run, epochs, 1), kept_epoch(run, epochs, 2)
    if head is None or tuned is None:
        return
    if is_judged(store, run):
        draw_score(store, run)
    seen = [epoch for epoch in epochs if epoch.phase == 2]
    if run.result_phase == 2:
        st.success(tell_gain(head, tuned, seen), icon=":material/check_circle:")
    else:
        found = explain_shortfall(run, epochs, layers, job.status == "stopped")
        words, button = st.columns(BESIDE, vertical_alignment="center")
        words.info(tell_shortfall(found, head, tuned, seen), icon=":material/undo:")
        if found:
            with button:
                offer(run, found, bool(store.queue()), start)
    if is_judged(store, run):
        draw_changes(compare_phases(store, run))


def is_judged(store: Store, run: Run) -> bool:
    """Say whether what both phases' models said of the exam photos is on record."""
    return all(VALIDATION in prediction_cache.sides(store, run, phase) for phase in (1, 2))


def compare_phases(store: Store, run: Run) -> Turnover[Image]:
    """List the exam photos that turned right or wrong from phase 1 to phase 2, the largest change first."""
    return list_changes(prediction_cache.predictions(store, run, 1), prediction_cache.predictions(store, run, 2))


def draw_score(store: Store, run: Run) -> None:
    """Draw how many exam photos were right before and are right now, in large letters."""
    (before, images), (after, _) = (count_right(prediction_cache.accuracy(store, run, phase)) for phase in (1, 2))
    st.html(
        f'{STYLE}<p class="thaw-score" data-testid="thaw-score"><b>{before:,} → {after:,}</b> of {images:,} '
        "exam photos right</p>"
    )


def draw_changes(found: Turnover[Image]) -> None:
    """Draw the exam photos that turned right and those that turned wrong, side by side."""
    if not found.fixed and not found.broken:
        st.caption("No exam photo changed sides: the same ones are right and wrong as before.")
        return
    for place, (title, changes) in zip(st.columns(2), _sides(found), strict=True):
        place.html(draw_row(title, changes))


def draw_answers(store: Store, run: Run) -> None:
    """Draw what both models say of each photo that changed sides, once the panel is opened."""
    if not is_judged(store, run):
        return
    panel = st.expander(
        "What both models say of the photos that changed sides",
        icon=":material/compare_arrows:",
        key=f"changes of {run.id}",
        on_change="rerun",
    )
    if panel.open:
        with panel:
            for number, (title, changes) in enumerate(_sides(compare_phases(store, run))):
                after = expert.either("adapted eye", "fine-tuned")
                prediction_changes.draw_gallery(title, changes, "head", after, f"side {number} of {run.id}")


def draw_row(title: str, changes: Sequence[ChangedImage[Image]]) -> str:
    """Return the HTML of one row of photos, each with what it was taken for before and is taken for now."""
    photos = "".join(
        f'<figure><img loading="lazy" src="{picture_url("thumbnail", each.image)}" alt="{in_html(each.image.name)}">'
        f"<figcaption>{in_html(each.before.label)} → <b>{in_html(each.after.label)}</b></figcaption></figure>"
        for each in changes[:MOST_IN_A_ROW]
    )
    # A row that scrolls has to be reached by keyboard.
    row = f'<div class="thaw-changed" tabindex="0" role="group" aria-label="{title}">{photos}</div>' if photos else ""
    return f'{STYLE}<p class="thaw-turned">{title}</p>{row}'


def tell_gain(head: Epoch, tuned: Epoch, epochs: Sequence[Epoch]) -> str:
    """Say by how much the fine-tuned model is better, in exam photos or else in its loss."""
    before, after = amounts.percent(head.val_accuracy), amounts.percent(tuned.val_accuracy)
    gain = (
        f"raised the score on the exam photos (validation accuracy) from **{before}** to **{after}** in round "
        f"{tuned.epoch - epochs[0].epoch + 1} of {len(epochs)}"
        if after != before
        else f"kept the score on the exam photos (validation accuracy) at **{after}** and is surer of it (loss "
        f"{head.val_loss:.3f} to {tuned.val_loss:.3f})"
    )
    model = expert.either("the model with the adapted eye", "the fine-tuned model")
    return f"{_what()} {gain}: {model} is this run's result."


def tell_shortfall(found: Shortfall | None, head: Epoch, tuned: Epoch, epochs: Sequence[Epoch]) -> str:
    """Say in one sentence why phase 2 did not help, with the numbers of its curves; what stays is phase 1's model."""
    before, after = amounts.percent(head.val_accuracy), amounts.percent(tuned.val_accuracy)
    reached = f"{_what()} did not help: it reached **{after}** of the exam photos, and the head alone had **{before}**"
    kept = f"The model of {expert.either('before', 'phase 1')} stays this run's result."
    return f"{reached}. {kept}" if found is None else f"{reached}, {_reason(found.reason, head, epochs)}. {kept}"


def label(found: Shortfall, asked: FineTuneSettings, busy: bool) -> str:
    """Name the button by exactly what it starts."""
    advised, told = found.advised, []
    assert advised is not None
    if advised.layers != asked.layers:
        told.append(amounts.count(advised.layers or 0, "layer"))
    if advised.epochs != asked.epochs:
        told.append(f"up to {advised.epochs} rounds (epochs)")
    if advised.learning_rate != asked.learning_rate:
        size = "larger" if (advised.learning_rate or 0) > (asked.learning_rate or 0) else "smaller"
        told.append(f"{size} steps (learning rate {advised.learning_rate:g})")
    return f"{'Add to the queue' if busy else 'Start again'}: {' and '.join(told)}"


def offer(run: Run, found: Shortfall, busy: bool, start: Callable[[FineTuneSettings], None]) -> None:
    """Draw the button that starts what is advised, or the way to more photos where no settings would help."""
    if found.advised:
        words = label(found, run.fine_tune or FineTuneSettings(), busy)
        if st.button(words, type="primary", icon=":material/lightbulb:", key=f"advised {run.id}"):
            start(found.advised)
    elif found.reason is Reason.TOO_FEW_PHOTOS:
        steps.onward("data", "Add photos")


def _what() -> str:
    return expert.either("Letting the eye adapt (fine-tuning)", "Fine-tuning")


def _sides(found: Turnover[Image]) -> list[tuple[str, list[ChangedImage[Image]]]]:
    sides = (("Turned right", found.fixed), ("Turned wrong", found.broken))
    return [(f"{title} ({len(changes):,})", changes) for title, changes in sides]


def _reason(reason: Reason, head: Epoch, epochs: Sequence[Epoch]) -> str:
    """Return why as the end of a sentence; losses are the error, in the field's word beside it."""
    least, best = min(each.loss for each in epochs), min(each.val_loss for each in epochs)
    first, last, rounds = epochs[0], epochs[-1], amounts.count(len(epochs), "round")
    return {
        Reason.NOTHING_TO_GAIN: "which leaves nothing to gain",
        Reason.CUT_SHORT: f"and it was paused after {rounds}: Resume goes on from there",
        Reason.STEP_TOO_LARGE: "because its steps were too large: its first round took the error (loss) on the photos "
        f"that it learns from up from {head.loss:.3f} to {first.loss:.3f}",
        Reason.STEP_TOO_SMALL: "because its steps were too small: the error (loss) on the photos that it learns from "
        f"hardly moved, from {head.loss:.3f} to {least:.3f}",
        Reason.TOO_FEW_ROUNDS: f"because it ended too soon: it was still getting better when its {rounds} were over",
        Reason.TOO_DEEP: "because it went too deep: it learnt its photos by heart, and meanwhile the error (loss) on "
        f"the exam photos rose from {best:.3f} to {last.val_loss:.3f}",
        Reason.TOO_FEW_PHOTOS: "because there are too few photos: the error (loss) on those that it learns from fell "
        f"to {least:.3f}, and the exam photos gained nothing by it ({head.val_loss:.3f} to {best:.3f})",
    }[reason]
