"""What a person can take along of one run: its epochs for TensorBoard."""

import io
import zipfile

import streamlit as st

from pages.ui.names import sentence
from tlcore.event_files import SERIES, encode_events, name_events
from tlcore.mlflow_mirror import FACT
from tlcore.records import Run
from tlcore.store import Store


def draw(store: Store, run: Run) -> None:
    """Draw the downloads of a run, and where it was sent."""
    with st.container(border=True):
        st.markdown(f"Take along `{run.id}`")
        draw_events(store, run)
        told = run.facts.get(FACT)
        if told:
            st.caption(sentence(told["words"]))


def draw_events(store: Store, run: Run) -> None:
    """Draw the download of a run's epochs as TensorBoard event files."""
    epochs = store.epochs(run.id)
    if not epochs:
        return
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for side in SERIES:
            archive.writestr(name_events(run, side), encode_events(run, epochs, side))
    st.download_button(
        "Epochs for TensorBoard",
        packed.getvalue(),
        file_name=f"{run.id}-tensorboard.zip",
        mime="application/zip",
        icon=":material/download:",
        help="Unpack it and start tensorboard --logdir FOLDER.",
        on_click="ignore",
    )
