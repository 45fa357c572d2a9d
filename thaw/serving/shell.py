"""What lies around every route of the service: host names, counting, and limits on how long a request may take."""

import time
from collections.abc import Container

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from thaw.serving.hosts import read_name
from thaw.serving.metrics import Metrics
from thaw.serving.request_time import Exchange, Limits


class Shell:
    """ASGI middleware; `hosts` are the names that requests may be addressed to, None allows any."""

    def __init__(self, app: ASGIApp, metrics: Metrics, hosts: Container[str | None] | None) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, Limits())
        started = time.perf_counter()
        try:
            await exchange.run(self._choose(scope))
        finally:
            self._metrics.count(scope["path"], exchange.status, time.perf_counter() - started)

    def _choose(self, scope: Scope) -> ASGIApp:
        host = Headers(scope=scope).get("host", "")
        if self._hosts is None or read_name(host) in self._hosts:
            return self._app
        reason = (
            f"Expected a request to this machine by its own name. Received: one to {host[:100]!r}. "
            "Address it to 127.0.0.1, or start the service with --host."
        )
        return JSONResponse({"error": reason}, 403)
