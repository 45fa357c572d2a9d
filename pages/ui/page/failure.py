"""Puts what went wrong into words for the person at the screen; the traceback stays in the server's log."""

import logging

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.page import rebuilding
from pages.ui.words.glossary import plainly
from pages.ui.words.names import sentence
from thaw.errors import WorkspaceError
from tlcore.errors import ThawError

LOG = logging.getLogger("thaw")
KEPT, PAGE = "refusals of forms", "page of the refusals"
UNFORESEEN = (
    "Something unforeseen went wrong on this page. Nothing that was saved is lost, and a training run in progress "
    "goes on. Reload the page; if it happens again, the server's window shows the details."
)


def show(problem: Exception) -> bool:
    """Draw `problem` in plain words; return True, which tells Streamlit not to draw it itself."""
    if isinstance(problem, ThawError):
        st.error(sentence(_tell(problem)), icon=":material/error:")
        if isinstance(problem, WorkspaceError):
            rebuilding.offer(problem)
    else:
        st.error(UNFORESEEN, icon=":material/error:")
    return True


def keep(form: str, problem: ThawError | None) -> None:
    """Keep why a form was refused until it is sent again or another page is opened; None forgets it.

    What is drawn right as a form is sent goes with the next run of the script, which may be a moment away.
    """
    kept: dict[str, str] = st.session_state.setdefault(KEPT, {})
    if problem is None:
        kept.pop(form, None)
    else:
        kept[form] = _tell(problem)


def show_kept(form: str) -> None:
    """Draw why a form was refused, beside it."""
    words = st.session_state.get(KEPT, {}).get(form)
    if words:
        st.error(sentence(words), icon=":material/error:")


def _tell(problem: ThawError) -> str:
    return expert.either(plainly(str(problem)), str(problem))


def turn_page(name: str) -> None:
    """Forget why forms of another page were refused."""
    if st.session_state.get(PAGE) != name:
        st.session_state[PAGE] = name
        st.session_state.pop(KEPT, None)
