"""A server with one page that holds the box editor, over a few photos whose boxes live in its memory."""

import json
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.pictures.corpus import jpeg

PHOTOS = 5
LARGE, THUMBNAIL = (1200, 800), (160, 120)
drawn: dict[str, list[dict[str, Any]]] = {}
suggested: dict[str, list[dict[str, Any]]] = {}
# What the next requests to save are answered with, in the place of saving.
failing: list[int] = []


def send(request: Request) -> Response:
    size = LARGE if request.path_params["kind"] == "large" else THUMBNAIL
    content = jpeg(request.path_params["seed"], *size)
    return Response(content, media_type="image/jpeg", headers={"cache-control": "max-age=3600"})


def tell(number: int) -> dict[str, Any]:
    name = f"photo-{number}"
    addresses = {"picture": f"/picture/large/{number}", "thumbnail": f"/picture/small/{number}"}
    return {
        "id": name,
        "name": f"IMG_{number:04}.jpg",
        "count": len(drawn[name]) if name in drawn else None,
    } | addresses


async def act(request: Request) -> JSONResponse:
    asked = json.loads(await request.body())
    photo = asked.get("photo")
    if asked["do"] == "photos":
        kinds = sorted({box["label"] for boxes in drawn.values() for box in boxes})
        photos = [tell(number) for number in range(PHOTOS)]
        return JSONResponse({"photos": photos, "kinds": [{"name": name, "shown": name} for name in kinds]})
    if asked["do"] == "read":
        return JSONResponse({"boxes": drawn.get(photo)})
    if asked["do"] == "suggest":
        return JSONResponse({"suggestions": suggested.get(photo, [])})
    if asked["do"] == "rank":
        surest = {
            each: max((box["confidence"] for box in suggested.get(each, [])), default=0) for each in asked["photos"]
        }
        return JSONResponse({"sure": surest})
    if failing:
        return JSONResponse({"error": "The disk is full."}, status_code=failing.pop())
    if drawn.get(photo) not in (asked["read"], asked["boxes"]):
        return JSONResponse({"error": "Others are there by now."}, status_code=409)
    drawn[photo] = asked["boxes"]
    if asked["boxes"] is None:
        del drawn[photo]
    return JSONResponse({})


async def prepare(request: Request) -> JSONResponse:
    """Draw what a test wants to begin with, and let as many of the next savings fail as it says; tell what is drawn."""
    asked = json.loads(await request.body() or "{}")
    if "drawn" in asked:
        drawn.clear()
        drawn.update(asked["drawn"])
    if "suggested" in asked:
        suggested.clear()
        suggested.update(asked["suggested"])
    failing[:] = asked.get("failing", failing)
    return JSONResponse(drawn)


app = st.App(
    Path(__file__).parent / "boxes_page.py",
    routes=[
        Route("/picture/{kind}/{seed:int}", send),
        Route("/boxes", act, methods=["POST"]),
        Route("/prepare", prepare, methods=["POST"]),
    ],
)
