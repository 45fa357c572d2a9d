"""The route of the heat maps: a photo that judged a run, under what speaks for one class, drawn as one picture."""

import io
import re
from pathlib import Path

import numpy as np
import plotly.colors
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pages.ui.server.addresses import address
from pages.ui.server.headers import NOT_KEPT
from thaw.prediction.client import predictor
from thaw.storage.workspace import Workspace, open_workspace
from tlcore.errors import ThawError

IDS = {"run_id": re.compile(r"run-[0-9a-f]{12}"), "folder": re.compile(r"data-[0-9a-f]{12}")}
IMAGE_ID = re.compile(r"img-[0-9a-f]{12}")
CLASS_NUMBER = re.compile(r"[0-9]{1,6}")
STRENGTH = 60
# Dark to light in even steps, so that it can be read without seeing its hues (Inferno, by van der Walt and Smith).
COLOURS = np.array([plotly.colors.hex_to_rgb(each) for each in plotly.colors.sequential.Inferno])
# Where a picture is asked for a picture answers, so that the page need not know what failed.
NOTHING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 200"><rect width="300" height="200" fill="#5d6f75"/>'
    '<text x="150" y="104" fill="#ffffff" font-family="sans-serif" font-size="14" text-anchor="middle">'
    "No heat map of this photo</text></svg>"
)


def heat_url(run_id: str, folder: str, image_id: str, class_number: int) -> str:
    """Return the address of the heat map of an image for one of the classes of a run."""
    return address(f"thaw/heat/{run_id}/{folder}/{image_id}/{class_number}")


def overlay(picture: np.ndarray, values: np.ndarray, strength: float) -> Image.Image:
    """Lay a heat map over a picture, uint8 (height, width, 3): dark where it is cold and bright where it is hot.

    `values` is float32 (rows, columns) and `strength`, the share that is the map's, a number; both in 0..1. All places
    are covered alike, so that the map can be told from the picture's own colours by its brightness.
    """
    height, width = picture.shape[:2]
    stretched = Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)
    heat = np.clip(np.asarray(stretched), 0, 1)
    steps = np.linspace(0, 1, len(COLOURS))
    colours = np.stack([np.interp(heat, steps, COLOURS[:, channel]) for channel in range(3)], axis=-1)
    return Image.fromarray(np.round(picture * (1 - strength) + colours * strength).astype(np.uint8))


def encode(image: Image.Image, encoding: str, **options: int) -> bytes:
    """Return a picture as the contents of a file."""
    buffer = io.BytesIO()
    image.save(buffer, encoding, **options)
    return buffer.getvalue()


async def send_heat_map(request: Request) -> Response:
    """Send the heat map that the address names as a JPEG; where there is none, a picture that says so."""
    named = request.path_params
    workspace = open_workspace()
    path = find_picture(workspace, named)
    if path is None:
        return JSONResponse({"error": "There is no such picture in this workspace."}, status_code=404)
    # Who steps on quickly has left behind what was asked for on the way.
    if await request.is_disconnected():
        return Response(status_code=204)
    headers = {"cache-control": NOT_KEPT, "x-content-type-options": "nosniff"}
    try:
        drawn = await run_in_threadpool(_draw, workspace, named["run_id"], path, int(named["number"]))
    except ThawError:
        return Response(NOTHING, media_type="image/svg+xml", headers=headers)
    return Response(drawn, media_type="image/jpeg", headers=headers)


def find_picture(workspace: Workspace, named: dict[str, str]) -> Path | None:
    """Return the file of the image that an address names; the ids are Thaw's own, so no name becomes a path."""
    sound = all(pattern.fullmatch(named[part]) for part, pattern in IDS.items())
    if not sound or not IMAGE_ID.fullmatch(named["image_id"]) or not CLASS_NUMBER.fullmatch(named["number"]):
        return None
    paths = [workspace.image(named["folder"], named["image_id"], suffix) for suffix in (".jpg", ".png")]
    return next((path for path in paths if path.is_file()), None)


def _draw(workspace: Workspace, run_id: str, path: Path, class_number: int) -> bytes:
    maps = predictor(workspace).heat_maps(run_id, path, class_number)
    chosen = maps.trained or maps.frozen
    assert chosen is not None
    return encode(overlay(maps.picture, chosen.values, STRENGTH / 100), "JPEG", quality=85)


HEAT_ROUTE = Route(address("thaw/heat/{run_id}/{folder}/{image_id}/{number}"), send_heat_map, methods=["GET"])
