"""Takes the picture files out of a request's body: the body itself, or the files of a form."""

import asyncio
from collections.abc import AsyncGenerator

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from tlcore.refusals import Refused
from tlcore.service_reader import Sent

_PIECE_BYTES = 1 << 16


async def split_body(headers: Headers, body: bytearray, most: int) -> list[Sent]:
    """Return the pictures of a body of type image/* or multipart/form-data.

    Raises Refused: 415 for another type, 400 for a form that is damaged, holds no file or more than `most`.
    """
    kind = headers.get("content-type", "").lower()
    if kind.startswith("image/"):
        return [Sent("", bytes(body))]
    if kind.startswith("multipart/form-data"):
        return await _split_form(headers, body, most)
    raise Refused(
        415,
        f"Expected a picture (content-type image/*) or a form (multipart/form-data). Received: {kind[:100]!r}. "
        "Name the type of the picture in the header content-type, for instance image/jpeg.",
    )


async def _split_form(headers: Headers, body: bytearray, most: int) -> list[Sent]:
    parser = MultiPartParser(headers, _pieces(body), max_files=most, max_fields=most)
    try:
        if not body.rstrip(b"\r\n").endswith(b"--"):
            # The parser would leave out the last file without a word.
            raise MultiPartException("its end is missing")
        form = await parser.parse()
    except (MultiPartException, ValueError) as problem:
        raise Refused(
            400,
            f"Expected a whole form of at most {most} files. Received: another ({problem}). "
            "Let a program write it, for instance curl -F file=@photo.jpg.",
        ) from problem
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    sent = [Sent(file.filename or "", await file.read()) for file in files]
    await form.close()
    if not sent:
        raise Refused(400, "Expected at least one file in the form. Received: none. Add one: curl -F file=@photo.jpg.")
    return sent


async def _pieces(body: bytearray) -> AsyncGenerator[bytes, None]:
    """Yield a body piece by piece, letting other requests go on in between: a form can be slow to take apart."""
    for start in range(0, len(body), _PIECE_BYTES):
        yield bytes(body[start : start + _PIECE_BYTES])
        await asyncio.sleep(0)
