"""What a web page of a model runs on: said where missing, fetched by the person's own npm, or taken from a file."""

import shutil

import streamlit as st

from pages.ui.page import failure
from pages.ui.page.paths import read_path
from thaw.exporting.web_runtime import fetch_runtime, keep_runtime, kept_runtime
from thaw.storage.workspace import Workspace
from tlcore.errors import SettingsError, ThawError
from tlcore.exporting.web.runtime import BYTES, COMMAND, FILE

FORM = "web runtime"


def draw_web_runtime(workspace: Workspace) -> None:
    """Say what is missing for web pages and take it, unless it is here."""
    if kept_runtime(workspace):
        return
    with st.expander("A web page that runs the model: one file is missing"):
        st.markdown(
            f"The page computes with LiteRT.js (by Google, Apache License 2.0; {BYTES / 1e6:.0f} MB), which does "
            "not come with Thaw. It is fetched once and kept."
        )
        if shutil.which("npm"):
            st.button("Fetch it", icon=":material/download:", on_click=_fetch, args=(workspace,), help=f"`{COMMAND}`")
        else:
            st.markdown("On a computer with Node.js and internet, run:")
            st.code(COMMAND, language=None)
        with st.form(FORM, border=False):
            text = st.text_input("I have the file", placeholder=f"/home/me/Downloads/{FILE}")
            if st.form_submit_button("Check and keep it"):
                _keep(workspace, text)
        failure.show_kept(FORM)


def _fetch(workspace: Workspace) -> None:
    try:
        with st.spinner("npm fetches it…"):
            fetch_runtime(workspace)
    except ThawError as problem:
        failure.keep(FORM, problem)
    else:
        failure.keep(FORM, None)


def _keep(workspace: Workspace, text: str) -> None:
    try:
        if not text.strip():
            raise SettingsError("Expected the path of the file. Received: nothing. Type or paste it above.")
        keep_runtime(workspace, read_path(text))
    except ThawError as problem:
        failure.keep(FORM, problem)
        return
    failure.keep(FORM, None)
    st.rerun()
