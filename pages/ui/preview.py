"""A small version of a picture that a model has been tried on, for the page: it was decoded whole in a child before."""

import io

import streamlit as st
from PIL import Image, ImageOps

from tlcore.images import FORMATS

SIDE_PX = 480
MOST_PIXELS = 25_000_000


# Drawn again with every press of a button, so that a large photo would hold the page up.
@st.cache_data(show_spinner=False, max_entries=64)
def make_preview(picture_id: str, _content: bytes) -> bytes | None:
    """Return a JPEG whose longer side is at most `SIDE_PX`, or None where it would take too much memory to make.

    The bytes must be those of a picture that the predictor accepted, and the id theirs alone.
    """
    with Image.open(io.BytesIO(_content), formats=FORMATS) as image:
        # A JPEG is read at a fraction of its size at once.
        image.draft("RGB", (SIDE_PX, SIDE_PX))
        if image.width * image.height > MOST_PIXELS:
            return None
        small = ImageOps.exif_transpose(image).convert("RGB")
    small.thumbnail((SIDE_PX, SIDE_PX))
    with io.BytesIO() as file:
        small.save(file, "JPEG", quality=88)
        return file.getvalue()
