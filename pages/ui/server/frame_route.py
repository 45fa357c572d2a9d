"""The route of the webcam: one frame in, what a run's model says of it out; the frame is never written to a file."""

import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pages.ui.server.addresses import address
from pages.ui.server.items import UploadRefused
from pages.ui.server.token import is_known, read_token
from pages.ui.words.names import visible
from thaw.datasets.run_split import read_labels
from thaw.prediction.answers import judge
from thaw.prediction.client import predictor
from thaw.runs.decision import read_decision
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import RunError, ThawError

RUN_ID = re.compile(r"run-[0-9a-f]{12}")
MAX_FRAME_BYTES = 2_000_000
# Less sure boxes than any slider of a page lets through are not sent.
LEAST_CONFIDENCE = 0.05


def frames_url(run_id: str) -> str:
    """Return the address that takes frames for the model of a run."""
    return address(f"thaw/try/{run_id}")


async def answer_frame(request: Request) -> JSONResponse:
    """Classify one frame: {"likeliest": [{"number", "label", "share"}, ...], "known": whether it is sure enough}.

    Of a detector's run, find things on it: {"boxes": [{"label", "confidence", "x", "y", "width", "height"}, ...]},
    surest first, in shares of the frame, from `LEAST_CONFIDENCE` on.
    A frame that could not be read is {"unread": the reason}: the next one may be well again.
    """
    if not is_known(read_token(request)):
        raise UploadRefused(403, "This page is not known here. Reload it, then start the camera again.")
    run_id = request.path_params["run_id"]
    if not RUN_ID.fullmatch(run_id):
        raise UploadRefused(404, "Expected the id of a run. Received something else. Reload the page.")
    return JSONResponse(await run_in_threadpool(_look, run_id, await _read_frame(request)))


async def _read_frame(request: Request) -> bytes:
    frame = bytearray()
    try:
        async for piece in request.stream():
            frame += piece
            if len(frame) > MAX_FRAME_BYTES:
                raise UploadRefused(
                    413, f"Expected a frame of at most {MAX_FRAME_BYTES:,} bytes. Received a larger one."
                )
    except ClientDisconnect:
        raise UploadRefused(400, "The browser ended the request before the frame was whole.") from None
    return bytes(frame)


def _look(run_id: str, frame: bytes) -> dict[str, object]:
    store = Store(open_workspace())
    try:
        run = store.run(run_id)
    except RunError as problem:
        raise UploadRefused(404, str(problem)) from problem
    try:
        return (_find if run.head.task == "detect" else _classify)(store, run, frame)
    except ThawError as problem:
        raise UploadRefused(409, str(problem)) from problem


def _classify(store: Store, run: Run, frame: bytes) -> dict[str, object]:
    (answer,) = predictor(store.workspace).classify(run.id, [frame])
    verdict = judge(answer, read_decision(run))
    if verdict.shares is None:
        return {"unread": verdict.reason}
    likeliest = verdict.likeliest(read_labels(store, run))
    return {
        "likeliest": [{"number": each.number, "label": visible(each.label), "share": each.share} for each in likeliest],
        "known": verdict.known,
    }


def _find(store: Store, run: Run, frame: bytes) -> dict[str, object]:
    (seen,) = predictor(store.workspace).find(run.id, [frame])
    if seen.found is None:
        return {"unread": seen.rejected}
    found, labels = seen.found.above(LEAST_CONFIDENCE), [visible(label) for label in read_labels(store, run)]
    return {
        "boxes": [
            {
                "label": labels[kind],
                "confidence": round(float(score), 4),
                "x": float(left),
                "y": float(top),
                "width": float(right - left),
                "height": float(bottom - top),
            }
            for (left, top, right, bottom), score, kind in zip(found.edges, found.scores, found.kinds, strict=True)
        ]
    }


FRAMES = Route(address("thaw/try/{run_id}"), answer_frame, methods=["POST"])
