"""The HTTP service without its routes: one model, and the line in front of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from typing import TypeVar

import numpy as np
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request

from thaw.serving.batcher import LARGEST_BATCH, Batcher
from thaw.serving.engine import Engine, Look
from thaw.serving.limits import Gate
from thaw.serving.metrics import Metrics
from thaw.serving.requests import Sent, open_reader

T = TypeVar("T")


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
    async def running(self, _: Starlette) -> AsyncIterator[None]:
        """Start threads and children; at the end answer what stands in line, then end them."""
        await asyncio.to_thread(self.engine.warm, range(1, LARGEST_BATCH + 1))
        with ExitStack() as parts:
            parts.callback(self.parser.shutdown)
            self._reader = parts.enter_context(open_reader(self.engine))
            parts.enter_context(self.batcher)
            yield

    async def answer(self, request: Request, pictures: Sequence[Sent]) -> list[tuple[np.ndarray, Look]]:
        """Return for each picture of a request the model's row, and what it saw.

        Raises Refused, or ClientDisconnect where the connection was cut, upon which nothing more is done for it.
        """
        return await _unless_gone(request, self._answer(pictures))

    async def _answer(self, pictures: Sequence[Sent]) -> list[tuple[np.ndarray, Look]]:
        looks = await self._reader.read(pictures)
        rows = await asyncio.wrap_future(self.batcher.submit(np.stack([look.pixels for look in looks])))
        self.metrics.count_pictures(map(self.engine.name_answer, rows))
        return list(zip(rows, looks, strict=True))


async def _unless_gone(request: Request, work: Awaitable[T]) -> T:
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
