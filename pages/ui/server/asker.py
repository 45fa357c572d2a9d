"""Who asks for a job, so that the queue can say whose it is: the person who has signed in, or else the browser.

A browser is told from others by a random mark in a cookie, which opens nothing: it is compared, and never shown.
"""

import re
import secrets
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import Scope

from pages.ui.server import sign_in
from pages.ui.server.addresses import base_path
from pages.ui.words.names import literal
from thaw.storage.records import Job

COOKIE = "thaw_browser"
MARK = re.compile(r"[0-9a-f]{16}")
BROWSER = "browser "
KEPT_FOR_S = 365 * 24 * 3600


def find_asker(cookies: Mapping[str, str]) -> str:
    """Return who asks, for the record of a job, of a script or request that brings these cookies; "" if unknown."""
    person = sign_in.current()
    if person is not None:
        return person.email
    mark = str(cookies.get(COOKIE, ""))
    return f"{BROWSER}{mark}" if MARK.fullmatch(mark) else ""


def tell_asker(job: Job, present: str) -> str:
    """Say for Markdown whose job it is to the one who looks, `present`; "" where its record does not tell."""
    asked_by = job.asked_by
    if not asked_by:
        return ""
    if asked_by == present:
        return "yours"
    return "asked for in another browser" if asked_by.startswith(BROWSER) else f"asked for by {literal(asked_by)}"


def mark_browser(scope: Scope, headers: MutableHeaders) -> None:
    """Give a browser that opens a page its mark, where it has none."""
    opens_page = headers.get("content-type", "").startswith("text/html")
    if opens_page and COOKIE not in HTTPConnection(scope).cookies:
        kept = f"Path={base_path() or '/'}; Max-Age={KEPT_FOR_S}; HttpOnly; SameSite=Strict"
        headers.append("set-cookie", f"{COOKIE}={secrets.token_hex(8)}; {kept}")
