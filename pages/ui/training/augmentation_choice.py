"""The choice of an augmentation, with advice beside it and a preview drawn by the very function that training uses."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image as Picture

from pages.ui.page import selection
from pages.ui.words.names import in_html
from pages.ui.words.options import distinct
from thaw.storage.records import Dataset, Image
from thaw.storage.store import Store
from tlcore.images.augmentation import draw_view
from tlcore.images.pixels import load_pixels
from tlcore.images.recipes import LARGEST, PRESETS, Recipe
from tlcore.settings import HeadSettings

DEFAULTS = HeadSettings()
BY_HAND = "by hand"
WORDS = {
    "none": "None (fastest)",
    "light": "Light: shifted a little, brighter and darker, mirrored",
    "light-unmirrored": "Light, never mirrored",
    "strong": "Strong: also turned and zoomed, mirrored",
    "strong-unmirrored": "Strong, never mirrored",
    BY_HAND: "By hand",
}
KNOBS = {
    "crop": ("Crop, up to", 0.05, "percent"),
    "rotation": ("Turn either way, up to", 1.0, "%d°"),
    "brightness": ("Brightness, up to", 0.05, "percent"),
    "contrast": ("Contrast, up to", 0.05, "percent"),
    "zoom": ("Zoom either way, up to", 0.05, "percent"),
}
ADVICE = (
    "**Mirror** never where left and right matter: digits, text, signs, left and right hands or parts.  \n"
    "**Upside down** only where there is no up: pictures from the air or through a microscope, things laid on a table."
    "  \n"
    "**Turn** little where the angle tells the class, as 6 from 9 or a level from a tilted part.  \n"
    "**Brightness and contrast** little where colour tells the class: ripe and unripe, clean and rusty."
)
PREVIEW_PX = 160
SHOWN = 6
FEWEST_VIEWS, MOST_VIEWS = 2, 16
STYLE = """<style>
.thaw-views { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.thaw-views figure { margin: 0; width: min(110px, calc(33.3% - 0.4rem)); }
.thaw-views img { width: 100%; display: block; border-radius: 8px; background: #8882; }
.thaw-views figcaption { font-size: 0.75rem; opacity: 0.75; text-align: center; }
</style>"""


def ask_augmentation(store: Store, dataset: Dataset, start: HeadSettings) -> dict[str, Any]:
    """Draw the choice of augmentation with its preview, that of `start` at first; return the settings that it makes.

    Where `start` draws views anew, nothing else is offered: without a frozen backbone nothing is saved by caching.
    """
    picked = st.selectbox(
        "Augmentation",
        WORDS,
        list(WORDS).index(start.augmentation),
        format_func=distinct(WORDS, WORDS.__getitem__),
        help="Shows the head each photo in slightly changed views, so that it learns what does not matter.",
    )
    if picked == "none":
        return {"augmentation": picked}
    with st.container(border=True):
        recipe = _ask_recipe() if picked == BY_HAND else PRESETS[picked]
        st.markdown(ADVICE)
        chosen = {"augmentation": recipe.spell() if picked == BY_HAND else picked} | _ask_views(start)
        if recipe.plain:
            st.caption("Nothing is changed yet: move a slider, and the views appear here.")
        else:
            _draw_preview(store, dataset, recipe, chosen)
    return chosen


def draw_sheet(views: Sequence[np.ndarray]) -> bytes:
    """Return views, uint8 (side, side, 3) each, side by side as one PNG."""
    return _encode(np.hstack(views), "PNG")


def _ask_recipe() -> Recipe:
    chosen: dict[str, Any] = {}
    with st.container(horizontal=True):
        chosen["mirror"] = st.checkbox("Mirror left and right", PRESETS["light"].mirror)
        chosen["upright"] = st.checkbox("Turn upside down", False)
    columns = st.columns(2)
    for number, (name, (label, step, form)) in enumerate(KNOBS.items()):
        start = float(getattr(PRESETS["light"], name))
        chosen[name] = columns[number % 2].slider(label, 0.0, LARGEST[name], start, step, format=form)
    return Recipe(**chosen)


def _ask_views(start: HeadSettings) -> dict[str, Any]:
    """Draw the choice between views computed once and views drawn anew every epoch."""
    if start.exact:
        return {"exact": True}
    epochs = start.epochs
    exact = st.checkbox(
        "Draw new views in every epoch (exact, slow)",
        help="Nothing is cached of the training photos: each epoch runs them through the backbone again.",
    )
    if exact:
        factor = epochs / DEFAULTS.views
        st.caption(
            f"Slower: all {epochs} epochs run every training photo through the backbone {epochs} times, about "
            f"{factor:.0f} times the work of {DEFAULTS.views} cached views; phase 2 draws anew as well."
        )
        return {"exact": True}
    views = st.slider(
        "Cached views of each photo",
        FEWEST_VIEWS,
        MOST_VIEWS,
        DEFAULTS.views,
        help="The photo as it is, and changed ones, computed once. Each epoch shows one of them, in both phases.",
    )
    return {"views": views}


def _draw_preview(store: Store, dataset: Dataset, recipe: Recipe, chosen: dict[str, Any]) -> None:
    """Draw a photo of the data set beside its views, with a button for another photo and the row as a file."""
    place = f"preview of {dataset.id}"
    number = st.session_state.get(place, 0) % max(dataset.included, 1)
    found = store.images(dataset.id, limit=1, offset=number)
    if not found:
        return
    shown = SHOWN if chosen.get("exact") else min(SHOWN, chosen["views"])
    views = _draw_views(store, found[0], recipe, shown)
    _draw_row(found[0], views)
    with st.container(horizontal=True):
        if st.button("Another photo", icon=":material/shuffle:"):
            # A long step, since photos of one class lie side by side.
            st.session_state[place] = number + max(1, round(dataset.included * 0.382))
            st.rerun()
        st.download_button(
            "Views as PNG",
            draw_sheet(views),
            file_name="views.png",
            mime="image/png",
            icon=":material/download:",
            on_click="ignore",
        )


def _draw_views(store: Store, image: Image, recipe: Recipe, shown: int) -> list[np.ndarray]:
    pixels = load_pixels(store.workspace.image(image.folder, image.id, image.suffix), PREVIEW_PX)
    return [draw_view(pixels, image.content, view, recipe, selection.seed()) for view in range(shown)]


def _draw_row(image: Image, views: Sequence[np.ndarray]) -> None:
    cells = []
    for number, view in enumerate(views):
        words = "as it is" if number == 0 else f"view {number}"
        source = base64.b64encode(_encode(view, "JPEG")).decode()
        cells.append(
            f'<figure><img alt="{in_html(image.name)}, {words}" src="data:image/jpeg;base64,{source}">'
            f"<figcaption>{words}</figcaption></figure>"
        )
    st.html(f'{STYLE}<div class="thaw-views">{"".join(cells)}</div>')


def _encode(pixels: np.ndarray, form: str) -> bytes:
    file = io.BytesIO()
    Picture.fromarray(pixels).save(file, form)
    return file.getvalue()
