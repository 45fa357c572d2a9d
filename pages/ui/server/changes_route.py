"""The route that says whether anything has changed that a page shows: by a mark to compare with an earlier one."""

import hashlib
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pages.ui.server.addresses import address
from thaw.storage.store import Pulse, Store
from thaw.storage.workspace import open_workspace

PATH = "thaw/changes"


def changes_url(dataset_id: str | None) -> str:
    """Return the address that answers the mark of a page that shows this data set."""
    return f"{address(PATH)}?{urlencode({'dataset': dataset_id or ''})}"


def write_mark(pulse: Pulse, dataset_id: str | None) -> str:
    """Return how all stands for a page that shows this data set, short enough to be asked for every second."""
    told = f"{pulse.lists}|{pulse.datasets.get(dataset_id or '', '')}"
    return hashlib.blake2b(told.encode(), digest_size=12).hexdigest()


async def answer_mark(request: Request) -> JSONResponse:
    """Answer {"mark"} for the page that shows the data set named in the query."""
    dataset_id = request.query_params.get("dataset")
    mark = await run_in_threadpool(lambda: write_mark(Store(open_workspace()).pulse(), dataset_id))
    return JSONResponse({"mark": mark})


CHANGES_ROUTE = Route(address(PATH), answer_mark, methods=["GET"])
