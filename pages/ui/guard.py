"""Refuses requests that name another host, so that no foreign web page can reach the server through DNS."""

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import config

from tlcore.hosts import LOOPBACK, read_name

POLICY_VIOLATION = 1008


class HostGuard:
    """ASGI middleware: lets through loopback names and those in Streamlit's `server.allowedHosts`, on any port."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or allowed(Headers(scope=scope).get("host", "")):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "This host name is not served."})
        else:
            refusal = PlainTextResponse(
                "Thaw answers only on this machine: open it at http://localhost and its port. "
                "This request came for another host name.",
                status_code=403,
            )
            await refusal(scope, receive, send)


def allowed(host: str) -> bool:
    """Say whether a Host header names this machine."""
    name = read_name(host)
    return name in LOOPBACK or name in config.get_option("server.allowedHosts")
