"""The HTTP service: one model, the line in front of it, and the application that answers requests with them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager

import numpy as np
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from thaw.serving.batcher import LARGEST_BATCH, Batcher
from thaw.serving.engine import Engine
from thaw.serving.hosts import read_name
from thaw.serving.limits import Gate, Refused
from thaw.serving.metrics import Metrics
from thaw.serving.request_time import Exchange, Limits
from thaw.serving.requests import Sent, open_reader
from thaw.serving.routes import REFUSALS, add_routes
from thaw.serving.tf_serving import VERSION
from tlcore.exporting.formats import UNKNOWN


class Service:
    """Everything that answers: the engine, and what stands between it and the requests."""

    def __init__(self, name: str, engine: Engine) -> None:
        self.name = name
        self.engine = engine
        self.gate = Gate()
        self.metrics = Metrics()
        self.batcher = Batcher(engine.network, self.metrics.observe_batch)
        # One at a time: what a body in JSON unpacks to is many times its size.
        self.parser = ThreadPoolExecutor(1, "parser")
        self.metrics.watch("thaw_requests_inside", "Requests being answered now", lambda: self.gate.requests)
        self.metrics.watch("thaw_pictures_waiting", "Pictures in line for the network", lambda: self.batcher.waiting)
        self.metrics.watch("thaw_held_bytes", "Bytes of bodies in memory", lambda: self.gate.held_bytes)

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Start threads and children; at the end answer what stands in line, then end them."""
        await asyncio.to_thread(self.engine.warm, range(1, LARGEST_BATCH + 1))
        with ExitStack() as parts:
            parts.callback(self.parser.shutdown)
            self._reader = parts.enter_context(open_reader(self.engine.image_size, self.engine.grey_range))
            parts.enter_context(self.batcher)
            yield

    async def classify(self, request: Request, pictures: Sequence[Sent]) -> np.ndarray:
        """Return float32 (n, classes) for the pictures of a request.

        Raises Refused, or ClientDisconnect where the connection was cut, upon which nothing more is done for it.
        """
        return await _unless_gone(request, self._classify(pictures))

    async def _classify(self, pictures: Sequence[Sent]) -> np.ndarray:
        pixels = await self._reader.read(pictures)
        probabilities = await asyncio.wrap_future(self.batcher.submit(pixels))
        unsure = sum(self.engine.choose(row) == UNKNOWN for row in probabilities)
        self.metrics.count_pictures(len(probabilities) - unsure, unsure)
        return probabilities


async def _unless_gone(request: Request, work: Awaitable[np.ndarray]) -> np.ndarray:
    """Await `work`, but cancel it when the client hangs up; the body must have been read, or this would read it."""
    working = asyncio.ensure_future(work)
    hanging_up = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((working, hanging_up), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        hanging_up.cancel()


def build_app(service: Service, hosts: Container[str | None] | None, origins: Sequence[str] = ()) -> FastAPI:
    """Return the ASGI application; `hosts` are the names it answers to, None for any.

    Pages of `origins` may read its answers in a browser (CORS); those of any other site may not.
    """
    app = FastAPI(
        title=f"Thaw: {service.name}",
        version=VERSION,
        description=f"Classifies pictures into {len(service.engine.labels)} classes. "
        f"Model: the result of {service.engine.run}.",
        lifespan=service.running,
        exception_handlers=REFUSALS,
        # FastAPI's own pages load scripts from the internet, and its telemetry would send there.
        openapi_url=None,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    add_routes(app, service)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("content-type",),
            expose_headers=("retry-after",),
            # A page from the internet asks this of a server on one's own machine.
            allow_private_network=True,
        )
    app.add_middleware(Shell, metrics=service.metrics, hosts=hosts)
    app.state.service = service
    return app


class Shell:
    """What lies around every route: host names, counting, and limits on how long a request may take.

    `hosts` are the names that requests may be addressed to, None allows any.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, hosts: Container[str | None] | None) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # The server leaves out the body of an answer to HEAD.
        asked = {**scope, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}
        exchange = Exchange(asked, receive, send, Limits())
        started = time.perf_counter()
        try:
            await exchange.run(self._choose(scope))
        finally:
            self._metrics.count(scope["path"], exchange.status, time.perf_counter() - started)

    def _choose(self, scope: Scope) -> ASGIApp:
        host = Headers(scope=scope).get("host", "")
        if self._hosts is None or read_name(host) in self._hosts:
            return self._app
        advice = "Address it to 127.0.0.1, or start the service with --host."
        refused = Refused(403, "a request to this machine by its own name", f"one to {host[:100]!r}", advice)
        return JSONResponse({"error": str(refused)}, 403)
