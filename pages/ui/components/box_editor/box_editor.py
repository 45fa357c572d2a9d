"""The box editor: a component in which a person draws boxes around what is on photos, and which saves by itself."""

import streamlit as st

from pages.ui.components.assets import read_assets

_component = st.components.v2.component(
    "thaw_box_editor",
    html=read_assets("components/box_editor/box_editor.html"),
    css=read_assets("components/button.css", "components/box_editor/box_editor.css"),
    js=read_assets(
        "components/requests.js",
        "components/room.js",
        "components/server.js",
        "components/typing.js",
        "components/box_editor/geometry.js",
        "components/box_editor/view.js",
        "components/box_editor/drawing.js",
        "components/box_editor/saving.js",
        "components/box_editor/kinds.js",
        "components/box_editor/stage.js",
        "components/box_editor/strip.js",
        "components/box_editor/trouble.js",
        "components/box_editor/keys.js",
        "components/box_editor/hand.js",
        "components/box_editor/suggesting.js",
        "components/box_editor/box_editor.js",
    ),
)


def box_editor(key: str, dataset_id: str, url: str, token: str, label: str, suggests: bool = False) -> None:
    """Draw the editor for the photos of a data set; `label` names it to those who cannot see it.

    With `suggests` it asks for boxes that a model proposes: for each photo that nobody has looked at yet, and for
    others when the person wants it. The next photo to be done is then the one of whose boxes the model is surest.

    It speaks with `url`, by POST with the token and JSON, so that drawing waits for no rerun:

    - {"do": "photos"} -> {"photos": [{"id", "name", "picture", "thumbnail", "count"}], "kinds": [{"name", "shown"}]},
      where `count` is how many boxes a photo has, null while nobody has looked at it, and `shown` is fit to be read;
    - {"do": "read", "photo"} -> {"boxes"}: null or a list of {"label", "x", "y", "width", "height"}, edges as of `Box`;
    - {"do": "save", "photo", "boxes", "read"} -> {}, where `read` is what was there when the editor read or saved last;
      where something else is there by now nothing is saved, and the status is 409.
    - {"do": "rename", "kind", "to"} -> {}: all boxes of a kind are called otherwise, on every photo;
    - {"do": "suggest", "photo"} -> {"suggestions"}: a list of such boxes, each with its "confidence", 0 to 1;
    - {"do": "rank", "photos"} -> {"sure"}: by photo how sure the surest suggestion for it is, 0 where there is none.

    A refusal is {"error": words}.
    """
    shown = {"dataset": dataset_id, "label": label, "suggests": suggests}
    # A server that was started anew has another token: the browser, once refused, asks for the page to be drawn again.
    _component(key=key, data=shown | {"act": url, "token": token}, on_renewed_change=lambda: None)
