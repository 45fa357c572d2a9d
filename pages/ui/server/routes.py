"""The server's own routes beside Streamlit's: photos in (upload, finish) and pictures and a script out."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from pages.ui.server import upload
from pages.ui.server.addresses import LIBRARY, address
from pages.ui.server.boxes_route import BOXES_ROUTE
from pages.ui.server.changes_route import CHANGES_ROUTE
from pages.ui.server.dataset_route import DATASET_ROUTE
from pages.ui.server.export_route import EXPORT_ROUTE
from pages.ui.server.frame_route import FRAMES
from pages.ui.server.headers import NOT_KEPT
from pages.ui.server.heat_route import HEAT_ROUTE
from pages.ui.server.items import UploadRefused
from pages.ui.server.studio_route import STUDIO_ROUTES
from pages.ui.server.token import read_token
from thaw.errors import WorkspaceError
from thaw.storage.records import Image, Role
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace, open_workspace
from tlcore.errors import DatasetError

GENERATED_ID = re.compile(r"[a-z]+-[0-9a-f]{12}")
FINISH_BYTES = 64 * 1024
GATHERED_BYTES = 1024**2
NAME_CHARACTERS = 200
NAMELESS = "dropped photos"
DAY_S = 24 * 3600


async def receive_files(request: Request) -> JSONResponse:
    """Stream one framed batch of files to the staging folder."""
    folder = _authorised(request)
    if (folder / upload.CLOSED_FILE).exists():
        raise UploadRefused(409, upload.COMPLETE)
    try:
        with upload.Unpacker(folder) as unpacker:
            async for pieces in _gathered(request):
                await run_in_threadpool(unpacker.feed, pieces)
            return JSONResponse({"accepted": await run_in_threadpool(unpacker.finish)})
    except ClientDisconnect:
        raise UploadRefused(400, "The browser ended the request before its last file.") from None
    except OSError as problem:
        raise upload.explain_disk(problem) from problem


async def finish_upload(request: Request) -> JSONResponse:
    """Close an upload and start its import, so that a tab closed after the last byte loses nothing.

    A browser that did not hear the answer asks again, and gets the same one.
    """
    upload_id, token = request.path_params["upload_id"], read_token(request)
    store = Store(_workspace())
    job_id = await run_in_threadpool(upload.find_import, store, upload_id, token)
    if job_id is None:
        folder = _authorised(request)
        wanted = _wanted(await _body(request))
        await run_in_threadpool(_require_dataset, store, wanted.get("dataset"))
        job_id = await run_in_threadpool(upload.begin_import, store, folder, token, wanted)
    return JSONResponse({"job": job_id})


async def send_picture(request: Request) -> Response:
    """Send the thumbnail or the normalised copy of one image; the ids are Thaw's own, so no name becomes a path."""
    ids = request.path_params["folder"], request.path_params["image_id"]
    if all(GENERATED_ID.fullmatch(each) for each in ids):
        workspace = _workspace()
        candidates = {
            "thumbnail": [workspace.thumbnail(*ids)],
            "image": [workspace.image(*ids, suffix) for suffix in (".jpg", ".png")],
        }
        for path in candidates.get(request.path_params["kind"], []):
            if path.is_file():
                return FileResponse(path, headers={"cache-control": NOT_KEPT, "x-content-type-options": "nosniff"})
    return JSONResponse({"error": "There is no such picture in this workspace."}, status_code=404)


async def send_plotly(_: Request) -> Response:
    """Send the script that draws the figures, from the plotly package: nothing is fetched from elsewhere."""
    return FileResponse(LIBRARY, media_type="text/javascript", headers={"cache-control": f"max-age={DAY_S}, immutable"})


async def refuse(request: Request, problem: UploadRefused) -> JSONResponse:
    """Answer a refused upload in plain words."""
    return JSONResponse({"error": str(problem)}, status_code=problem.status)


async def refuse_workspace(_: Request, problem: WorkspaceError) -> JSONResponse:
    """Answer that the workspace cannot be used as it is, in plain words."""
    return JSONResponse({"error": str(problem)}, status_code=503)


def picture_url(kind: str, image: Image) -> str:
    """Return the address of an image's "thumbnail" or copy ("image")."""
    return address(f"thaw/{kind}/{image.folder}/{image.id}")


async def _gathered(request: Request) -> AsyncIterator[list[bytes]]:
    """Yield a request's pieces many at a time: to hand each to a thread took half of the server's time for them."""
    pieces: list[bytes] = []
    held = 0
    async for piece in request.stream():
        pieces.append(piece)
        held += len(piece)
        if held >= GATHERED_BYTES:
            yield pieces
            pieces, held = [], 0
    yield pieces


def _authorised(request: Request) -> Path:
    return upload.authorised(_workspace(), request.path_params["upload_id"], read_token(request))


async def _body(request: Request) -> dict[str, Any]:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FINISH_BYTES:
            raise UploadRefused(413, "Expected a short name for the data set. Received a longer text.")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise UploadRefused(400, 'Expected {"name": "..."} as JSON. Received something else.')
    return asked


def _wanted(asked: dict[str, Any]) -> dict[str, str]:
    """Return what a finished upload asks of the import: a name, and for an addition the data set and the role."""
    name = asked.get("name")
    wanted = {"name": name[:NAME_CHARACTERS] if isinstance(name, str) and name.strip() else NAMELESS}
    if "dataset" not in asked and "role" not in asked:
        return wanted
    dataset_id, role = asked.get("dataset"), asked.get("role")
    if not isinstance(dataset_id, str) or not GENERATED_ID.fullmatch(dataset_id) or role not in get_args(Role):
        raise UploadRefused(400, "Expected a data set and a role in it. Received something else. Reload the page.")
    return wanted | {"dataset": dataset_id, "role": str(role)}


def _require_dataset(store: Store, dataset_id: str | None) -> None:
    if dataset_id is None:
        return
    try:
        store.dataset(dataset_id)
    except DatasetError as problem:
        raise UploadRefused(404, str(problem)) from problem


def _workspace() -> Workspace:
    return open_workspace()


ROUTES = [
    Route(address("thaw/upload/{upload_id}"), receive_files, methods=["POST"]),
    Route(address("thaw/upload/{upload_id}/finish"), finish_upload, methods=["POST"]),
    Route(address("thaw/plotly.js"), send_plotly, methods=["GET"]),
    EXPORT_ROUTE,
    BOXES_ROUTE,
    CHANGES_ROUTE,
    DATASET_ROUTE,
    HEAT_ROUTE,
    Route(address("thaw/{kind}/{folder}/{image_id}"), send_picture, methods=["GET"]),
    FRAMES,
    *STUDIO_ROUTES,
]
