"""How much requests may hold at once: their number, the bytes of their bodies, and the time these may take to come."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from thaw.serving.errors import Refused, overloaded, too_large

MOST_REQUESTS = 64
MOST_HELD_BYTES = 200_000_000
LARGEST_BODY_BYTES = 20_000_000
ARRIVAL_LIMIT_S = 30.0
MOST_DIGITS = 20


class Gate:
    """Counts what is inside; lives on the event loop, so that it needs no lock."""

    def __init__(self) -> None:
        self.requests = 0
        self.held_bytes = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Let one request in until it is answered; raise Refused (503) at once where too many are inside."""
        if self.requests >= MOST_REQUESTS:
            raise overloaded(f"{self.requests} requests at work already")
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @contextmanager
    def hold(self, body: bytearray) -> Iterator[None]:
        """Count a body's bytes as held until the request is answered."""
        try:
            yield
        finally:
            self.held_bytes -= len(body)

    async def read(self, request: Request, body: bytearray) -> None:
        """Read a request's body into `body`, counting as it comes.

        Raises Refused: 413 over `LARGEST_BODY_BYTES`, be it told or found; 408 where it takes over `ARRIVAL_LIMIT_S`;
        503 where all bodies together would be over `MOST_HELD_BYTES`; 400 for none. Raises ClientDisconnect where the
        connection is cut.
        """
        told = request.headers.get("content-length", "")
        # Of more digits than any number of bytes has, a length is not even put into a number.
        if told.isascii() and told.isdigit() and (len(told) > MOST_DIGITS or int(told) > LARGEST_BODY_BYTES):
            size = f"{int(told) / 1e6:,.1f} MB" if len(told) <= MOST_DIGITS else "more"
            raise too_large(size, LARGEST_BODY_BYTES)
        try:
            async with asyncio.timeout(ARRIVAL_LIMIT_S):
                async for piece in request.stream():
                    self._take(body, piece)
        except TimeoutError as problem:
            raise Refused(
                408,
                f"Expected the whole body within {ARRIVAL_LIMIT_S:g} s. Received: {len(body):,} bytes until then. "
                "Send it again over a faster connection, or send a smaller picture.",
            ) from problem
        if not body:
            raise Refused(400, "Expected a body. Received: none. Send a picture, or JSON that holds some.")

    def _take(self, body: bytearray, piece: bytes) -> None:
        if len(body) + len(piece) > LARGEST_BODY_BYTES:
            raise too_large("more", LARGEST_BODY_BYTES)
        if self.held_bytes + len(piece) > MOST_HELD_BYTES:
            raise overloaded(f"bodies of {self.held_bytes / 1e6:,.0f} MB held already")
        self.held_bytes += len(piece)
        body += piece
