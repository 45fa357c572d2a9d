"""Who sends a request: only Thaw's own page is heard, and it brings the token that it was given; and what it asks."""

import hmac
import json
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request

from pages.ui.server.items import UploadRefused

TOKEN_HEADER = "x-thaw-token"

Json = dict[str, Any]


def read_token(request: Request) -> str:
    """Return the token that a request of Thaw's own page brings; raise UploadRefused for those of other pages."""
    origin = request.headers.get("origin")
    if origin is None or urlsplit(origin).netloc != request.headers.get("host"):
        raise UploadRefused(403, "Photos are taken only from Thaw's own page. Open it at the server's address.")
    return request.headers.get(TOKEN_HEADER, "")


async def read_asked(request: Request, token: str, most_bytes: int) -> Json:
    """Return what the page that was given `token` asks, as JSON; raise UploadRefused for others and what is longer."""
    if not hmac.compare_digest(read_token(request).encode(), token.encode()):
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
