"""The route of the box editor: which photos there are, what is drawn on one, and what the person has drawn now."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pages.ui.server.addresses import address
from pages.ui.server.items import UploadRefused
from pages.ui.server.token import Json, find_text, read_asked, require_text
from pages.ui.words.names import visible
from pages.ui.words.options import class_names
from thaw.boxes.sheets import read_number
from thaw.prediction import suggestions
from thaw.storage.boxes import BoxesChanged
from thaw.storage.records import Image, Role
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.boxes import Box
from tlcore.errors import ThawError
from tlcore.photos import natural

MAX_BODY_BYTES = 4 * 1024**2
# Photos that are looked at for one answer: whoever asks about another meanwhile waits for no more.
RANKED = 8
DATASET_ID = re.compile(r"data-[0-9a-f]{12}")
# The editor has an element for each photo; nobody draws on more by hand.
MOST_LISTED = 2000
# Photos without a class first: who draws boxes has dropped a flat folder more often than not.
ROLES: tuple[Role, ...] = ("pile", "main", "holdout")


def boxes_url(dataset_id: str) -> str:
    """Return the address that the editor of a data set's boxes speaks with."""
    return address(f"thaw/boxes/{dataset_id}")


async def do_action(request: Request) -> JSONResponse:
    """Do what {"do": one of ACTIONS} asks for, as `box_editor` says; a refusal is {"error": words}.

    The status 409 says that other boxes are on the photo by now.
    """
    asked = await read_asked(request, MAX_BODY_BYTES)
    dataset_id = request.path_params["dataset_id"]
    action = ACTIONS.get(find_text(asked, "do") or "")
    if action is None or not DATASET_ID.fullmatch(dataset_id):
        raise UploadRefused(400, "Expected something that is done to boxes. Received something else. Reload the page.")
    try:
        return JSONResponse(await run_in_threadpool(action, Store(open_workspace()), dataset_id, asked))
    except UploadRefused:
        raise
    except BoxesChanged as problem:
        raise UploadRefused(409, str(problem)) from problem
    except ThawError as problem:
        raise UploadRefused(400, str(problem)) from problem


def read_drawn(rows: object) -> list[Box] | None:
    """Return the boxes of a request, None where it says that nobody has looked; raise UploadRefused for others."""
    if rows is None:
        return None
    if not isinstance(rows, list):
        raise UploadRefused(400, "Expected a list of boxes. Received something else. Reload the page.")
    return [_read_box(row) for row in rows]


def _read_box(row: object) -> Box:
    asked = row if isinstance(row, dict) else {}
    label, edges = asked.get("label"), [asked.get(edge) for edge in ("x", "y", "width", "height")]
    numbers = [number for edge in edges if (number := read_number(edge)) is not None]
    if not isinstance(label, str) or len(numbers) < len(edges):
        raise UploadRefused(400, "Expected boxes with a name and four numbers each. Received others. Reload the page.")
    return Box(label, *numbers)


def _list_photos(store: Store, dataset_id: str, _: Json) -> Json:
    drawn = store.boxes(dataset_id)
    images, left_out = _choose_images(store, dataset_id, drawn)
    labels = list(store.count_boxes(dataset_id))
    names = class_names(labels)
    return {
        "photos": [_tell_photo(image, drawn.get(image.id)) for image in images],
        "kinds": [{"name": label, "shown": names(label)} for label in labels],
        "left_out": left_out,
    }


def _choose_images(store: Store, dataset_id: str, drawn: Mapping[str, object]) -> tuple[list[Image], int]:
    """Return the images to draw on, and how many are left out: of very many those with boxes are listed, then the
    first of the others, for which half of the room is kept."""
    # Enough that those which are drawn on hide no others.
    most = MOST_LISTED + 1 + len(drawn)
    first = [image for role in ROLES for image in store.images(dataset_id, role=role, limit=most)]
    if len(first) <= MOST_LISTED:
        return first, 0
    boxed = store.images_by_id([*islice(drawn, MOST_LISTED)])
    listed = sorted((image for image in boxed.values() if not image.excluded), key=lambda image: natural(image.name))
    others = [image for image in first if image.id not in drawn]
    listed = listed[: max(MOST_LISTED // 2, MOST_LISTED - len(others))] + others
    dataset = store.dataset(dataset_id)
    return listed[:MOST_LISTED], dataset.pile + dataset.included + dataset.holdout - MOST_LISTED


def _tell_photo(image: Image, boxes: Sequence[Box] | None) -> Json:
    return {
        "id": image.id,
        "name": visible(image.name),
        "picture": address(f"thaw/image/{image.folder}/{image.id}"),
        "thumbnail": address(f"thaw/thumbnail/{image.folder}/{image.id}"),
        "count": None if boxes is None else len(boxes),
    }


def _find_image(store: Store, asked: Json) -> Image:
    image = store.images_by_id([require_text(asked, "photo")])
    if not image:
        raise UploadRefused(404, "There is no such photo any more. Reload the page.")
    return next(iter(image.values()))


def _read(store: Store, dataset_id: str, asked: Json) -> Json:
    boxes = store.boxes_on(dataset_id, _find_image(store, asked).id)
    return {"boxes": None if boxes is None else [asdict(box) for box in boxes]}


def _save(store: Store, dataset_id: str, asked: Json) -> Json:
    drawn, before = read_drawn(asked.get("boxes")), read_drawn(asked.get("read"))
    store.set_boxes(dataset_id, _find_image(store, asked).id, drawn, before, by_hand=True)
    return {}


def _rename(store: Store, dataset_id: str, asked: Json) -> Json:
    store.dataset(dataset_id)
    return {"photos": store.rename_boxes(dataset_id, require_text(asked, "kind"), require_text(asked, "to"))}


def _suggest(store: Store, dataset_id: str, asked: Json) -> Json:
    (found,) = suggestions.suggest_boxes(store, dataset_id, [_find_image(store, asked)])
    ordered = sorted(found, key=lambda each: -each.confidence)
    return {"suggestions": [asdict(each.box) | {"confidence": each.confidence} for each in ordered]}


def _rank(store: Store, dataset_id: str, asked: Json) -> Json:
    """Tell how sure the surest suggestion for each of some photos is, 0 where there is none."""
    photos = asked.get("photos")
    if not isinstance(photos, list) or len(photos) > RANKED or not all(isinstance(each, str) for each in photos):
        raise UploadRefused(400, f"Expected at most {RANKED} photos. Received something else. Reload the page.")
    images = list(store.images_by_id(photos).values())
    found = suggestions.suggest_boxes(store, dataset_id, images)
    surest = [max((one.confidence for one in each), default=0.0) for each in found]
    return {"sure": {image.id: sure for image, sure in zip(images, surest, strict=True)}}


ACTIONS: dict[str, Callable[[Store, str, Json], Json]] = {
    "photos": _list_photos,
    "read": _read,
    "save": _save,
    "rename": _rename,
    "suggest": _suggest,
    "rank": _rank,
}

BOXES_ROUTE = Route(address("thaw/boxes/{dataset_id}"), do_action, methods=["POST"])
