"""A server with short limits for the tests of the time of requests, at a free port that it prints."""

import socket

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from thaw.serving.request_time import Limits, RequestTime

LIMITS = Limits(head_s=2.5, grace_s=1.0, bytes_a_second=1000.0, body_s=6.0)


async def read(request: Request) -> PlainTextResponse:
    """Say how many bytes came."""
    try:
        return PlainTextResponse(str(len(await request.body())))
    except ClientDisconnect:
        return PlainTextResponse("gone")


async def refuse(_: Request) -> PlainTextResponse:
    """Refuse without a look at the body."""
    return PlainTextResponse("too large", 413)


async def ignore(_: Request) -> PlainTextResponse:
    """Answer without a look at the body."""
    return PlainTextResponse("fine")


if __name__ == "__main__":
    routes = [Route(f"/{each.__name__}", each, methods=["GET", "POST"]) for each in (read, refuse, ignore)]
    app = Starlette(routes=routes, middleware=[Middleware(RequestTime, limits=LIMITS)])
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        print(listener.getsockname()[1], flush=True)  # noqa: T201
        uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_keep_alive=3)).run(sockets=[listener])
