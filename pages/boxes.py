"""The Draw boxes page: what is to be found and counted, drawn around on some of the photos."""

import streamlit as st

from pages.ui.components.box_editor.box_editor import box_editor
from pages.ui.page import selection, steps
from pages.ui.server.boxes_route import boxes_url
from pages.ui.server.token import page_token
from pages.ui.words.names import visible
from thaw.prediction.suggestions import find_detector

# Beside one another: the editor takes all of the window that is left below them.
title, way_on = st.columns((4, 1), vertical_alignment="bottom")
with title:
    steps.heading("boxes", wide=True)
kept = selection.store()
shown = selection.dataset(kept)
if shown is None:
    steps.missing("data", "There are no photos yet.", "On to your photos")
else:
    with way_on:
        steps.link("find", "On to Find and count")
    label = f"Boxes on the photos of {visible(shown.name)}"
    suggests = find_detector(kept, shown.id) is not None
    box_editor(f"boxes of {shown.id}", shown.id, boxes_url(shown.id), page_token(), label, suggests)
