"""The Objects tab: the boxes on the photos by kind, what may be wrong with them, and those that were not taken in."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.data import findings
from pages.ui.words import amounts
from pages.ui.words.names import csv, sentence, visible
from thaw.datasets import edits
from thaw.datasets.box_health import examine_boxes
from thaw.datasets.health import Finding
from thaw.storage.boxes import Reason, RejectedBox
from thaw.storage.records import Dataset
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace

REASONS: Mapping[Reason, str] = {
    Reason.OUTSIDE_IMAGE: "it lies outside the photo",
    Reason.ZERO_AREA: "it has no width or no height",
    Reason.UNKNOWN_CLASS: "its kind has no name",
    Reason.WRONG_SIZE: "the file says that the photo has another size: it was drawn on another picture",
    Reason.MISSING_IMAGE: "the photo did not come with it",
    Reason.REFUSED_IMAGE: "the photo was set aside itself",
    Reason.SAME_BOX_TWICE: "the same box is there already",
    Reason.NOT_NUMBERS: "its edges are no numbers",
    Reason.CROWD: "it stands around a group, not around one object",
    Reason.TOO_MANY: "the photo has too many boxes",
    Reason.UNREADABLE_FILE: "the file is cut off, damaged or of a form that is not read",
    Reason.HUGE_FILE: "the file holds more than 100 MB or about a million boxes; export them in parts",
}
COLUMNS = ("photo", "kind", "reason", "file")


def draw(store: Store, dataset: Dataset) -> None:
    """Draw how many objects there are, then one panel for each finding, then the boxes that were not taken in."""
    counts = store.count_boxes(dataset.id)
    boxes = amounts.count(sum(counts.values()), "box", "boxes")
    photos = amounts.count(store.count_looked_at(dataset.id), "photo")
    st.markdown(f"**{boxes} of {amounts.count(len(counts), 'kind')}** on {photos} that somebody has looked at.")
    if counts:
        rows = [{"kind": visible(label), "objects": number} for label, number in counts.items()]
        st.dataframe(rows, hide_index=True, alt="Objects of each kind", width="content")
    for finding in examine(store, dataset):
        with st.expander(sentence(finding.title), icon=f":material/{findings.ICONS[finding.kind]}:"):
            _draw_finding(store, dataset, finding)
    _draw_rejected(dataset, store.rejected_boxes(dataset.id))


def examine(store: Store, dataset: Dataset) -> list[Finding]:
    """Return what may be wrong with the boxes of a data set."""
    return _examine(store.workspace.root, dataset.id, dataset.version)


# Held as they are: to copy thousands of images at every click would take longer than to draw them.
@st.cache_resource(show_spinner=False, max_entries=4)
def _examine(root: Path, dataset_id: str, version: int) -> list[Finding]:
    store = Store(Workspace(root))
    images = [*store.images(dataset_id), *store.images(dataset_id, role="pile")]
    return examine_boxes(images, store.boxes(dataset_id), edits.ignored(store, dataset_id))


def _draw_finding(store: Store, dataset: Dataset, finding: Finding) -> None:
    st.markdown(sentence(finding.advice))
    if finding.images:
        findings.draw_pictures(store, dataset, finding)
    else:
        findings.draw_ignore(store, dataset, finding, "This is as it should be")


def _draw_rejected(dataset: Dataset, rejected: Sequence[RejectedBox]) -> None:
    if not rejected:
        return
    st.markdown(f"**{amounts.count(len(rejected), 'box was', 'boxes were')} not taken in**, each for its reason.")
    cells = [(each.photo, each.label, expert.said(REASONS[each.reason]), each.file) for each in rejected]
    told = [dict(zip(COLUMNS, row, strict=True)) for row in cells]
    shown = [{name: visible(text) for name, text in row.items()} for row in told]
    st.dataframe(shown, hide_index=True, alt="Boxes that were not taken in, with the reasons")
    st.download_button(
        "List as CSV",
        csv(told, COLUMNS),
        key=f"rejected boxes of {dataset.id}",
        file_name=f"{dataset.id}-boxes-not-taken-in.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
