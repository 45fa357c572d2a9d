"""The likely label errors of a data set, as its latest measurement found them, or where to have them looked for."""

import streamlit as st

from pages.ui.data import findings
from pages.ui.page import steps
from pages.ui.words.names import sentence
from thaw.storage.records import Dataset
from thaw.storage.store import Store


def draw(store: Store, dataset: Dataset) -> None:
    """Draw the pictures that are perhaps in the wrong class, the surest first, with what can be done about them."""
    check = store.latest_check(dataset.id)
    if check is None or check.facts.label_errors is None:
        st.info(
            "Not looked for yet: it takes a measurement in which every photo is judged by a model that has not seen "
            "it. It is on the Data page, under Near-duplicates; the result is listed there under Health, and here.",
            icon=":material/label_off:",
        )
        steps.onward("data", "Measure it on the Data page")
        return
    finding = findings.mislabelled(store, dataset)
    if finding is None:
        st.success("No picture is left whose class the latest measurement doubts.", icon=":material/check_circle:")
    else:
        st.markdown(f"**{sentence(finding.title)}**, among all photos of the data set, the surest first.")
        findings.draw_finding(store, dataset, finding)
    if check.version != dataset.version:
        st.caption("The data set has changed since it was measured. Measure again to look at what is new.")
