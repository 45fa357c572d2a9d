"""What a person can take along of one run: its model card, a project that goes on elsewhere, its epochs."""

import io
import zipfile
from collections.abc import Mapping

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.runs import projects
from pages.ui.words.names import sentence
from thaw.model_card.model_card import (
    HTML_FILE,
    MOST_LETTERS,
    keep_intended_use,
    render_model_card,
)
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.tracking.tensorboard import SERIES, encode_events, name_events


def draw(store: Store, run: Run) -> None:
    """Draw the downloads of a run, and where it was sent."""
    with st.container(border=True):
        st.markdown(f"**Take along** `{run.id}`")
        if run.result_phase:
            draw_card(store, run)
            st.divider()
            projects.draw(store, run)
            st.divider()
        draw_events(store, run)
        told = run.facts.mlflow
        if told:
            st.caption(sentence(told.words))


def draw_card(store: Store, run: Run) -> None:
    """Draw the downloads of the model card, and the field for the one part that only a person can write."""
    st.markdown("A model card says what the model is, how good it is and where its limits lie, for whoever gets it.")
    written = run.facts.intended_use
    with st.form(f"intended use {run.id}", border=False):
        text = st.text_area(
            "Intended use (goes into the card)",
            written,
            max_chars=MOST_LETTERS,
            placeholder="What and whom is it for? What must it not be used for? What harm can a wrong answer do?",
        )
        if st.form_submit_button("Keep the intended use", icon=":material/check:"):
            keep_intended_use(store, run.id, text)
            st.rerun()
    if not written:
        st.caption("Until it is written, the card says visibly that it is to be written.")
    pictures = st.toggle(
        "With small pictures of the worst mistakes",
        value=True,
        key=f"pictures {run.id}",
        help="The card then holds photos of your data set: hand it on only if they may be seen.",
    )
    with st.container(horizontal=True):
        st.download_button(
            "Model card (HTML)",
            lambda: render_model_card(store, run, pictures)[HTML_FILE],
            file_name=f"{run.id}-{HTML_FILE}",
            mime="text/html",
            icon=":material/id_card:",
            on_click="ignore",
        )
        st.download_button(
            "Model card (Markdown, zip)",
            lambda: pack(render_model_card(store, run, pictures)),
            file_name=f"{run.id}-model-card.zip",
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
        )


def draw_events(store: Store, run: Run) -> None:
    """Draw the download of a run's epochs as TensorBoard event files."""
    epochs = store.epochs(run.id)
    if not epochs or not expert.is_on():
        return
    st.download_button(
        "Epochs for TensorBoard",
        lambda: pack({name_events(run, side): encode_events(run, epochs, side) for side in SERIES}),
        file_name=f"{run.id}-tensorboard.zip",
        mime="application/zip",
        icon=":material/download:",
        help="Unpack it and start tensorboard --logdir FOLDER.",
        on_click="ignore",
    )


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of files by their names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
