"""Offers to bring back what the folders hold and the database does not, and says what came of it."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.words.names import sentence
from thaw.errors import WorkspaceError
from thaw.storage.journal.rebuild import rebuild, tell
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace, open_workspace

OUTCOME = "outcome of rebuilding"


def offer(problem: WorkspaceError) -> None:
    """Draw the offer to rebuild a database that is lost, damaged or another workspace's."""
    if problem.lost:
        st.caption(
            f"Rebuilding reads what lies beside the photos and the runs: their {expert.kinds('classes')} as they were "
            "changed last, settings, rounds (epochs) and results. The database as it is now is kept under another name."
        )
        _ask(open_workspace(), "Rebuild from the folders")


def draw(store: Store) -> None:
    """Draw what came of a rebuilding, and the offer to make up for what the database does not know."""
    told = st.session_state.get(OUTCOME)
    if told:
        st.info("\n\n".join(map(sentence, told)), icon=":material/settings_backup_restore:")
        st.button("Dismiss", key="dismiss the outcome", on_click=lambda: st.session_state.pop(OUTCOME, None))
    found = store.survey()
    if found.unknown:
        st.warning(sentence(found.tell()), icon=":material/settings_backup_restore:")
        _ask(store.workspace, "Bring them back from the folders")


def _ask(workspace: Workspace, words: str) -> None:
    if st.button(words, icon=":material/settings_backup_restore:"):
        with st.spinner("Reading the folders"):
            st.session_state[OUTCOME] = tell(rebuild(workspace))
        st.rerun()
