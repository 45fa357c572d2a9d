"""The routes of the Studio: how all stands, and what the person wants done; its component asks without a reload."""

import dataclasses
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pages.ui.server import items, studio_state, upload
from pages.ui.server.addresses import address
from pages.ui.server.asker import find_asker
from pages.ui.server.items import UploadRefused
from pages.ui.server.token import Json, find_text, read_asked, read_token, require_text
from pages.ui.words.plain import LOOK_AGAIN, tell_quicker
from thaw.backbones.speeds import read_measuring, start_measuring
from thaw.datasets import edits
from thaw.jobs import starts
from thaw.storage.edits import ClassGone, PhotosChanged
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.training import teach
from tlcore.errors import ThawError
from tlcore.models.backbones import BACKBONES
from tlcore.models.weights import is_local
from tlcore.photos import JUNK

MAX_BODY_BYTES = 64 * 1024


async def answer_state(request: Request) -> JSONResponse:
    """Answer how all stands: what `draw_state` returns of {"dataset", "import", "eye", "run", "newest", "known",
    "learn"}."""
    asked = await read_asked(request, MAX_BODY_BYTES)
    dataset, importing, eye, run, newest, known = (
        find_text(asked, key) for key in ("dataset", "import", "eye", "run", "newest", "known")
    )
    glance = studio_state.Glance(dataset, importing, eye, run, newest, known, asked.get("learn") is True)
    token = read_token(request)
    return JSONResponse(await run_in_threadpool(lambda: studio_state.draw_state(_open_store(request), glance, token)))


async def do_action(request: Request) -> JSONResponse:
    """Do what {"do": one of ACTIONS} asks for; a refusal is {"error": words} with the status 409."""
    asked = await read_asked(request, MAX_BODY_BYTES)
    action = ACTIONS.get(find_text(asked, "do") or "")
    if action is None:
        raise UploadRefused(400, "Expected something that the Studio can do. Received something else. Reload the page.")
    try:
        return JSONResponse(await run_in_threadpool(action, _open_store(request), asked))
    except UploadRefused:
        raise
    except (PhotosChanged, ClassGone) as problem:
        raise UploadRefused(409, f"{tell_quicker(problem)} {LOOK_AGAIN}") from problem
    except ThawError as problem:
        raise UploadRefused(409, str(problem)) from problem


def _open_store(request: Request) -> Store:
    return Store(open_workspace(), asker=find_asker(request.cookies))


def _teach(store: Store, asked: Json) -> Json:
    dataset = store.dataset(require_text(asked, "dataset"))
    return {"run": teach.teach(store, dataset, studio_state.find_settings(find_text(asked, "eye"), dataset.included))}


def _stop(store: Store, asked: Json) -> Json:
    store.ask_to_stop(store.job(require_text(asked, "job")).id)
    return {}


def _answer(store: Store, asked: Json) -> Json:
    job = store.job(require_text(asked, "job"))
    if job.question is not None:
        store.answer_question(job.id, job.question, require_text(asked, "option"))
    return {}


def _rename(store: Store, asked: Json) -> Json:
    dataset_id, label, wanted = (require_text(asked, key) for key in ("dataset", "class", "to"))
    return {"images": edits.rename_class(store, dataset_id, label, wanted)}


def _remove(store: Store, asked: Json) -> Json:
    dataset = store.dataset(require_text(asked, "dataset"))
    match asked.get("edit"):
        case [int(edit), int() | float() as undone]:
            dataset = dataclasses.replace(dataset, edit=edit, undone=undone)
    images = edits.delete_class(store, dataset.id, require_text(asked, "class"), dataset)
    return {"images": images, "edit": store.dataset(dataset.id).edit}


def _undo(store: Store, asked: Json) -> Json:
    dataset_id, edit = require_text(asked, "dataset"), asked.get("edit")
    if not isinstance(edit, int):
        return {"undone": edits.undo(store, dataset_id).kind}
    store.undo_edit(dataset_id, edit)
    return {"undone": edit}


def _sample(store: Store, _: Json) -> Json:
    return {"job": starts.start_import(store, {"kind": "digits", "path": "", "name": "digits"})}


def _measure(store: Store, _: Json) -> Json:
    measuring = read_measuring(store.workspace)
    if measuring is None or not measuring.active:
        start_measuring(store.workspace, [name for name in studio_state.EYES.values() if is_local(BACKBONES[name])])
    return {}


def _ticket(store: Store, _: Json) -> Json:
    ticket = upload.open_upload(store.workspace)
    return {
        "url": address(f"thaw/upload/{ticket.upload_id}"),
        "token": ticket.token,
        "junk": JUNK,
        "max_files": items.MAX_FILES,
        "max_image_bytes": items.MAX_IMAGE_BYTES,
        "max_archive_bytes": items.MAX_ARCHIVE_BYTES,
    }


ACTIONS: dict[str, Callable[[Store, Json], Json]] = {
    "teach": _teach,
    "stop": _stop,
    "answer": _answer,
    "rename": _rename,
    "remove": _remove,
    "undo": _undo,
    "sample": _sample,
    "measure": _measure,
    "ticket": _ticket,
}


STUDIO_ROUTES = [
    Route(address("thaw/studio/state"), answer_state, methods=["POST"]),
    Route(address("thaw/studio/do"), do_action, methods=["POST"]),
]
