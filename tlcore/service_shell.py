"""What lies around every route of the service: host names, counting, and refusals that reach a client still sending."""

import asyncio
import contextlib
import time
from collections.abc import Container

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tlcore.hosts import read_name
from tlcore.service_metrics import Metrics

LINGER_S = 2.0


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
        exchange = _Exchange(receive, send)
        started = time.perf_counter()
        try:
            await self._choose(scope)(scope, exchange.receive, exchange.send)
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


class _Exchange:
    """One request and its answer. Closing a connection while its client still sends loses the answer on the way, so
    a refusal is sent whole, then what is left of the body is thrown away for up to `LINGER_S`, then it is over."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._arrived = False
        self.status = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._arrived = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._refusing:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
        elif self._refusing and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    @property
    def _refusing(self) -> bool:
        return self.status >= 400 and not self._arrived

    async def _linger(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while not self._arrived:
                    await self.receive()
