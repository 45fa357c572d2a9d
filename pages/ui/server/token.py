"""Who sends a request: only Thaw's own page is heard, and it brings the token that it was given."""

from urllib.parse import urlsplit

from starlette.requests import Request

from pages.ui.server.items import UploadRefused

TOKEN_HEADER = "x-thaw-token"


def read_token(request: Request) -> str:
    """Return the token that a request of Thaw's own page brings; raise UploadRefused for those of other pages."""
    origin = request.headers.get("origin")
    if origin is None or urlsplit(origin).netloc != request.headers.get("host"):
        raise UploadRefused(403, "Photos are taken only from Thaw's own page. Open it at the server's address.")
    return request.headers.get(TOKEN_HEADER, "")
