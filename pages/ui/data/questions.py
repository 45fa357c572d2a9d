"""Draws what an import asks: one sentence, and a button for each answer with what would come of it."""

import streamlit as st

from pages.ui.words.names import sentence
from thaw.storage.questions import Option, Question
from thaw.storage.records import Job
from thaw.storage.store import Store

BUTTON_WIDTH = 260
PREVIEW_WIDTH = 380


def draw(store: Store, job: Job, question: Question) -> None:
    """Draw a question that a job waits with; the option that is advised stands out."""
    st.markdown(f"**{sentence(question.text)}**")
    for option in question.options:
        draw_option(store, job, question, option)


def draw_option(store: Store, job: Job, question: Question, option: Option) -> None:
    """Draw one answer: its button, and beside it (on a narrow screen below) what would come of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            sentence(option.label),
            type="primary" if option.key == question.default else "secondary",
            key=f"answer {question.key} {option.key} {job.id}",
            width=BUTTON_WIDTH,
            disabled=job.answer is not None,
            on_click=store.answer_question,
            args=(job.id, question, option.key),
        )
        if option.preview:
            st.caption(sentence(option.preview), width=PREVIEW_WIDTH)
