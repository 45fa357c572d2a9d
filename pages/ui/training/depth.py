"""How deep phase 2 goes: the choice of top layers with presets, and what it costs in memory, on disk and in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.components.ice.ice import Slab, ice
from pages.ui.figures import basics
from pages.ui.words import amounts
from pages.ui.words.names import sentence
from thaw.storage.records import Run
from thaw.training.costs import expect_costs
from thaw.training.depth_summary import count_last_block, summarise_depth
from tlcore.settings import FineTuneSettings
from tlcore.training.recommendations import recommend_depth

METRIC_WIDTH, EXACT_WIDTH = 170, 180
SOME_LAYERS = 30


@dataclass(frozen=True)
class Preset:
    """A depth with a name, and who advises it."""

    name: str
    top: int
    source: str


def list_presets(layers: Sequence[dict[str, Any]]) -> list[Preset]:
    """List the depths that are commonly advised, from nothing to everything, with their sources."""
    return [
        Preset("Nothing", 0, "features as they are, a linear head on top (Kornblith et al. 2019, fixed features)"),
        Preset("Last block", count_last_block(layers), "Chollet, “Deep Learning with Python”: VGG16's last block"),
        Preset("Last 20–30%", recommend_depth(layers, 1, 1), "Thaw's own: as many whole blocks as fit in 30%"),
        Preset(
            f"Last {SOME_LAYERS} layers",
            min(SOME_LAYERS, len(layers)),
            "a habit of many notebooks: a round number that knows nothing of the backbone",
        ),
        Preset("Everything", len(layers), "Keras guide “Transfer learning & fine-tuning”: the whole backbone"),
    ]


def choose(run: Run, top: int) -> None:
    """Choose a depth for a run, before the field for it is drawn."""
    st.session_state[_slider(run)] = top
    st.session_state[_presets(run)] = None


def recall(run: Run, start: int) -> int:
    """Return how many top layers are chosen for a run: `start` before the person has chosen."""
    top: int = st.session_state.setdefault(_slider(run), start)
    return top


def draw_ice(run: Run, layers: Sequence[dict[str, Any]], top: int, movable: bool = True) -> None:
    """Draw the backbone as a block of ice, from the photo to the head, that can be moved while nothing works on it."""
    blocks = [
        # The head stands beside them, and is what the person has trained.
        Slab("top" if name == "head" else str(name), len(list(members)))
        for name, members in groupby(layers, lambda layer: layer["block"])
    ]
    label = f"Top layers of the {expert.either('eye', 'backbone')} that adapt"
    ice(f"ice {run.id}", blocks, top, label, (lambda wanted: choose(run, wanted)) if movable else None)


def ask_exactly(run: Run, layers: Sequence[dict[str, Any]]) -> int:
    """Draw the field in which the number of top layers can be typed; return it."""

    def leave_preset() -> None:
        st.session_state[_presets(run)] = None

    top = st.number_input(
        "Layers that adapt",
        0,
        len(layers),
        key=_slider(run),
        on_change=leave_preset,
        width=EXACT_WIDTH,
        help=expert.either(
            "The last layers of the eye, those nearest to the answer. 0 keeps the whole eye frozen; the more, the "
            "slower and the riskier.",
            "Counted from the output. 0 keeps the whole backbone frozen; the more, the slower and the riskier.",
        ),
    )
    return int(top)


def ask_preset(run: Run, layers: Sequence[dict[str, Any]]) -> None:
    """Draw the depths that are commonly advised; choosing one moves the ice."""
    picked, presets = _presets(run), {preset.name: preset for preset in list_presets(layers)}

    def take_preset() -> None:
        if st.session_state[picked]:
            st.session_state[_slider(run)] = presets[st.session_state[picked]].top

    chosen = st.segmented_control("Usual depths", list(presets), key=picked, on_change=take_preset)
    if chosen:
        st.caption(sentence(f"{chosen}: {presets[chosen].source}."))


def draw_layers(run: Run, layers: Sequence[dict[str, Any]], top: int) -> None:
    """Draw every single layer of the backbone, with those that train, once the panel is opened."""
    panel = st.expander("Layer by layer", icon=":material/bar_chart:", key=f"layers of {run.id}", on_change="rerun")
    if not panel.open:
        return
    with panel:
        figure(
            basics.blocks(layers, top),
            key=f"blocks {run.id}",
            name=f"{run.id}-blocks",
            alt=f"The backbone's layers from the output; of the first {top} those that are no BatchNormalization train",
        )


def _slider(run: Run) -> str:
    return f"depth {run.id}"


def _presets(run: Run) -> str:
    return f"depth preset {run.id}"


def draw_meaning(run: Run, layers: list[dict[str, Any]], head_parameters: int, settings: FineTuneSettings) -> None:
    """Draw what the chosen depth, batch size and epochs mean; the head trains at every depth."""
    depth = summarise_depth(layers, settings.layers or 0)
    normed = any(layer["batch_norm"] for layer in layers)
    if depth.first_unfrozen:
        below = len(layers) - (settings.layers or 0)
        all_but = ", but for its BatchNorm layers" if normed else ""
        st.markdown(
            f"From **{sentence(str(depth.block))}** upwards; the first unfrozen layer is "
            f"**{sentence(depth.first_unfrozen)}**. "
            + (
                "Everything below stays as it is."
                if below
                else f"Nothing lies below: the whole backbone trains{all_but}."
            )
        )
    else:
        st.markdown("Nothing is unfrozen: only the head goes on training, at the lower rate.")
    costs = expect_costs(run.facts, layers, head_parameters, run.head, settings)
    figures_shown = {
        "Trainable parameters": amounts.millions(depth.trainable_parameters + head_parameters),
        **({"BatchNorm kept frozen": str(depth.frozen_batch_norms)} if normed else {}),
        "Time an epoch, about": amounts.roughly(costs.epoch_s),
        "Time in all, at most": amounts.roughly(costs.total_s),
        "Memory, about": amounts.size(costs.memory.whole),
        "Cache on disk": amounts.size(costs.disk_bytes),
    }
    with st.container(horizontal=True):
        for label, value in figures_shown.items():
            st.metric(label, value, border=True, width=METRIC_WIDTH)
    less = costs.memory.rematerialised
    instead = (
        f" If it does not fit, Thaw computes part of the network again instead of keeping it: slower, and about "
        f"{amounts.size(less)}."
        if less < costs.memory.whole
        else ""
    )
    kept = "BatchNorm layers keep ImageNet's statistics; letting a small data set rewrite them spoils the backbone."
    st.caption(
        f"Time in all is for {amounts.count(settings.epochs, 'epoch')} and the cache; training mostly stops sooner. "
        f"Memory is that of the training process on a CPU.{instead}{f' {kept}' if normed else ''}"
    )
