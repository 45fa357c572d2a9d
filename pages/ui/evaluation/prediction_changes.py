"""From one run to another on the same images: which mistakes were fixed and which are new, as two galleries."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.components import pictures
from pages.ui.components.expert import expert
from pages.ui.components.pictures import Row
from pages.ui.data import browse
from pages.ui.words import amounts
from pages.ui.words.names import csv
from thaw.runs.comparison import ComparedRun
from thaw.runs.prediction_changes import ChangedImage, Turnover, list_changes

CARDS_A_PAGE = 12
COLUMNS = ("change", "image", "true", "before", "before_confidence", "after", "after_confidence")


def draw(entries: Sequence[ComparedRun]) -> None:
    """Draw what changes between two of the runs that have a model; at first from the earliest to the latest."""
    ready = sorted((entry for entry in entries if entry.judged), key=lambda entry: entry.run.number)
    if len(ready) < 2:
        return
    st.header("Which mistakes were fixed, which are new", anchor=False)
    before, after = ask_two(ready) if len(ready) > 2 else (ready[0], ready[1])
    if before is after or before.judged is None or after.judged is None:
        st.info("Choose two different runs.", icon=":material/compare_arrows:")
        return
    found = list_changes(before.judged, after.judged)
    if not found.images:
        st.info("No image judged both of them, so there is nothing to compare.", icon=":material/compare_arrows:")
        return
    st.markdown(tell(before.letter, after.letter, found))
    key = f"{before.run.id} {after.run.id}"
    draw_gallery(f"Fixed ({len(found.fixed):,})", found.fixed, before.letter, after.letter, f"fixed {key}")
    draw_gallery(f"Broken ({len(found.broken):,})", found.broken, before.letter, after.letter, f"broken {key}")
    if found.fixed or found.broken:
        st.download_button(
            "Fixed and broken as CSV",
            lambda: csv(list_rows(found), COLUMNS),
            file_name=f"{before.run.id}-{after.run.id}-changes.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def ask_two(ready: Sequence[ComparedRun]) -> tuple[ComparedRun, ComparedRun]:
    """Draw the choice of two runs, by their letters."""
    by_letter = {entry.letter: entry for entry in ready}
    letters, key = sorted(by_letter), " ".join(entry.run.id for entry in ready)
    left, right = st.columns(2)
    first = left.selectbox("From run", letters, index=letters.index(ready[0].letter), key=f"from {key}")
    second = right.selectbox("To run", letters, index=letters.index(ready[-1].letter), key=f"to {key}")
    return by_letter[first], by_letter[second]


def tell(before: str, after: str, found: Turnover) -> str:
    """Say how many were fixed and broken, and whether chance does as much."""
    test = expert.either("", " (McNemar's test)")
    standing = "more than chance alone would do" if found.clear else "no more than chance may do"
    return (
        f"From **{before}** to **{after}**, of {amounts.count(found.images, 'image')} that judged both: "
        f"**{len(found.fixed):,} fixed** (wrong before, right now) and **{len(found.broken):,} broken** "
        f"(right before, wrong now), {standing}{test}."
    )


def draw_gallery(title: str, changes: Sequence[ChangedImage], before: str, after: str, key: str) -> None:
    """Draw the images, twelve a page, with what both runs say of each, once the panel is opened."""
    panel = st.expander(title, key=key, on_change="rerun", expanded=bool(changes))
    if not panel.open:
        return
    with panel:
        if not changes:
            st.caption("None.")
            return
        page = browse.pick_page(f"page of {key}", -(-len(changes) // CARDS_A_PAGE))
        shown = changes[(page - 1) * CARDS_A_PAGE : page * CARDS_A_PAGE]
        pictures.gallery([(each.image, _rows(each, before, after), "") for each in shown])
        st.caption(expert.kinds("The largest change in the share of the true class first."))


def list_rows(found: Turnover) -> list[dict[str, object]]:
    """Return the images that changed as rows of a table."""
    return [
        {
            "change": change,
            "image": each.image.name,
            "true": each.image.label,
            "before": each.before.label,
            "before_confidence": round(each.before.confidence, 4),
            "after": each.after.label,
            "after_confidence": round(each.after.confidence, 4),
        }
        for change, changes in (("fixed", found.fixed), ("broken", found.broken))
        for each in changes
    ]


def _rows(change: ChangedImage, before: str, after: str) -> list[Row]:
    return [
        ("true", change.image.label, change.after.true_confidence),
        (f"{before} says", change.before.label, change.before.confidence),
        (f"{after} says", change.after.label, change.after.confidence),
    ]
