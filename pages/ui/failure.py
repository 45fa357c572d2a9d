"""Puts what went wrong into words for the person at the screen; the traceback stays in the server's log."""

import logging

import streamlit as st

from pages.ui.names import sentence
from tlcore.errors import ThawError

LOG = logging.getLogger("thaw")
UNFORESEEN = (
    "Something unforeseen went wrong on this page. Nothing that was saved is lost, and a training run in progress "
    "goes on. Reload the page; if it happens again, the server's window shows the details."
)


def show(problem: Exception) -> bool:
    """Draw `problem` in plain words; return True, which tells Streamlit not to draw it itself."""
    if isinstance(problem, ThawError):
        st.error(sentence(str(problem)), icon=":material/error:")
    else:
        st.error(UNFORESEEN, icon=":material/error:")
    return True
