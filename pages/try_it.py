"""The Try it page: pictures from anywhere, or the webcam, and what the model says of them."""

import math
from collections.abc import Sequence

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.components.webcam.webcam import webcam
from pages.ui.evaluation import accuracy
from pages.ui.figures import answer_figure
from pages.ui.mistakes import heat_map
from pages.ui.page import selection, steps
from pages.ui.runs import tried_pictures
from pages.ui.runs.tried_pictures import Picture, Tried
from pages.ui.words import amounts
from pages.ui.words.names import csv, emphasised, literal, sentence, visible
from pages.ui.words.options import class_names
from thaw.datasets.run_split import read_labels
from thaw.prediction.answers import UNKNOWN
from thaw.runs.decision import read_decision
from thaw.storage.records import Run
from thaw.storage.store import Store

SHOWN_A_PAGE = 6
MOST_REASONS = 20


def draw_model(store: Store, run: Run, labels: Sequence[str]) -> None:
    """Say which model is tried, and when it says that it does not know."""
    words = accuracy.name_model(run)
    st.markdown(
        f"The {words} of {emphasised(store.dataset(run.dataset_id).name)} tells "
        f"{expert.kinds(amounts.count(len(labels), 'class', 'classes'))} apart, whatever it is shown."
    )
    decision = read_decision(run)
    if decision:
        st.caption(
            f"It says “{UNKNOWN}” where it is less than {decision.threshold:.0%} sure (kept with this run"
            f"{expert.either('', f', temperature {decision.temperature:.2f}')})."
        )
    else:
        st.caption(
            expert.either(
                f"It always answers, for nothing says yet from when on it should say “{UNKNOWN}”.",
                f"It always answers, for no threshold of “{UNKNOWN}” is kept with this run.",
            )
        )
        st.page_link(
            steps.page("evaluation"),
            label=expert.either(f"Choose when it should say “{UNKNOWN}”", "Choose a threshold on the Evaluation page"),
            icon=":material/tune:",
            query_params=selection.as_query(),
        )


def ask_stills(run: Run) -> list[Picture]:
    """Draw the webcam; return the stills that it has handed over."""
    st.header("Webcam", anchor=False)
    webcam(run.id, run.image_size, tried_pictures.keep_still)
    kept = tried_pictures.stills()
    if kept:
        st.button("Forget the stills", icon=":material/delete:", on_click=tried_pictures.forget_stills)
    return kept


def draw_results(store: Store, run: Run, labels: list[str], tried: list[Tried]) -> None:
    """Draw how many pictures were answered, the reasons of the others, each picture with its answer, and the table."""
    read = [each for each in tried if each.verdict.shares is not None]
    unknown = sum(not each.verdict.known for each in read)
    st.header("What it says", anchor=False)
    st.markdown(
        f"**{amounts.count(len(tried), 'picture')}**: {len(read) - unknown:,} answered, {unknown:,} “{UNKNOWN}”, "
        f"{len(tried) - len(read):,} could not be read."
    )
    draw_reasons([each for each in tried if each.verdict.shares is None])
    pages = max(1, math.ceil(len(read) / SHOWN_A_PAGE))
    page = st.pagination(pages, key=f"tried {run.id} {len(read)}") if pages > 1 else 1
    for each in read[(page - 1) * SHOWN_A_PAGE : page * SHOWN_A_PAGE]:
        draw_tried(store, run, labels, each)
    draw_table(run, labels, tried)


def draw_reasons(rejected: list[Tried]) -> None:
    """Say which files are no pictures, and why."""
    if not rejected:
        return
    lines = [f"- {literal(each.picture.name)}: {sentence(each.verdict.reason or '')}" for each in rejected]
    more = [f"- and {len(lines) - MOST_REASONS:,} more, in the table"] if len(lines) > MOST_REASONS else []
    told = f"{amounts.count(len(lines), 'file')} could not be read:"
    st.warning("\n".join([told, "", *lines[:MOST_REASONS], *more]), icon=":material/image_not_supported:")


def draw_tried(store: Store, run: Run, labels: list[str], tried: Tried) -> None:
    """Draw one picture with its answer, its likeliest classes and, if it is the one looked at closely, its heat map."""
    picture, verdict = tried.picture, tried.verdict
    first, *others = verdict.likeliest(labels)
    assert verdict.shares is not None
    with st.container(border=True):
        left, right = st.columns([1, 2])
        assert tried.thumbnail is not None
        left.image(tried.thumbnail, width="stretch", alt=visible(picture.name))
        left.caption(literal(picture.name))
        if tried.notes:
            left.caption(sentence("; ".join(tried.notes)))
        with right:
            sure = f"{emphasised(first.label)} ({amounts.percent(first.share)})"
            st.markdown(sure if verdict.known else f"**{UNKNOWN}**. Likeliest: {sure}")
            figure(
                answer_figure.likeliest_classes(labels, {run.result_phase or 1: verdict.shares}, run.result_phase or 1),
                key=f"tried {run.id} {picture.id}",
                name=f"{run.id}-{visible(picture.name).rpartition('/')[2]}",
                alt="; ".join(f"{visible(each.label)} {amounts.percent(each.share)}" for each in (first, *others)),
            )
        chosen = tried_pictures.closest() == picture.id
        st.button(
            "Hide the heat map" if chosen else heat_map.TITLE,
            icon=":material/visibility_off:" if chosen else ":material/visibility:",
            on_click=tried_pictures.look_closer,
            args=(None if chosen else picture.id,),
            key=f"look {picture.id}",
        )
        if chosen:
            draw_heat_map(store, run, labels, tried)


def draw_heat_map(store: Store, run: Run, labels: list[str], tried: Tried) -> None:
    """Draw where in a picture the model sees what speaks for one of its likeliest classes."""
    picture = tried.picture
    likeliest = {each.label: each.number for each in tried.verdict.likeliest(labels)}
    label = st.selectbox(
        "What speaks for", list(likeliest), format_func=class_names(likeliest), key=f"speaks {run.id} {picture.id}"
    )
    maps = heat_map.ask(store.workspace, run, picture.content, likeliest[label])
    if maps is not None:
        heat_map.draw_maps(maps, run, label, f"{visible(picture.name).rpartition('/')[2]}-heat-map")


def draw_table(run: Run, labels: list[str], tried: list[Tried]) -> None:
    """Draw the answers as a table and its download."""
    rows = [tried_pictures.as_row(each, labels) for each in tried]
    with st.expander("As a table"):
        st.dataframe(
            [
                {
                    "file": visible(str(row["file"])),
                    "answer": visible(str(row["answer"])),
                    "likeliest": visible(str(row["class_1"])),
                    "sure": amounts.percent(float(str(row["share_1"]))) if row["class_1"] else "",
                    "could not be read": row["reason"],
                }
                for row in rows
            ],
            hide_index=True,
            alt="What the model says of each picture",
        )
    st.download_button(
        "Answers as CSV",
        csv(rows, tried_pictures.COLUMNS),
        file_name=f"{run.id}-answers.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def draw_run(store: Store, run: Run) -> None:
    """Draw the whole page for a run that has a model."""
    labels = read_labels(store, run)
    draw_model(store, run, labels)
    pictures = [*tried_pictures.ask_pictures("try"), *ask_stills(run)]
    if pictures:
        draw_results(store, run, labels, tried_pictures.try_pictures(store, run, pictures))


steps.heading("try_it")
kept_store = selection.store()
present_run = selection.run(kept_store)
if present_run is None:
    steps.missing("head", "There is no trained model to try yet.", "First teach the head (phase 1)")
elif present_run.result_phase is None:
    steps.missing("head", "This run has no model yet.", "Go to step 3: teach the head")
else:
    draw_run(kept_store, present_run)
