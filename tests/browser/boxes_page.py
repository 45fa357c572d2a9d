"""The page of `boxes_app`: `?dataset=` names what the browser remembers its kinds by."""

import streamlit as st

from pages.ui.components.box_editor.box_editor import box_editor

st.set_page_config(layout="wide")
st.title("Draw boxes")
box_editor("boxes", st.query_params.get("dataset", "data-0"), "/boxes", "token", "Boxes on the photos")
