"""Who sends a request: only Thaw's own page is heard, and it brings the token that it was given; and what it asks.

A token is of one session, which is a tab, and of the sign-in behind it. It serves nobody else, and ends with either.
"""

import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from streamlit import config, runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.server import sign_in
from pages.ui.server.items import UploadRefused

TOKEN_HEADER = "x-thaw-token"

Json = dict[str, Any]


@dataclass
class PageToken:
    """The token of a session: whose sign-in is behind it, and when the session was last seen to be there."""

    text: str
    session: str
    owner: str
    seen_s: float


class PageTokens:
    """Gives each session a token of its own, and tells which of them still hold."""

    def __init__(self) -> None:
        self._by_session: dict[str, PageToken] = {}
        self._by_text: dict[str, PageToken] = {}
        self._lock = threading.Lock()

    def give(self, session: str, owner: str) -> str:
        """Return the token of a session, the same one for as long as its owner is the same."""
        with self._lock:
            self._forget_lost()
            token = self._by_session.get(session)
            if token is None or token.owner != owner:
                self._drop(token)
                token = PageToken(secrets.token_urlsafe(32), session, owner, time.monotonic())
                self._by_session[session] = self._by_text[token.text] = token
            token.seen_s = time.monotonic()
            return token.text

    def holds(self, text: str, owner: str) -> bool:
        """Say whether a token is one of `owner`, and its session there or only a moment gone, as in a reconnection."""
        with self._lock:
            token = self._by_text.get(text)
            return token is not None and token.owner == owner and self._is_there(token)

    def _is_there(self, token: PageToken) -> bool:
        if not runtime.exists() or runtime.get_instance().is_active_session(token.session):
            token.seen_s = time.monotonic()
        # As long as Streamlit keeps a session whose connection broke, so that its tab finds it again.
        return time.monotonic() - token.seen_s <= config.get_option("server.disconnectedSessionTTL")

    def _forget_lost(self) -> None:
        for token in [each for each in self._by_session.values() if not self._is_there(each)]:
            self._drop(token)

    def _drop(self, token: PageToken | None) -> None:
        if token is not None:
            del self._by_session[token.session], self._by_text[token.text]


TOKENS = PageTokens()


def page_token() -> str:
    """Return the token that the page of this session brings with what it asks of Thaw's own routes."""
    context = get_script_run_ctx(suppress_warning=True)
    return TOKENS.give(context.session_id if context is not None else "", sign_in.owner())


def is_known(text: str) -> bool:
    """Say whether a token is that of a page of whoever sends the request that is being answered."""
    return TOKENS.holds(text, sign_in.owner())


def read_token(request: Request) -> str:
    """Return the token that a request of Thaw's own page brings; raise UploadRefused for those of other pages."""
    origin = request.headers.get("origin")
    if origin is None or urlsplit(origin).netloc != request.headers.get("host"):
        raise UploadRefused(403, "Photos are taken only from Thaw's own page. Open it at the server's address.")
    return request.headers.get(TOKEN_HEADER, "")


async def read_asked(request: Request, most_bytes: int) -> Json:
    """Return what a page with a token asks, as JSON; raise UploadRefused for others and for what is longer."""
    if not is_known(read_token(request)):
        raise UploadRefused(403, "This page is not known here. Reload it.")
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most_bytes:
                raise UploadRefused(413, "Expected a short request. Received a longer one. Reload the page.")
    except ClientDisconnect:
        raise UploadRefused(400, "The browser ended the request before it was whole.") from None
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise UploadRefused(400, "Expected a request as JSON. Received something else. Reload the page.")
    return asked


def find_text(asked: Json, key: str) -> str | None:
    """Return the text that is asked under a key, or None where there is none."""
    value = asked.get(key)
    return value if isinstance(value, str) and value else None


def require_text(asked: Json, key: str) -> str:
    """Return the text that is asked under a key; raise UploadRefused where there is none."""
    value = find_text(asked, key)
    if value is None:
        raise UploadRefused(400, f"Expected {key!r} as text. Received: none. Reload the page.")
    return value
