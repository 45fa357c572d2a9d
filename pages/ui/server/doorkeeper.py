"""Lets nobody past Streamlit's empty page without a sign-in, where people sign in: no photo, file, upload or frame."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages.ui.server import sign_in
from pages.ui.server.addresses import base_path

LOGOUT = "auth/logout"
# How long a tab that signs out may take to reach the provider before it is led to the entrance.
ON_THE_WAY_S = 3.0
# What holds a person's data: Thaw's own routes, and of Streamlit's what is not named in OPEN_CORE.
CLOSED = ("thaw/", "media/", "app/static/", "_stcore/")
OPEN_CORE = ("_stcore/health", "_stcore/host-config", "_stcore/stream", "_stcore/bidi-components/")
POLICY_VIOLATION = 1008


class Doorkeeper:
    """ASGI middleware: asks each request for a sign-in, and closes the WebSocket of one that is over.

    The page itself, its scripts and the WebSocket are open, since by them people sign in; the script that draws the
    page (pages.ui.entrance) shows nothing before. What `CLOSED` names is behind the door.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rules = sign_in.read_rules()
        if rules is None or scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        asking = find_sign_in(scope)
        noted = sign_in.ASKING.set(asking)
        try:
            if scope["type"] == "websocket":
                if asking is not None:
                    receive, send = _while_signed_in(scope, receive, send)
                await self.app(scope, receive, send)
                return
            if rules.by_https:
                send = _keeping_cookies_to_https(send)
            path = _below_base(scope)
            if path == LOGOUT and asking is not None:
                sign_in.end(asking)
            refusal = find_refusal(path, asking)
            await (self.app if refusal is None else refusal)(scope, receive, send)
        finally:
            sign_in.ASKING.reset(noted)


def find_sign_in(scope: Scope) -> sign_in.SignIn | None:
    """Return the sign-in that a request or WebSocket proves by its cookies, or None."""
    return sign_in.read_sign_in(HTTPConnection(scope).cookies, Headers(scope=scope).get("host", ""))


def find_refusal(path: str, asking: sign_in.SignIn | None) -> JSONResponse | None:
    """Return what is answered instead to a request for `path`, below the base path; None where it is let through."""
    if not path.startswith(CLOSED) or path.startswith(OPEN_CORE) or (asking is not None and asking.allowed):
        return None
    if asking is None:
        return JSONResponse({"error": "You are not signed in here any more. Reload the page and sign in."}, 401)
    return JSONResponse({"error": "You are signed in, and not among those who may use this Thaw."}, 403)


def _below_base(scope: Scope) -> str:
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return path.removeprefix(f"{base_path()}/").lstrip("/")


def _while_signed_in(scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Wrap both ways of a WebSocket so that nothing more goes through them once the sign-in is over."""
    accepted = False
    leaving: asyncio.Future[None] | None = None

    async def receive_signed_in() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive" and not await still_signed_in():
            return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}
        return message

    async def send_signed_in(message: Message) -> None:
        nonlocal accepted
        if await still_signed_in():
            accepted = accepted or message["type"] == "websocket.accept"
            await send(message)

    async def still_signed_in() -> bool:
        nonlocal leaving
        if leaving is None and find_sign_in(scope) is None:
            leaving = asyncio.ensure_future(leave())
        if leaving is not None:
            await asyncio.shield(leaving)
        return leaving is None

    async def leave() -> None:
        # The tab in which someone signs out is on its way to the provider, where it would never come if it were led
        # elsewhere; the others show nothing new meanwhile.
        await asyncio.sleep(ON_THE_WAY_S if accepted else 0)
        # The tab may be gone by now.
        with suppress(OSError, RuntimeError):
            if accepted:
                await send({"type": "websocket.send", "bytes": _lead_to_entrance()})
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "Signed out."})

    return receive_signed_in, send_signed_in


def _lead_to_entrance() -> bytes:
    """Return the message by which Streamlit's page goes to the first one, as after `st.logout`; closed alone, it would
    leave on the screen what is drawn there."""
    message = ForwardMsg()
    message.auth_redirect.url = f"{base_path()}/"
    return message.SerializeToString()


def _keeping_cookies_to_https(send: Send) -> Send:
    """Have a browser send the cookies that are set by HTTPS alone, which Streamlit leaves open."""

    async def send_secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                (
                    name,
                    value + b"; Secure" if name.lower() == b"set-cookie" and b"secure" not in value.lower() else value,
                )
                for name, value in message["headers"]
            ]
        await send(message)

    return send_secured
