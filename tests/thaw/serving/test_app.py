"""What lies around every route of the service, without a server: messages go in and come out as ASGI has them."""

import asyncio
import json

import numpy as np

from thaw.serving import app, request_time
from thaw.serving.engine import ClassifierEngine
from thaw.serving.request_time import Limits
from thaw.serving.service import Service


def test_a_body_that_stops_coming_is_refused_and_nothing_of_it_is_held(monkeypatch):
    monkeypatch.setattr(app, "TIMES", Limits(body_s=0.1))
    monkeypatch.setattr(request_time, "LAST_WORD_S", 0.0)
    engine = ClassifierEngine("run-1", ["cat", "dog"], 6, 0.0, lambda pixels: np.zeros((len(pixels), 2)))
    service = Service("tiny", engine)
    coming = [{"type": "http.request", "body": b"the first bytes", "more_body": True}]
    held, sent = [], []

    async def receive():
        if coming:
            return coming.pop()
        held.append((service.gate.requests, service.gate.held_bytes))
        return await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"image/png"), (b"content-length", b"5000")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": headers}
    asyncio.run(app.build_app(service, None)(scope, receive, send))
    assert held[0] == (1, len(b"the first bytes"))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    told = json.loads(b"".join(message["body"] for message in sent[1:]))
    assert told["error"].startswith("Expected a body that comes faster. Received: 15 bytes")
    assert (service.gate.requests, service.gate.held_bytes) == (0, 0)
