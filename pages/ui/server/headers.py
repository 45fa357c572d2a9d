"""What a browser may do with an answer: the headers that go with every one, errors included."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse

INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# A name or an IPv4 address with its port; what else a Host header holds does not go into a header of ours.
PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")
NOT_KEPT = "private, no-store"
DENIED = (
    *("accelerometer", "autoplay", "browsing-topics", "clipboard-read", "display-capture"),
    *("encrypted-media", "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer"),
    *("microphone", "midi", "payment", "picture-in-picture", "publickey-credentials-get", "screen-wake-lock"),
    *("serial", "storage-access", "usb", "window-management", "xr-spatial-tracking"),
)
HEADERS = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": ", ".join(["camera=(self)", *(f"{each}=()" for each in DENIED)]),
}


def add_headers(headers: MutableHeaders, host: str) -> None:
    """Add the headers to those of an answer to a request to `host`; what it says of its own is left, but no answer
    says nothing of being kept: what has no rule of its own may be a photo or a name."""
    for name, value in HEADERS.items():
        headers[name] = value
    headers.setdefault("cache-control", NOT_KEPT)
    headers["content-security-policy"] = write_policy(host)


async def tell_failure(request: Request, _: Exception) -> PlainTextResponse:
    """Answer a request that ended in an error nobody foresaw: outside of all middleware, so it brings the headers."""
    answer = PlainTextResponse("Something unforeseen happened; the server's log tells more. Try again.\n", 500)
    add_headers(answer.headers, request.headers.get("host", ""))
    return answer


@cache
def _hash_inline_scripts() -> str:
    """Return the hashes of the scripts that stand in Streamlit's own page, so that no other one may stand there."""
    page = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    hashes = [hashlib.sha256(script.encode()).digest() for script in INLINE_SCRIPT.findall(page)]
    return " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes)


def write_policy(host: str) -> str:
    """Return the Content-Security-Policy of answers to `host`: nothing from or to any other host.

    Found by trying every page: Streamlit puts its components' scripts into blob: URLs and styles into the page, and
    draws small pictures from data: URLs.
    """
    # Not every browser takes a WebSocket of the same host for 'self'.
    sockets = f" ws://{host} wss://{host}" if PLAIN_HOST.fullmatch(host) else ""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' blob: {_hash_inline_scripts()}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' blob:",
            "font-src 'self' data:",
            f"connect-src 'self'{sockets}",
            "worker-src 'none'",
            "manifest-src 'self'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
