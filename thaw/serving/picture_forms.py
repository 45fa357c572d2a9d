"""Takes the picture files out of a request's body: the body itself, the files of a form, or text that encodes one."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from thaw.serving.errors import Refused
from thaw.serving.limits import LARGEST_BODY_BYTES
from thaw.serving.requests import Sent

_PIECE_BYTES = 1 << 16
_DATA_URL = "data:"
_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def decode_text(words: str) -> bytes:
    """Return the file that base64 or a data URL with base64 holds, also in the alphabet for URLs and without padding.

    Raises Refused (400) for anything else.
    """
    encoded = words
    if words.startswith(_DATA_URL):
        head, _, encoded = words.partition(",")
        if not head.endswith(";base64"):
            raise _bad_base64(f"a data URL that begins with {words[:40]!r}", "Begin it with data:image/jpeg;base64, .")
    encoded = encoded.translate(_STANDARD_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as problem:
        raise _bad_base64(f"something else ({problem})", "Encode the file without line breaks.") from problem


async def split_body(headers: Headers, body: bytearray, most: int) -> list[Sent]:
    """Return the pictures of a body of type image/* or multipart/form-data, or the one that a data URL is.

    Raises Refused: 415 for another type, 400 for a form that is damaged, holds no file or more than `most`.
    """
    kind = headers.get("content-type", "").lower()
    if body.startswith(_DATA_URL.encode()):
        # What a browser's canvas gives, whatever type the browser sends it as.
        return [Sent("", decode_text(bytes(body).decode("ascii", "replace").rstrip()))]
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
    limits = {"max_files": most, "max_fields": most, "max_part_size": LARGEST_BODY_BYTES}
    parser = MultiPartParser(headers, _pieces(body), **limits)
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
    sent, texts = [], []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            sent.append(Sent(value.filename or "", await value.read()))
        elif value.startswith(_DATA_URL):
            sent.append(Sent(name, decode_text(value)))
        else:
            texts.append(name)
    await form.close()
    if not sent:
        raise _no_file(texts)
    return sent


def _no_file(texts: list[str]) -> Refused:
    received = f"the part {texts[0][:100]!r} without a file name, which makes it text" if texts else "none"
    return Refused(
        400,
        f"Expected at least one file in the form. Received: {received}. Add one: curl -F file=@photo.jpg (with the @), "
        "or in a program a part with a file name.",
    )


def _bad_base64(received: str, advice: str) -> Refused:
    return Refused(400, f"Expected base64. Received: {received}. {advice}")


async def _pieces(body: bytearray) -> AsyncGenerator[bytes, None]:
    """Yield a body piece by piece, letting other requests go on in between: a form can be slow to take apart."""
    for start in range(0, len(body), _PIECE_BYTES):
        yield bytes(body[start : start + _PIECE_BYTES])
        await asyncio.sleep(0)
