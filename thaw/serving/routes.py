"""The service's routes: each reads a request, asks the service, and says the answer, or the refusal, in JSON."""

import asyncio
import time
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from thaw.serving import tf_serving
from thaw.serving.limits import Refused
from thaw.serving.metrics import CONTENT_TYPE
from thaw.serving.requests import MOST_PICTURES, Sent, split_body
from thaw.serving.schemas import UPLOAD, Health, make_schemas, refuse_with
from thaw.serving.service import Service

MODELS = "/v1/models/"
_PAGE = Template((Path(__file__).parent / "page.html").read_text("utf-8"))
# Nothing is fetched from anywhere, and the form can only be sent to this service.
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
_PICTURE_TYPES = ("image/", "multipart/")
_GONE = 499


def service_of(request: Request) -> Service:
    """Return the service that a request came to."""
    return request.app.state.service


async def predict_files(request: Request) -> Any:
    """Answer for the picture that is the body, or the pictures of a form: one answer for one, a list for several."""
    service, started = service_of(request), time.perf_counter()
    async with service.gate.admit(request) as body:
        pictures = await split_body(request.headers, body)
        said = await service.answer(request, pictures)
    answers = [service.engine.describe(row, look) for row, look in said]
    facts = {"model": service.name, "ms": round(1000 * (time.perf_counter() - started), 1)}
    if len(answers) == 1:
        return answers[0] | facts
    return {"answers": [{"file": sent.name} | each for sent, each in zip(pictures, answers, strict=True)]} | facts


async def predict_tensors(request: Request) -> Any:
    """Answer for pixels, RGB, or for picture files in base64: predictions by row, or outputs by column."""
    service = service_of(request)
    # TensorFlow Serving does not look at the type, and its guide's own curl examples send none of JSON.
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith(_PICTURE_TYPES):
        raise Refused(415, "JSON", repr(kind[:100]), "Send picture files to /predict, or as b64 in JSON.")
    async with service.gate.admit(request) as body:
        question = await asyncio.get_running_loop().run_in_executor(
            service.parser, tf_serving.read_question, body, service.engine.image_size, MOST_PICTURES
        )
        said = await service.answer(request, [Sent("", picture) for picture in question.pictures])
    return tf_serving.write_answer(service.engine, [row for row, _ in said], question.by_row)


async def tell_signature(request: Request) -> dict[str, Any]:
    """Tell the model's signature, as TensorFlow Serving does."""
    return tf_serving.describe_signature(service_of(request).name, service_of(request).engine)


async def tell_health(request: Request, response: Response) -> Health:
    """Tell whether the service lives and whether it answers: 503 while it does not."""
    service = service_of(request)
    if not service.batcher.alive:
        response.status_code = 503
    return Health(live=True, ready=service.batcher.alive, model=service.name, run=service.engine.run)


async def tell_metrics(request: Request) -> Response:
    """Tell the counters in the text format of Prometheus."""
    return Response(service_of(request).metrics.write(), headers={"content-type": CONTENT_TYPE})


async def show_page(request: Request) -> Response:
    """Show a page for people: try a picture, and how a program asks."""
    engine = service_of(request).engine
    page = _PAGE.substitute(
        name=escape(service_of(request).name),
        run=escape(engine.run),
        side=engine.image_size,
        purpose=escape(engine.purpose),
        answer=engine.explain_answer(),
        address=escape(str(request.base_url)),
        count=len(engine.labels),
        items="".join(f"<li>{escape(label)}</li>" for label in engine.labels),
    )
    return HTMLResponse(page, headers=_PAGE_HEADERS)


def add_routes(app: FastAPI, service: Service) -> None:
    """Add every route, and describe what it takes and says for OpenAPI."""
    schemas = make_schemas(service.engine)
    refusals = refuse_with(400, 408, 413, 415, 422, 503)
    body = {"required": True, "content": {"application/json": {"schema": schemas.question}}}
    app.get("/", response_class=HTMLResponse)(show_page)
    app.post("/predict", response_model=schemas.upload, responses=refusals, openapi_extra={"requestBody": UPLOAD})(
        predict_files
    )
    app.get("/health", responses={503: {"model": Health}})(tell_health)
    app.get("/metrics", response_class=PlainTextResponse)(tell_metrics)
    model = APIRouter(responses=refuse_with(404))
    model.post(":predict", response_model=schemas.predict, responses=refusals, openapi_extra={"requestBody": body})(
        predict_tensors
    )
    model.get("/metadata")(tell_signature)
    model.get("")(tf_serving.describe_status)
    for version in ("", f"/versions/{tf_serving.VERSION}"):
        app.include_router(model, prefix=f"{MODELS}{service.name}{version}")
    app.openapi()["components"]["schemas"] |= schemas.parts


async def _tell_refusal(_: Request, problem: Refused) -> Response:
    return JSONResponse({"error": str(problem)}, problem.status, problem.headers)


async def _tell_no_route(request: Request, problem: HTTPException) -> Response:
    expected = "a route of this service"
    if problem.status_code == 405:
        allowed = sorted((problem.headers or {})["Allow"].split(", "))
        expected = f"the method {' or '.join(allowed)}"
    asked = f"{request.method[:20]} {request.url.path[:100]}"
    refused = _find_model(service_of(request).name, request.url.path) or Refused(
        problem.status_code, expected, asked, "/openapi.json lists the routes."
    )
    return JSONResponse({"error": str(refused)}, refused.status, problem.headers)


def _find_model(known: str, path: str) -> Refused | None:
    """Return the refusal of another model or version, where a path names one."""
    if not path.startswith(MODELS):
        return None
    match [part.partition(":")[0] for part in path.removeprefix(MODELS).split("/")]:
        case [name, *_] if name != known:
            return Refused(404, f"the model {known!r}", repr(name[:100]), f"Ask for {MODELS}{known}.")
        case [_, "versions", version, *_] if version != tf_serving.VERSION:
            return Refused(404, f"version {tf_serving.VERSION}", repr(version[:100]), "Leave it out.")
    return None


async def _tell_failure(request: Request, problem: Exception) -> Response:
    received = f"{type(problem).__name__} inside the service"
    return await _tell_refusal(request, Refused(500, "an answer", received, "Its log tells more; try again."))


async def _tell_nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=_GONE)


REFUSALS: dict[int | type[Exception], Any] = {
    Refused: _tell_refusal,
    HTTPException: _tell_no_route,
    ClientDisconnect: _tell_nobody,
    Exception: _tell_failure,
}
