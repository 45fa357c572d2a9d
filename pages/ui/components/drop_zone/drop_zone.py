"""The drop zone: a component that takes a dragged folder, keeps its class folders and sends it to the upload route."""

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.server import items, upload
from pages.ui.server.addresses import address
from thaw.storage.workspace import Workspace
from tlcore.photos import JUNK

KEY = "upload ticket"

_component = st.components.v2.component(
    "thaw_drop_zone",
    html=read_assets("components/drop_zone/drop_zone.html"),
    css=read_assets("components/button.css", "components/drop_zone/drop_zone.css"),
    js=read_assets(
        "components/requests.js",
        "components/drop_zone/entries.js",
        "components/drop_zone/upload.js",
        "components/drop_zone/note.js",
        "components/drop_zone/underway.js",
        "components/drop_zone/drop_zone.js",
    ),
)


def drop_zone(workspace: Workspace, target: dict[str, str], title: str, small: bool = False) -> str | None:
    """Draw the drop zone; return the id of the import job that an upload has just started, else None.

    `target` goes into the request for the import; it is taken as it stands when the photos are dropped. A `small` one
    is a single line, which takes the same and opens the choice of a folder wherever it is clicked.
    """
    ticket: upload.Ticket | None = st.session_state.get(KEY)
    if ticket is None or not upload.is_open(workspace, ticket.upload_id):
        ticket = st.session_state[KEY] = upload.open_upload(workspace)
    result = _component(
        key="drop zone",
        data={
            "url": address(f"thaw/upload/{ticket.upload_id}"),
            "token": ticket.token,
            "target": target,
            "title": title,
            "small": small,
            "junk": JUNK,
            "max_files": items.MAX_FILES,
            "max_image_bytes": items.MAX_IMAGE_BYTES,
            "max_archive_bytes": items.MAX_ARCHIVE_BYTES,
        },
        on_uploaded_change=lambda: None,
        on_abandoned_change=lambda: None,
    )
    if result.abandoned and result.abandoned.endswith(ticket.upload_id):
        upload.discard(workspace, ticket.upload_id)
        st.rerun()
    return result.uploaded
