"""The changes that a person made to a data set, in plain words: the latest with its Undo, and all of them."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.words import amounts
from pages.ui.words.names import capital, csv, emphasised, literal, sentence
from thaw.storage.records import Dataset, Edit, Job
from thaw.storage.store import Store
from tlcore.errors import DatasetError

EDITS_A_PAGE = 50
NAMED = 3
WHERETO = {"main": "to learn from", "holdout": "to the holdout", "pile": "without a class"}
FINDINGS = {
    "conflict": "pictures in several classes",
    "mislabelled": "pictures perhaps in the wrong class",
    "twins": "classes with names alike",
    "unbalanced": "uneven classes",
    "few": "small classes",
    "uniform": "plain pictures",
    "blurry": "blurred pictures",
    "dark": "dark pictures",
    "small": "small pictures",
    "narrow": "narrow pictures",
    "copies": "exact copies",
    "crowded": "boxes on one another",
    "tiny": "tiny boxes",
    "undrawn": "photos not drawn on",
    "background": "photos without an object",
}


def undo_bar(store: Store, dataset: Dataset) -> None:
    """Draw the latest change with its Undo, if there is one to undo."""
    latest = next((edit for edit in store.edits(dataset.id) if edit.undone_at is None), None)
    if latest is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(f"Last change: {tell(latest)}", width="stretch")
        st.button("Undo", icon=":material/undo:", on_click=undo, args=(store, dataset.id, latest), key="undo")


def undo(store: Store, dataset_id: str, edit: Edit) -> None:
    """Undo the change that the page showed, and no other that a second tab has made since."""
    try:
        store.undo_edit(dataset_id, edit.number, edit.created_at)
    except DatasetError as problem:
        st.toast(sentence(str(problem)), icon=":material/error:", duration="long")
    else:
        st.toast(f"Undone: {tell(edit)}", icon=":material/undo:")


def draw(store: Store, dataset: Dataset) -> None:
    """Draw every change with its time, newest first, down to the import, and their download."""
    edits = store.edits(dataset.id)
    pages = max(1, -(-len(edits) // EDITS_A_PAGE))
    page = st.pagination(pages, key=f"history of {dataset.id} {pages}") if pages > 1 else 1
    lines = [_line(edit) for edit in edits[(page - 1) * EDITS_A_PAGE : page * EDITS_A_PAGE]]
    if page == pages:
        lines.append(f"- :gray[{amounts.moment(dataset.created_at)} ·] imported from {literal(dataset.source)}")
    st.markdown("\n".join(lines))
    rows = [
        {
            "time": amounts.moment(edit.created_at),
            "change": tell(edit, str),
            "undone": amounts.moment(edit.undone_at) if edit.undone_at else "",
        }
        for edit in edits
    ]
    if rows:
        st.download_button(
            "History as CSV",
            csv(rows, ["time", "change", "undone"]),
            file_name=f"{dataset.id}-history.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def tell(edit: Edit, shown: Callable[[str], str] = emphasised) -> str:
    """Return a change in words, such as "moved 3 images to rose"; `shown` writes the names, by default for Markdown."""
    detail = edit.detail
    images = amounts.count(detail.get("images", 0), "image")
    if edit.kind == "add":
        return f"added {images}{_whereto(detail)}"
    if edit.kind == "rename":
        return f"renamed {shown(detail['classes'][0])} to {shown(detail['class'])}"
    if edit.kind == "merge":
        return f"merged {' and '.join(map(shown, detail['classes']))} into {shown(detail['class'])}, {images}"
    if edit.kind == "delete":
        return f"deleted {expert.kinds('the class')} {shown(detail['class'])}, {images}"
    if edit.kind == "move":
        return f"moved {images} to {shown(detail['class'])}"
    if edit.kind == "name":
        return f"named {images}: {', '.join(map(shown, detail['classes'][:NAMED]))}{_others(detail['classes'])}"
    if edit.kind == "arrange":
        return f"moved {images} to another group of the pile"
    if edit.kind == "boxes":
        if "renamed" in detail:
            old, new = map(shown, detail["renamed"])
            return f"renamed the boxes called {old} to {new} on {images}"
        return _tell_boxes(detail["boxes"], images)
    if edit.kind == "refile":
        return f"moved {images} to {' and '.join(map(shown, detail['classes'][:NAMED]))}, as their files were"
    if edit.kind == "exclude":
        return f"excluded {images}"
    if edit.kind == "restore":
        return f"restored {images}"
    if edit.kind == "ignore":
        return f"ignored a finding: {expert.kinds(FINDINGS.get(detail['finding'], detail['finding']))}"
    return f"set the grouping by {shown(detail['pattern'])}" if detail["pattern"] else "set the grouping"


def _tell_boxes(boxes: int | None, images: str) -> str:
    if boxes is None:
        return f"put {images} back to those not drawn on"
    return (
        f"drew {amounts.count(boxes, 'box', 'boxes')} on {images}" if boxes else f"marked {images} as without an object"
    )


def _others(classes: list[str]) -> str:
    return f" and {len(classes) - NAMED:,} more" if len(classes) > NAMED else ""


def _whereto(detail: dict[str, Any]) -> str:
    """Say where the photos of an addition went, beside the classes."""
    roles = detail.get("roles") or {detail.get("role", "main"): detail["images"]}
    if list(roles) == ["main"]:
        return ""
    where = {role: expert.kinds(expert.said(words)) for role, words in WHERETO.items()}
    told = [where[role] if len(roles) == 1 else f"{count:,} {where[role]}" for role, count in roles.items()]
    return f"{' ' if len(roles) == 1 else ': '}{', '.join(told)}"


def announce(store: Store, job: Job) -> None:
    """Say what an addition that has just ended has brought."""
    dataset_id = job.request.get("dataset")
    # A project that was dropped became a data set of its own.
    if dataset_id is None or dataset_id != job.dataset_id:
        return
    made = [edit for edit in store.edits(dataset_id) if edit.created_at >= job.created_at]
    latest = [edit for edit in reversed(made) if edit.kind in ("refile", "add")]
    if latest:
        known = latest[-1].detail.get("known", 0)
        there = f", {amounts.count(known, 'photo')} there already" if known else ""
        st.toast(f"{capital(', '.join(map(tell, latest)))}{there}.", icon=":material/check:")
    else:
        st.toast(
            "Nothing new: all of these photos are there already. Excluded ones can be restored under Pictures, Edit.",
            icon=":material/info:",
        )


def _line(edit: Edit) -> str:
    words = f":gray[{amounts.moment(edit.created_at)} ·]"
    if edit.undone_at is None:
        return f"- {words} {tell(edit)}"
    return f"- {words} ~~{tell(edit)}~~ :gray[· undone {amounts.moment(edit.undone_at)}]"
