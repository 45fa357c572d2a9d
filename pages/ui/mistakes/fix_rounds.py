"""Draws the rounds of fixes: how accurate each head was, what each class gained, what was fixed, and the undo."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.data import edit_history
from pages.ui.figures import round_figures
from pages.ui.page import live
from pages.ui.words import amounts
from pages.ui.words.names import sentence, visible
from thaw.retraining.fix_history import History, Round, can_undo, read_history, undo_round
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.errors import DatasetError

NAMED = 3


def history(store: Store, chain: Sequence[Run]) -> History:
    """Return the rounds between the runs of a chain (`thaw.retraining.fix_history.read_history`)."""
    if len(chain) < 2:
        return History([], [])
    # A head that was resumed is another one under the same id.
    heads = tuple((run.id, str(run.facts.head.seconds)) for run in chain)
    return _history(store.workspace.root, heads, store.dataset(chain[0].dataset_id).version)


def tell_effect(store: Store, chain: Sequence[Run]) -> str:
    """Return in Markdown what the newest round of a chain brought, or nothing where there is none."""
    rounds = history(store, chain).rounds
    if not rounds or rounds[-1].run.id != chain[-1].id:
        return ""
    latest, verdict = rounds[-1], rounds[-1].verdict
    standing = "more than chance alone would do" if verdict.clear else "no more than chance may do"
    told, before = amounts.percent(latest.before_as_told), amounts.percent(latest.before)
    then = "" if told == before else f" (told as {told}, by the {expert.kinds('classes')} of that time)"
    return (
        f"Retrained: the head gets **{amounts.percent(latest.after)}** right of "
        f"{amounts.count(verdict.images[0], 'photo')} that judged both heads, by the "
        f"{expert.kinds('classes')} that they have now; "
        f"**{before}** before{then}. **{verdict.first_alone:,} fixed** and "
        f"**{verdict.second_alone:,} broken**: {standing}."
    )


def draw(store: Store, chain: Sequence[Run]) -> None:
    """Draw every round so far, if there is any."""
    found = history(store, chain)
    if not found.rounds:
        return
    newest = found.rounds[-1]
    with st.expander(f"What the fixes brought ({amounts.count(len(found.rounds), 'round')})", expanded=True):
        over_rounds, by_class, curve = st.tabs(["Round by round", expert.kinds("Class by class"), "Learning curve"])
        with over_rounds:
            draw_levels(found)
            draw_table(found.rounds)
            draw_undo(store, chain[0].dataset_id, found.rounds)
        with by_class:
            draw_classes(newest)
        with curve:
            live.curve(newest.run.id, store.epochs(newest.run.id))


def draw_levels(found: History) -> None:
    """Draw the accuracy of each head on the photos that judge them all."""
    levels = found.levels
    if not levels:
        st.caption("No photo judges all of these heads, so that they cannot be drawn on one line.")
        return
    told = ", ".join(amounts.percent(level.accuracy.value) for level in levels)
    figure(
        round_figures.levels(levels),
        key=f"rounds of {levels[0].run.id}",
        name=f"{levels[0].run.id}-rounds",
        alt=f"Accuracy before the first round and after each: {told}",
    )
    st.caption(
        f"Accuracy on the {amounts.count(levels[0].accuracy.of, 'photo')} that judge all of these heads, by the "
        f"{expert.kinds('classes')} that they have now, with "
        f"{expert.either('how far chance reaches', '95% intervals')}."
    )


def draw_classes(newest: Round) -> None:
    """Draw what the newest round changed for each class."""
    shown = newest.classes[: round_figures.MOST_CLASSES]
    told = "; ".join(f"{visible(each.label)} {each.points:+.1f} points" for each in shown)
    figure(
        round_figures.class_changes(shown),
        key=f"class changes of {newest.run.id}",
        name=f"{newest.run.id}-classes",
        alt=f"{expert.kinds('Change of the share found of each class')}: {told}",
    )
    left = len(newest.classes) - len(shown)
    more = (
        f" The {expert.kinds(amounts.count(left, 'class', 'classes'))} that changed least are left out." if left else ""
    )
    st.caption(
        f"Of each {expert.kinds('class')}, the share found{expert.either('', ' (recall)')} by "
        "the newest head less that of the one before it, on the same "
        f"photos.{more}"
    )


def draw_table(rounds: Sequence[Round]) -> None:
    """Draw the rounds as a table, the newest first."""
    st.dataframe(
        [
            {
                "round": number,
                "time": amounts.moment(each.run.created_at),
                "what was fixed": tell(each),
                "before": amounts.percent(each.before),
                "after": amounts.percent(each.after),
                "fixed": each.verdict.first_alone,
                "broken": each.verdict.second_alone,
                "beyond chance": "yes" if each.verdict.clear else "no",
            }
            for number, each in reversed(list(enumerate(rounds, 1)))
        ],
        hide_index=True,
        alt="Rounds of fixes, the newest first, with accuracy before and after on the same photos",
    )


def tell(done: Round) -> str:
    """Say what was fixed before a round: "2 moved from rose to tulip, 1 excluded"."""
    moves = list(done.moved.items())
    words = [f"{number:,} moved from {visible(old)} to {visible(new)}" for (old, new), number in moves[:NAMED]]
    if len(moves) > NAMED:
        words.append(f"{sum(number for _, number in moves[NAMED:]):,} moved otherwise")
    words += [f"{done.excluded:,} excluded"] if done.excluded else []
    words += [f"{done.restored:,} restored"] if done.restored else []
    return ", ".join(words) or "nothing"


def draw_undo(store: Store, dataset_id: str, rounds: Sequence[Round]) -> None:
    """Draw the undo of the round whose changes are the latest that stand, if there is one."""
    for number, each in reversed(list(enumerate(rounds, 1))):
        if can_undo(store, dataset_id, each.edits):
            st.button(
                f"Undo round {number}",
                icon=":material/undo:",
                on_click=_undo,
                args=(store, dataset_id, each),
                help="; ".join(edit_history.tell(edit) for edit in each.edits[:NAMED]),
                key=f"undo {each.run.id}",
            )
            st.caption("Its changes to the data set are taken back; the next retraining learns from that.")
            return


def _undo(store: Store, dataset_id: str, done: Round) -> None:
    try:
        undo_round(store, dataset_id, done.edits)
    except DatasetError as problem:
        st.toast(sentence(str(problem)), icon=":material/error:", duration="long")


# Reading and drawing lots for the intervals takes tenths of a second a head.
@st.cache_resource(show_spinner=False, max_entries=4)
def _history(root: Path, heads: tuple[tuple[str, str], ...], version: int) -> History:
    store = Store(Workspace(root))
    return read_history(store, [store.run(run_id) for run_id, _ in heads])
