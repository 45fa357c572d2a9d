"""The route that hands a data set on: its zip, made as it is sent, or its table of labels."""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from pages.ui.server.addresses import address
from pages.ui.server.headers import NOT_KEPT
from pages.ui.server.items import UploadRefused
from pages.ui.server.token import is_known, page_token
from thaw.datasets.division import SplitChoice, read_division
from thaw.datasets.zip_file import list_labels, plan_zip, stream_dataset
from thaw.sources.safe_names import MOST_FOLDER_BYTES, safe_name
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import ThawError
from tlcore.settings import HeadSettings

DATASET_ID = re.compile(r"data-[0-9a-f]{12}")
ZIP, TABLE = "zip", "csv"
MEDIA_TYPES = {ZIP: "application/zip", TABLE: "text/csv; charset=utf-8"}
# A browser says so of a request that another site made; older ones say nothing, and the token tells.
OWN_SITES = ("same-origin", "none", "")


@dataclass(frozen=True)
class Wish:
    """What a person takes of a data set: its pictures or its labels alone, how divided, with the excluded or not."""

    kind: str
    division: SplitChoice
    with_excluded: bool


async def send_dataset(request: Request) -> Response:
    """Send a data set as the address asks; raise UploadRefused where the page is not Thaw's own or it cannot be."""
    asked = request.query_params
    if not is_known(asked.get("token", "")) or request.headers.get("sec-fetch-site", "") not in OWN_SITES:
        raise UploadRefused(403, "This page is not known here. Reload the Data page, then download again.")
    dataset_id = request.path_params["dataset_id"]
    if not DATASET_ID.fullmatch(dataset_id) or asked.get("as") not in MEDIA_TYPES:
        raise UploadRefused(404, "There is no such data set in this workspace.")
    try:
        return await run_in_threadpool(_answer, dataset_id, _read_wish(request))
    except ThawError as problem:
        raise UploadRefused(409, str(problem)) from problem


def dataset_url(dataset_id: str, wish: Wish) -> str:
    """Return the address of a data set as it is wished for, with this page's token, relative to the server."""
    division = wish.division
    asked = {"as": wish.kind, "excluded": int(wish.with_excluded), "seed": division.seed}
    if division.divides:
        asked |= {"split": division.run_id or f"{division.share:g}", "later": f"{division.later_share:g}"}
    return address(f"thaw/dataset/{dataset_id}?{urlencode(asked | {'token': page_token()})}")


def _read_wish(request: Request) -> Wish:
    asked = request.query_params
    division = read_division(
        asked.get("split"), _number(asked.get("seed"), HeadSettings().seed), _share(asked.get("later"))
    )
    return Wish(asked["as"], division, asked.get("excluded") == "1")


def _answer(dataset_id: str, wish: Wish) -> Response:
    store = Store(open_workspace())
    named = safe_name(store.dataset(dataset_id).name, MOST_FOLDER_BYTES)
    name = quote(f"{named}-labels" if wish.kind == TABLE else named, safe="")
    plain = f'filename="{dataset_id}.{wish.kind}"'
    headers = {
        "content-disposition": f"attachment; {plain}; filename*=UTF-8''{name}.{wish.kind}",
        "cache-control": NOT_KEPT,
    }
    if wish.kind == TABLE:
        table = list_labels(store, dataset_id, wish.division, wish.with_excluded)
        return Response(table, media_type=MEDIA_TYPES[TABLE], headers=headers)
    planned = plan_zip(store, dataset_id, wish.division, wish.with_excluded)
    # A download that breaks off is seen to have broken off, and one that goes on tells how far it is.
    headers["content-length"] = str(planned.bytes)
    return StreamingResponse(stream_dataset(planned), media_type=MEDIA_TYPES[ZIP], headers=headers)


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 10 else default


def _share(text: str | None) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if 0 <= value < 1 else 0.0


DATASET_ROUTE = Route(address("thaw/dataset/{dataset_id}"), send_dataset, methods=["GET"])
