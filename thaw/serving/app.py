"""The application of the service: its routes and what lies around every one of them."""

import time
from collections.abc import Container, Sequence

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from thaw.serving.hosts import read_name
from thaw.serving.limits import Refused
from thaw.serving.metrics import Metrics
from thaw.serving.request_time import Exchange, Limits
from thaw.serving.routes import REFUSALS, add_routes
from thaw.serving.service import Service
from thaw.serving.tf_serving import VERSION

# Each body is held in memory until it is whole, so none may take long.
TIMES = Limits(body_s=30.0)


def build_app(service: Service, hosts: Container[str | None] | None, origins: Sequence[str] = ()) -> FastAPI:
    """Return the ASGI application; `hosts` are the names it answers to, None for any.

    Pages of `origins` may read its answers in a browser (CORS); those of any other site may not.
    """
    app = FastAPI(
        title=f"Thaw: {service.name}",
        version=VERSION,
        description=f"{service.engine.purpose} Model: the result of {service.engine.run}.",
        lifespan=service.running,
        exception_handlers=REFUSALS,
        # FastAPI's own pages load scripts from the internet, and its telemetry would send there.
        docs_url=None,
        redoc_url=None,
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
        exchange = Exchange(asked, receive, send, TIMES)
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
