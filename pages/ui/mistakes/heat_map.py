"""Shows where in a picture the evidence for a class lies: a heat map over the picture, asked of the predictor."""

import base64
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from pages.ui.components.expert import expert
from pages.ui.components.pictures import STYLE, Card
from pages.ui.page import failure
from pages.ui.server.heat_route import STRENGTH, encode, heat_url, overlay
from pages.ui.words.names import emphasised, in_html, sentence, visible
from pages.ui.words.options import distinct
from thaw.prediction.client import predictor
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.errors import ImageRejected, ThawError
from tlcore.evaluation.heat_maps import HeatMap, HeatMaps
from tlcore.models.backbones import find_backbone

TITLE = "Where it looks"
STARTING = "Starting the predictor, about 10 s the first time"
LOOKING = "Looking at the picture"
FROZEN, TRAINED = "By the layers that stayed frozen", "By the layers that were fine-tuned"


def draw_picture(run: Run, labels: list[str], card: Card) -> None:
    """Draw the heat map of an image for the class that the model says; the browser fetches it, so that no one waits."""
    url = heat_url(run.id, card.image.folder, card.image.id, labels.index(card.predicted))
    alt = f"Heat map over the photo: where it is bright speaks most for {visible(card.predicted)}"
    st.html(
        f'{STYLE}<figure class="thaw-heat thaw-large"><img loading="lazy" src="{url}" alt="{in_html(alt)}">'
        f"<figcaption>Where it looks: the bright places speak most for {in_html(card.predicted)}.</figcaption></figure>"
    )


def draw(store: Store, run: Run, labels: list[str], card: Card) -> None:
    """Draw the panel of one image that judged a run; nothing is asked of the predictor until it is opened."""
    panel = st.expander(
        f"{TITLE}, by {expert.kinds('class')}{expert.either('', ' and by layer')}",
        icon=":material/visibility:",
        key=f"heat map of {run.id}",
        on_change="rerun",
    )
    if not panel.open:
        return
    image = card.image
    with panel:
        label = ask_class(card)
        path = store.workspace.image(image.folder, image.id, image.suffix)
        maps = ask(store.workspace, run, path, labels.index(label))
        if maps is not None:
            draw_maps(maps, run, label, f"{image.id}-heat-map")


def ask_class(card: Card) -> str:
    """Draw the choice between the predicted and the true class, where they differ; return the chosen one."""
    if card.true == card.predicted:
        return card.predicted
    return st.radio(
        "What speaks for",
        [card.predicted, card.true],
        format_func=distinct(
            (card.predicted, card.true),
            lambda label: f"{sentence(label)} ({'predicted' if label == card.predicted else 'true'})",
        ),
        horizontal=True,
        key=f"heat map class of {card.image.id}",
    )


def ask(workspace: Workspace, run: Run, picture: Path | bytes, class_number: int) -> HeatMaps | None:
    """Ask the predictor for the heat maps of a picture, a file of this machine or the contents of one.

    Say so while it starts, and what went wrong where it did.
    """
    waiting = LOOKING if predictor(workspace).running else STARTING
    try:
        with st.spinner(waiting, show_time=True):
            return _heat_maps(workspace.root, run.id, f"{run.result_phase} {run.facts}", picture, class_number)
    except ImageRejected as problem:
        st.error(sentence(f"No heat map of this picture: {problem}."), icon=":material/error:")
    except ThawError as problem:
        failure.show(problem)
    return None


def draw_maps(maps: HeatMaps, run: Run, label: str, name: str) -> None:
    """Draw the picture under the chosen heat map, with its slider, its words and its download, a file called `name`."""
    by = _ask_layers(maps, run)
    chosen = maps.trained if by == TRAINED else maps.frozen
    assert chosen is not None
    strength = st.slider("Strength of the heat map", 0, 100, STRENGTH, 5, format="%d%%", key=f"heat of {run.id}") / 100
    drawn = overlay(maps.picture, chosen.values, strength)
    alt = f"Heat map over the picture: {_tell_place(chosen)} speaks most for {visible(label)}."
    st.html(f'{STYLE}<div class="thaw-large"><img src="{_as_source(drawn)}" alt="{in_html(alt)}"></div>')
    st.caption(_explain(chosen, label))
    st.download_button(
        "Heat map as PNG",
        lambda: encode(drawn, "PNG"),
        file_name=f"{name}.png",
        mime="image/png",
        icon=":material/image:",
        on_click="ignore",
        key=f"save {name}",
    )


def _ask_layers(maps: HeatMaps, run: Run) -> str:
    if not expert.is_on():
        return FROZEN if maps.trained is None else TRAINED
    if maps.frozen is None:
        fresh = find_backbone(run.backbone).fresh
        what = "All of the network learnt from scratch" if fresh else "Every layer of the backbone was fine-tuned"
        st.caption(f"{what}, so there is one heat map: by its last layers.")
        return TRAINED
    if maps.trained is None:
        st.caption("Only the head was trained and every layer of the backbone stayed frozen, so there is one heat map.")
        return FROZEN
    return st.radio("Seen", [TRAINED, FROZEN], horizontal=True, key=f"heat map layers of {run.id}")


def _explain(chosen: HeatMap, label: str) -> str:
    rows, columns = chosen.values.shape
    if not chosen.values.any():
        return f"Nothing in the picture speaks for {emphasised(label)}, as these layers see it."
    how = expert.either(
        "", f" (Grad-CAM on layer {emphasised(chosen.layer)}, {visible(chosen.block)} of the backbone.)"
    )
    return (
        f"The bright places speak most for {emphasised(label)}. The map is coarse, {rows} by {columns} places stretched"
        f" over the picture, and shows where the model looks, not why.{how}"
    )


def _tell_place(chosen: HeatMap) -> str:
    """Say in words where the strongest place lies, in thirds of the picture."""
    if not chosen.values.any():
        return "nothing"
    place = np.unravel_index(int(chosen.values.argmax()), chosen.values.shape)
    down, across = (int(3 * (at + 0.5) / length) for at, length in zip(place, chosen.values.shape, strict=True))
    if (down, across) == (1, 1):
        return "the middle"
    vertical, horizontal = ("top", "", "bottom")[down], ("left", "", "right")[across]
    return f"the {' '.join(part for part in (vertical, horizontal) if part)}"


def _as_source(image: Image.Image) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(encode(image, 'JPEG', quality=90)).decode()}"


# Moving the slider draws anew what was asked once. A megabyte each.
@st.cache_resource(show_spinner=False, max_entries=16)
def _heat_maps(root: Path, run_id: str, model: str, picture: Path | bytes, class_number: int) -> HeatMaps:
    """Return what the predictor does, held by all that it depends on; `model` tells the run's results apart."""
    return predictor(Workspace(root)).heat_maps(run_id, picture, class_number)
