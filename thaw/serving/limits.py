"""What the service refuses, and how much requests may hold at once: their number, and their bytes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from tlcore.errors import ThawError

MOST_REQUESTS = 64
MOST_HELD_BYTES = 200_000_000
LARGEST_BODY_BYTES = 20_000_000
RETRY_AFTER_S = 1
MOST_DIGITS = 20


class Refused(ThawError):
    """A request is answered with `status` and its reason as {"error": ...}; one of 503 may be tried again soon."""

    def __init__(self, status: int, expected: str, received: str, advice: str = "") -> None:
        super().__init__(f"Expected {expected}. Received: {received}. {advice}".rstrip())
        self.status = status
        self.headers = {"retry-after": str(RETRY_AFTER_S)} if status == 503 else {}


def overloaded(received: str) -> Refused:
    """Word the refusal of work that would have to wait too long."""
    advice = "Send it again in a moment, or send fewer at a time."
    return Refused(503, "room for this request", received, advice)


class Gate:
    """Counts what is inside; lives on the event loop, so that it needs no lock."""

    def __init__(self) -> None:
        self.requests = 0
        self.held_bytes = 0

    @asynccontextmanager
    async def admit(self, request: Request) -> AsyncIterator[bytearray]:
        """Let a request in until it is answered, and yield its body.

        Raises Refused: 503 at once where too many are inside, or all bodies together would be over `MOST_HELD_BYTES`;
        413 over `LARGEST_BODY_BYTES`, be it told or found; 400 for none. Raises ClientDisconnect where the connection
        is cut.
        """
        if self.requests >= MOST_REQUESTS:
            raise overloaded(f"{self.requests} requests at work already")
        self.requests += 1
        body = bytearray()
        try:
            await self._read(request, body)
            yield body
        finally:
            self.requests -= 1
            self.held_bytes -= len(body)

    async def _read(self, request: Request, body: bytearray) -> None:
        told = request.headers.get("content-length", "")
        # Of more digits than any number of bytes has, a length is not even put into a number.
        if told.isascii() and told.isdigit() and (len(told) > MOST_DIGITS or int(told) > LARGEST_BODY_BYTES):
            raise _too_large(f"{int(told) / 1e6:,.1f} MB" if len(told) <= MOST_DIGITS else "more")
        async for piece in request.stream():
            self._take(body, piece)
        if not body:
            raise Refused(400, "a body", "none", "Send a picture, or JSON that holds some.")

    def _take(self, body: bytearray, piece: bytes) -> None:
        if len(body) + len(piece) > LARGEST_BODY_BYTES:
            raise _too_large("more")
        if self.held_bytes + len(piece) > MOST_HELD_BYTES:
            raise overloaded(f"bodies of {self.held_bytes / 1e6:,.0f} MB held already")
        self.held_bytes += len(piece)
        body += piece


def _too_large(received: str) -> Refused:
    wanted = f"a body of at most {LARGEST_BODY_BYTES / 1e6:g} MB"
    return Refused(413, wanted, received, "Send smaller or fewer pictures.")
