"""How long a request may take to arrive: its head, its body, and what is left of a body once it was refused.

The rule of the body is that of Apache's mod_reqtimeout: some seconds, and one more for so many bytes that came.
"""

import asyncio
import contextlib
import logging
import socket
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tlcore.errors import ThawError

LOGGER = logging.getLogger(__name__)
LINGER_S = 30.0
LAST_WORD_S = 5.0
MOST_LINGER_BYTES = 100_000_000
MOST_LINGERING = 1000
HEAD_TOO_SLOW = b"Expected the whole head of a request sooner. Received: a part of it. Send it again.\n"


@dataclass(frozen=True)
class Limits:
    """Seconds that a head may take; seconds of waiting that a body may cost before its first byte, the bytes that earn
    it one more, and the most that it may cost in all. What the server itself takes does not count."""

    head_s: float = 20.0
    grace_s: float = 20.0
    bytes_a_second: float = 8_000.0
    body_s: float = 3600.0


class TooSlow(ThawError):
    """A body does not come fast enough."""


class Exchange:
    """One request and its answer.

    Closing a connection while its client still sends loses the answer on the way. So a refusal is sent whole, then what
    is left of the body is thrown away for as long as it comes fast enough, up to `LINGER_S` and `MOST_LINGER_BYTES`.
    """

    _lingering = 0

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        headers = Headers(scope=scope)
        self._scope = scope
        self._receive = receive
        self._send = send
        self._limits = limits
        self._arrived = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        self._received = 0
        self._waited_s = 0.0
        self._extra_s = 0.0
        self.status = 0

    async def run(self, app: ASGIApp) -> None:
        """Have `app` answer the request; where its body comes too slowly, answer 408."""
        try:
            await app(self._scope, self.receive, self.send)
        except TooSlow as problem:
            if self.status:
                raise
            await JSONResponse({"error": str(problem)}, 408)(self._scope, self.receive, self.send)

    async def receive(self) -> Message:
        """Return the next message of the request; raise TooSlow where the body does not come."""
        if self._arrived:
            return await self._receive()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(max(0.0, self._allowed_s() - self._waited_s)):
                message = await self._receive()
        except TimeoutError:
            raise TooSlow(
                f"Expected a body that comes faster. Received: {self._received:,} bytes in {self._waited_s:,.0f} s and "
                "no more for a while. Send it again over a faster connection, or send less."
            ) from None
        finally:
            self._waited_s += loop.time() - began
        self._received += len(message.get("body", b""))
        self._arrived = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._refusing:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        elif self._refusing and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    @property
    def _refusing(self) -> bool:
        return self.status >= 400 and not self._arrived

    def _allowed_s(self) -> float:
        earned = self._limits.grace_s + self._received / self._limits.bytes_a_second
        return min(earned, self._limits.body_s) + self._extra_s

    async def _linger(self) -> None:
        if Exchange._lingering >= MOST_LINGERING:
            return
        Exchange._lingering += 1
        # From now on, also where the waiting ended late because the server was busy.
        self._extra_s = LAST_WORD_S + max(0.0, self._waited_s - self._allowed_s())
        end = self._received + MOST_LINGER_BYTES
        try:
            with contextlib.suppress(TimeoutError, TooSlow):
                async with asyncio.timeout(LINGER_S):
                    while not self._arrived and self._received < end:
                        await self.receive()
        finally:
            Exchange._lingering -= 1


class RequestTime:
    """ASGI middleware: bounds the time that heads and bodies take."""

    def __init__(self, app: ASGIApp, limits: Limits | None = None) -> None:
        self.app = app
        self.limits = limits or Limits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._time_heads(receive)
        if scope["type"] == "http":
            await Exchange(scope, receive, send, self.limits).run(self.app)
        else:
            await self.app(scope, receive, send)

    def _time_heads(self, receive: Receive) -> None:
        """Have the server time heads, which come before anything that an application sees.

        uvicorn has no setting for it. A server that others made, such as Streamlit's, is found through its lifespan
        channel; it asks its configuration for the protocol of each new connection.
        """
        config = getattr(getattr(receive, "__self__", None), "config", None)
        if isinstance(config, uvicorn.Config):
            config.http_protocol_class = timed(config.http_protocol_class, self.limits)
        else:
            LOGGER.warning("Expected uvicorn as the server. Received: another. Heads of requests have no time limit.")


class TimedHeads(asyncio.Protocol):
    """What is mixed into one of uvicorn's HTTP protocols: it closes a connection that does not send the whole head of a
    request in time, and one that goes on sending a body after the answer. What it answers is sent at once."""

    head_s: float
    cycle: Any
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _timer: asyncio.TimerHandle | None = None
    _begun = _over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        _send_at_once(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        before = self.cycle
        self._begun = True
        super().data_received(data)
        if self.cycle is not before or self.transport.get_protocol() is not self:
            self._stop()
        elif self._timer is None and (before is None or before.response_complete):
            self._start()

    def _start(self) -> None:
        self._timer = self.loop.call_later(self.head_s, self._expire)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        # A browser opens connections before it needs them, and would take an answer there for that to its next request.
        if self._begun and self.cycle is None:
            head = f"content-type: text/plain\r\nconnection: close\r\ncontent-length: {len(HEAD_TOO_SLOW)}\r\n\r\n"
            self.transport.write(f"HTTP/1.1 408 Request Timeout\r\n{head}".encode() + HEAD_TOO_SLOW)
            self._over = True
            # As in `Exchange`: to close at once, while the client sends, would lose the answer on its way.
            self._timer = self.loop.call_later(LAST_WORD_S, self.transport.close)
        else:
            self.transport.close()


def _send_at_once(transport: asyncio.BaseTransport) -> None:
    """Have a connection send each piece of an answer without waiting (TCP_NODELAY).

    asyncio sees to that where a socket was made naming TCP, and Streamlit makes its own without. The system then holds
    back the body of each answer until its head was confirmed, and each message of a WebSocket until the one before was:
    40 ms every time.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def timed(protocol: type[asyncio.Protocol], limits: Limits) -> type[asyncio.Protocol]:
    """Return one of uvicorn's HTTP protocols with `TimedHeads` mixed in."""
    return type(f"Timed{protocol.__name__}", (TimedHeads, protocol), {"head_s": limits.head_s})
