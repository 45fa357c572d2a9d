"""The page of `boxes_app`: the browser keeps kinds by `?dataset=`, and `?suggests` asks for suggestions."""

import streamlit as st

from pages.ui.components.box_editor.box_editor import box_editor

st.set_page_config(layout="wide")
st.title("Draw boxes")
dataset, suggests = st.query_params.get("dataset", "data-0"), "suggests" in st.query_params
box_editor("boxes", dataset, "/boxes", "token", "Boxes on the photos", suggests)
