"""Refuses requests that other pages send: those that name another host, and those of another origin.

A page on another port of this machine is as foreign as one on the internet: a browser lets it open a WebSocket to any
address, and Streamlit takes "localhost" of every port for its own.
"""

import logging
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config

from pages.ui.server.asker import mark_browser
from pages.ui.server.headers import add_headers
from thaw.serving.hosts import LOOPBACK, read_name

LOGGER = logging.getLogger(__name__)
POLICY_VIOLATION = 1008
# What may stand in a command line that a person copies.
PLAIN_NAME = re.compile(r"[a-z0-9.:-]+")
SAFE_METHODS = frozenset({"GET", "HEAD"})
# What a browser says of who asks, where it says it: https://www.w3.org/TR/fetch-metadata/
OWN_SITES = frozenset({"same-origin", "none"})
SHOWN_CHARACTERS = 100


class Guard:
    """ASGI middleware: hears Thaw's own pages and programs on this machine, and says in every answer's headers what
    a browser may do with it.

    - The host must be a loopback name or one of Streamlit's `server.allowedHosts`, on any port.
    - Where there is an `Origin`, it must be the host with its port. A WebSocket and a request that changes something
      must have one: every browser sends it with those, and nothing but a browser speaks to the dashboard's. Without one
      come only requests that read, such as an address that is typed, a link, a health check.
    - A browser that says that another site asks is heard only where a person follows a link.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = find_refusal(headers, "WEBSOCKET" if scope["type"] == "websocket" else scope["method"])
        if scope["type"] == "http":
            send = _with_headers(scope, send)
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            LOGGER.warning("A WebSocket was refused. %s", refusal)
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "This page is not Thaw's own."})
        else:
            await PlainTextResponse(f"{refusal}\n", status_code=403)(scope, receive, send)


def allowed(host: str) -> bool:
    """Say whether a Host header names this machine, or a host that the person allowed, as Streamlit reads the list:
    names, "*.example.com" for all below that, "*" for any."""
    name = read_name(host)
    if name is None:
        return False
    return name in LOOPBACK or any(_matches(name, each.strip().lower()) for each in _allowed_hosts())


def find_refusal(headers: Headers, method: str) -> str | None:
    """Return why a request is refused, in words for whoever sent it, or None; `method` is "WEBSOCKET" for one."""
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    if len(hosts) != 1 or not allowed(hosts[0]):
        return _other_host(hosts[0] if hosts else "")
    if not origins and method not in SAFE_METHODS:
        return "Expected a request of Thaw's own page, with its Origin. Received: one without. Open Thaw in a browser."
    if any(_netloc(origin) != hosts[0].lower() for origin in origins) or len(origins) > 1:
        return _other_origin(origins[0], hosts[0])
    if headers.get("sec-fetch-site", "none") not in OWN_SITES and not _follows_link(headers, method):
        return "Expected a request of Thaw's own page. Received: one of another site's. Open Thaw in a tab of its own."
    return None


def _allowed_hosts() -> list[str]:
    return list(config.get_option("server.allowedHosts"))


def _matches(name: str, pattern: str) -> bool:
    return pattern == "*" or name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:]))


def _netloc(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") else None


def _follows_link(headers: Headers, method: str) -> bool:
    way = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return method == "GET" and way == ("navigate", "document")


def _other_host(host: str) -> str:
    name = read_name(host) or ""
    name = name if PLAIN_NAME.fullmatch(name) else "NAME"
    options = " ".join(f"--server.allowedHosts {each}" for each in (*dict.fromkeys(_allowed_hosts()), name))
    return (
        f"Expected a request to this machine by its own name, such as http://localhost and Thaw's port. "
        f"Received: one to {host[:SHOWN_CHARACTERS]!r}.\n\n"
        f"To allow that name, end Thaw and start it with it:\n\n    streamlit run app.py {options}\n\n"
        f'or add "{name}" to allowedHosts below [server] in .streamlit/config.toml. For other machines to reach it '
        "without a proxy or a tunnel to this one, --server.address 0.0.0.0 has to be set as well; Thaw then says what "
        "that takes."
    )


def _other_origin(origin: str, host: str) -> str:
    return (
        f"Expected a request of Thaw's own page at {host[:SHOWN_CHARACTERS]!r}. "
        f"Received: one of {origin[:SHOWN_CHARACTERS]!r}. Open Thaw in a tab of its own; behind a proxy, let that hand "
        "on the Host header as the browser sent it."
    )


def _with_headers(scope: Scope, send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            answered = MutableHeaders(scope=message)
            add_headers(answered, Headers(scope=scope).get("host", ""))
            mark_browser(scope, answered)
        await send(message)

    return send_with_headers
