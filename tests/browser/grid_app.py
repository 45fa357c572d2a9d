"""A server with one page that holds a picture grid, and the route of its pictures."""

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.pictures.corpus import jpeg

THUMBNAIL, LARGE = (160, 120), (960, 720)


def send(request: Request) -> Response:
    size = LARGE if request.path_params["kind"] == "large" else THUMBNAIL
    content = jpeg(request.path_params["seed"], *size)
    return Response(content, media_type="image/jpeg", headers={"cache-control": "max-age=3600"})


app = st.App(Path(__file__).parent / "grid_page.py", routes=[Route("/picture/{kind}/{seed:int}", send)])
