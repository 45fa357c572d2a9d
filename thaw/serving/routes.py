"""The service's routes: each reads a request, asks the service, and writes the answer or the refusal as JSON."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from thaw.serving import tf_serving
from thaw.serving.description import describe_api
from thaw.serving.engine import Engine
from thaw.serving.errors import Refused
from thaw.serving.metrics import CONTENT_TYPE
from thaw.serving.page import PAGE_HEADERS, write_page
from thaw.serving.picture_forms import split_body
from thaw.serving.requests import Sent
from thaw.storage.export_record import UNKNOWN

if TYPE_CHECKING:
    from thaw.serving.service import Service

MOST_PICTURES = 32
TOP = 5
_PICTURE_TYPES = ("image/", "multipart/")
_GONE = 499


def service_of(request: Request) -> "Service":
    """Return the service that a request came to."""
    return request.app.state.service


async def predict_files(request: Request) -> Response:
    """Classify the picture that is the body, or the pictures of a form."""
    service, started, body = service_of(request), time.perf_counter(), bytearray()
    with service.gate.admit(), service.gate.hold(body):
        await service.gate.read(request, body)
        pictures = await split_body(request.headers, body, MOST_PICTURES)
        probabilities = await service.classify(request, pictures)
    answers = [describe_answer(service.engine, row) for row in probabilities]
    facts = {"model": service.name, "ms": round(1000 * (time.perf_counter() - started), 1)}
    if len(answers) == 1:
        return JSONResponse(answers[0] | facts)
    named = [{"file": sent.name} | answer for sent, answer in zip(pictures, answers, strict=True)]
    return JSONResponse({"answers": named} | facts)


async def predict_tensors(request: Request) -> Response:
    """Answer a predict request in TensorFlow Serving's shape."""
    service, body = service_of(request), bytearray()
    _check_model(request)
    _check_json(request)
    with service.gate.admit(), service.gate.hold(body):
        await service.gate.read(request, body)
        side = service.engine.image_size
        question = await asyncio.get_running_loop().run_in_executor(
            service.parser, tf_serving.read_question, body, side, MOST_PICTURES
        )
        probabilities = await service.classify(request, [Sent("", picture) for picture in question.pictures])
    return JSONResponse(tf_serving.write_answer(service.engine, probabilities, question.by_row))


async def tell_status(request: Request) -> Response:
    """Tell the model's status."""
    _check_model(request)
    return JSONResponse(tf_serving.describe_status())


async def tell_signature(request: Request) -> Response:
    """Tell the model's signature."""
    _check_model(request)
    return JSONResponse(tf_serving.describe_signature(service_of(request).name, service_of(request).engine))


async def tell_health(request: Request) -> Response:
    """Tell whether the service lives and whether it answers: 503 while it does not."""
    service = service_of(request)
    ready = service.batcher.alive
    facts = {"live": True, "ready": ready, "model": service.name, "run": service.engine.run}
    return JSONResponse(facts, 200 if ready else 503)


async def tell_metrics(request: Request) -> Response:
    """Tell the counters in the text format of Prometheus."""
    return Response(service_of(request).metrics.write(), headers={"content-type": CONTENT_TYPE})


async def tell_api(request: Request) -> Response:
    """Tell the routes in the format of OpenAPI."""
    return JSONResponse(describe_api(service_of(request).name, service_of(request).engine))


async def show_page(request: Request) -> Response:
    """Show a page for people: try a picture, and how a program asks."""
    page = write_page(service_of(request).name, service_of(request).engine, str(request.base_url))
    return HTMLResponse(page, headers=PAGE_HEADERS)


def describe_answer(engine: Engine, probabilities: np.ndarray) -> dict[str, Any]:
    """Return what is said of one picture: `label` is None for "I don't know"; `top` the five likeliest classes."""
    choice = engine.choose(probabilities)
    likeliest: Sequence[int] = np.argsort(-probabilities, kind="stable")[:TOP].tolist()
    return {
        "label": None if choice == UNKNOWN else engine.labels[choice],
        "probability": float(probabilities.max()),
        "top": [{"label": engine.labels[place], "probability": float(probabilities[place])} for place in likeliest],
    }


def _check_model(request: Request) -> None:
    name, version = request.path_params["name"], request.path_params.get("version", tf_serving.VERSION)
    known = service_of(request).name
    if name == f"{known}:predict" or version == f"{tf_serving.VERSION}:predict":
        raise HTTPException(405, headers={"Allow": "POST"})
    if name != known:
        raise Refused(404, f"Expected the model {known!r}. Received: {name[:100]!r}. Ask for /v1/models/{known}.")
    if version != tf_serving.VERSION:
        raise Refused(404, f"Expected version {tf_serving.VERSION}. Received: {version[:100]!r}. Leave it out.")


def _check_json(request: Request) -> None:
    # TensorFlow Serving does not look at the type, and its guide's own curl examples send none of JSON.
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith(_PICTURE_TYPES):
        raise Refused(
            415, f"Expected JSON. Received: {kind[:100]!r}. Send picture files to /predict, or as b64 in JSON."
        )


async def _write_refusal(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refused)
    return JSONResponse({"error": str(problem)}, problem.status, problem.headers)


async def _write_no_route(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    asked = f"{request.method[:20]} {request.url.path[:100]}"
    if problem.status_code == 405:
        allowed = sorted((problem.headers or {})["Allow"].split(", "))
        expected = f"the method {' or '.join(allowed)}"
    else:
        expected = "a route of this service"
    reason = f"Expected {expected}. Received: {asked}. /openapi.json lists the routes."
    return JSONResponse({"error": reason}, problem.status_code, problem.headers)


async def _write_failure(_: Request, problem: Exception) -> Response:
    reason = (
        f"Expected an answer. Received: {type(problem).__name__} inside the service. Its log tells more; try again."
    )
    return JSONResponse({"error": reason}, 500)


async def _write_nothing(_: Request, __: Exception) -> Response:
    return Response(status_code=_GONE)


REFUSALS = {
    Refused: _write_refusal,
    HTTPException: _write_no_route,
    ClientDisconnect: _write_nothing,
    Exception: _write_failure,
}
_MODEL = "/v1/models/{name}"
_VERSION = _MODEL + "/versions/{version}"
ROUTES = [
    Route("/", show_page),
    Route("/predict", predict_files, methods=["POST"]),
    Route("/health", tell_health),
    Route("/metrics", tell_metrics),
    Route("/openapi.json", tell_api),
    *(Route(base + ":predict", predict_tensors, methods=["POST"]) for base in (_MODEL, _VERSION)),
    *(Route(base + "/metadata", tell_signature) for base in (_MODEL, _VERSION)),
    *(Route(base, tell_status) for base in (_MODEL, _VERSION)),
]
