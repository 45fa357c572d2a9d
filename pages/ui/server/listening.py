"""Where the server may listen: on this machine alone, unless people sign in or all are let in, in so many words."""

from functools import cache
from ipaddress import ip_address

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pages.ui.server import sign_in
from thaw.serving.hosts import LOOPBACK, OPEN_TO_ALL
from tlcore.errors import SettingsError

SOCKET_FILE = "unix://"


def require_door(address: str | None, signs_in: bool, open_to_all: bool) -> None:
    """Raise SettingsError where other machines reach what listens on `address` and nobody asks who they are.

    `address` is Streamlit's `server.address`; None means every address of this machine.
    """
    if signs_in or open_to_all or (address is not None and is_local(address)):
        return
    shown = "no address, which means all of them" if address is None else repr(address)
    raise SettingsError(
        "Expected Thaw to listen on this machine alone, 127.0.0.1, where nobody signs in. "
        f"Received: {shown}, which other machines reach. Do one of these:\n"
        "  - leave server.address away, and reach Thaw by an SSH tunnel or by a proxy on this machine;\n"
        "  - have people sign in: [auth] says how and [thaw] who may, in .streamlit/secrets.toml;\n"
        "  - say that everyone who reaches that address may see, change and delete all that is in the workspace:\n"
        f"        streamlit run app.py --server.address {address or '0.0.0.0'} -- {OPEN_TO_ALL}\n"
        f"        thaw app --listen {address or '0.0.0.0'} {OPEN_TO_ALL}\n"
        "docs/remote.md tells more of each."
    )


@cache
def is_local(address: str) -> bool:
    """Say whether only this machine reaches what listens on `address`, an address, a name or "unix://FILE"."""
    if address.startswith(SOCKET_FILE) or address.lower() in LOOPBACK:
        return True
    try:
        return ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


class LocalOnly:
    """ASGI middleware: refuses what came in on an address that other machines reach, however the server was started.

    A program that serves `app.app` itself, such as uvicorn, chooses the address without telling Streamlit.
    """

    open_to_all = False

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        came_in_on = scope.get("server") if scope["type"] in ("http", "websocket") else None
        signs_in = sign_in.read_rules() is not None
        if signs_in or self.open_to_all or came_in_on is None or not _is_reached(came_in_on[0]):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "Thaw serves its own machine only."})
        else:
            words = "Expected a request on this machine alone. Received: one from elsewhere, where nobody signs in.\n"
            await PlainTextResponse(words, status_code=403)(scope, receive, send)


@cache
def _is_reached(host: str) -> bool:
    """Say whether `host` is an address beyond this machine; a name or the path of a socket is none."""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return False
