"""Whether what a project's zip holds is what it should be: rows of the right types, arrays without code, whole images.

Nothing is believed: a project may come from anyone. What does not fit raises RunError and refuses the whole.
"""

import functools
import json
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from PIL import Image as Picture
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, create_model

from thaw.pictures.copies import THUMBNAIL_SIDE_PX
from thaw.storage.boxes import BOXES, REJECTED_BOXES, read_boxes, read_rejected
from thaw.storage.projects import TABLES
from thaw.storage.records import EditKind, Role
from thaw.tuning.probe_record import read_probe
from thaw.tuning.rate_curve import read_curve
from tlcore.errors import RunError, ThawError
from tlcore.images.pixels import GREY_RANGES, LONGER_SIDE_PX, content_of
from tlcore.models.backbones import find_backbone
from tlcore.photos import Part
from tlcore.settings import FineTuneSettings, HeadSettings

ID = re.compile(r"[a-z]{1,8}-[0-9a-f]{4,32}")
WEIGHT = re.compile(r"head/\d{1,4}|backbone/\d{1,5}/\d{1,3}")
MOST_ARRAYS = 20_000
MOST_TEXT = 20_000
LARGEST_NUMBER = 2**62
# What a database takes, of sizes that are no attack. Half characters pass through JSON; pydantic refuses them in texts.
Text = Annotated[str, Field(max_length=MOST_TEXT)]
# The boxes on a photo are one text.
LongText = Annotated[str, Field(max_length=50 * MOST_TEXT)]
Number = Annotated[float, Field(gt=-LARGEST_NUMBER, lt=LARGEST_NUMBER)]
Count = Annotated[int, Field(ge=0, lt=LARGEST_NUMBER)]
# Texts for the columns that are not named here; "table.column" goes before "column".
COLUMNS: Mapping[str, Any] = {
    "id": Annotated[str, Field(pattern=f"^{ID.pattern}$")],
    "content": Annotated[str, Field(pattern="^[0-9a-f]{64}$")],
    "suffix": Literal[".png", ".jpg"],
    "role": Role,
    "part": Part,
    "excluded": Literal[0, 1],
    "grey_range": Literal[*GREY_RANGES] | None,
    "edits.kind": EditKind,
    "notes": list[Text],
    "head": dict,
    "fine_tune": dict | None,
    "result_phase": Literal[1, 2],
    "phase": Literal[1, 2],
    "value": LongText,
    **dict.fromkeys(("before", "after"), LongText | None),
    **dict.fromkeys(("detail", "facts"), dict),
    **dict.fromkeys(("width", "height", "ignored", "known", "version", "number", "edit", "epoch"), Count),
    **dict.fromkeys(("taken_at", "brightness", "contrast", "sharpness", "undone_at"), Number | None),
    **dict.fromkeys(("created_at", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"), Number),
}


def refuse(received: str) -> RunError:
    """Word the refusal of a whole project."""
    return RunError(
        f"Expected a whole project that Thaw has saved. Received: one with {received}. Save it again, or copy it again."
    )


def read_json(path: Path, name: str) -> Any:
    """Read a JSON file of a project; `name` is how it is called there."""

    def no_number(word: str) -> None:
        raise ValueError(f"{word} is no number in JSON")

    try:
        return json.loads(path.read_bytes(), parse_constant=no_number)
    except (ValueError, RecursionError) as problem:
        raise refuse(f"a damaged {name} ({problem})") from problem


def check_rows(table: str, rows: Any) -> None:
    """Refuse rows unless each has just the columns of its table, of the right types; ids become parts of paths."""
    try:
        _rows_of(table).validate_python(rows)
    except ValidationError as problem:
        first = problem.errors()[0]
        if first["type"] in ("missing", "extra_forbidden", "model_type"):
            raise refuse(f"a row of {table} that lacks a column or has one too many") from problem
        if len(first["loc"]) < 2:
            raise refuse(f"no list of {table}") from problem
        raise refuse(f"{str(first['input'])[:60]!r} as {first['loc'][1]} in {table}") from problem
    # An undo would put it into the row of an image.
    roles = {value for row in rows if row.get("field") == "role" for value in (row.get("before"), row.get("after"))}
    if not roles <= {*get_args(Role)}:
        raise refuse("a change to a role that there is not")
    _check_boxes(rows)


def _check_boxes(rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse boxes that cannot be: of marks, and of changes, which an undo would put back."""
    for row in rows:
        if row.get("field") in (BOXES, REJECTED_BOXES):
            read = read_boxes if row["field"] == BOXES else read_rejected
            try:
                for text in (row.get(name) for name in ("value", "before", "after")):
                    if text is not None:
                        read(text)
            except (ValueError, RecursionError) as problem:
                raise refuse("boxes that no photo can have") from problem


@functools.cache
def _rows_of(table: str) -> TypeAdapter[Any]:
    columns: dict[str, Any] = {
        name: (COLUMNS.get(f"{table}.{name}", COLUMNS.get(name, Text)), ...) for name in TABLES[table]
    }
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    row: Any = create_model(table, __config__=config, **columns)
    return TypeAdapter(list[row])


def check_settings(run: Mapping[str, Any]) -> None:
    """Refuse a run whose settings or backbone this version of Thaw does not know."""
    try:
        find_backbone(run["backbone"])
        HeadSettings(**run["head"])
        if run["fine_tune"] is not None:
            FineTuneSettings(**run["fine_tune"])
    except (ThawError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        raise refuse(f"a run whose settings are not known here ({problem})") from problem


def check_image(path: Path, name: str, content: str | None) -> None:
    """Refuse what is no whole PNG or JPEG of the size that Thaw keeps; `content` is the hash of a PNG's pixels."""
    largest = LONGER_SIDE_PX if content is not None else THUMBNAIL_SIDE_PX
    encoding = "PNG" if name.endswith(".png") else "JPEG"
    try:
        with Picture.open(path, formats=(encoding,)) as picture:
            if max(picture.size) > largest or picture.mode != "RGB":
                raise refuse(f"a picture of another kind than Thaw keeps ({name})")
            picture.load()
            # A JPEG's hash was taken before it was encoded.
            if content is not None and encoding == "PNG" and content_of(picture) != content:
                raise refuse(f"a picture that is another than its row says ({name})")
    except (OSError, ValueError, SyntaxError, EOFError, Picture.DecompressionBombError) as problem:
        raise refuse(f"a damaged picture ({name})") from problem


def check_weights(path: Path, name: str) -> None:
    """Refuse what is anything but plain arrays of numbers under the names that Thaw gives weights."""
    for key, (_, dtype) in read_shapes(path, name).items():
        if WEIGHT.fullmatch(key) is None or dtype.kind != "f":
            raise refuse(f"something else than weights in {name}")


def check_predictions(path: Path, name: str, labels: Sequence[str], judged: Sequence[str]) -> None:
    """Refuse predictions that are not of the images `judged` over the classes `labels`."""
    shapes = read_shapes(path, name)
    if set(shapes) != {"image_ids", "probabilities"}:
        raise refuse(f"something else than predictions in {name}")
    ids, probabilities = shapes["image_ids"], shapes["probabilities"]
    fits = ids[1].kind == "U" and len(ids[0]) == 1 and probabilities[1] == np.float32
    if not fits or probabilities[0] != (*ids[0], len(labels)):
        raise refuse(f"predictions of another shape in {name}")
    with np.load(path, allow_pickle=False) as archive:
        if sorted(archive["image_ids"].tolist()) != sorted(judged):
            raise refuse(f"predictions for other images in {name}")
        if not np.isfinite(archive["probabilities"]).all():
            raise refuse(f"predictions that are no numbers in {name}")


def check_found(path: Path, name: str, labels: Sequence[str], judged: Sequence[str]) -> None:
    """Refuse what is not the boxes that a detector of the kinds `labels` found on the images `judged`."""
    shapes = read_shapes(path, name)
    if set(shapes) != {"image_ids", "counts", "edges", "scores", "kinds"}:
        raise refuse(f"something else than found boxes in {name}")
    (ids, of_ids), (counts, of_counts) = shapes["image_ids"], shapes["counts"]
    (scores, of_scores), (kinds, of_kinds) = shapes["scores"], shapes["kinds"]
    types = (of_ids.kind, of_counts, shapes["edges"][1], of_scores, of_kinds)
    fits = types == ("U", np.int64, np.float32, np.float32, np.int64) and len(ids) == len(scores) == 1
    if not fits or counts != ids or kinds != scores or shapes["edges"][0] != (*scores, 4):
        raise refuse(f"found boxes of another shape in {name}")
    with np.load(path, allow_pickle=False) as archive:
        if sorted(archive["image_ids"].tolist()) != sorted(judged):
            raise refuse(f"found boxes on other images in {name}")
        if (archive["counts"] < 0).any() or archive["counts"].sum() != scores[0]:
            raise refuse(f"found boxes of no image in {name}")
        in_range = all(((archive[each] >= 0) & (archive[each] <= 1)).all() for each in ("edges", "scores"))
        if not in_range or ((archive["kinds"] < 0) | (archive["kinds"] >= len(labels))).any():
            raise refuse(f"found boxes outside of their photo, or of no kind, in {name}")


def check_trials(folder: Path, names: Sequence[str]) -> None:
    """Refuse trials of a run that cannot be read."""
    try:
        read_probe(folder)
        for phase in (1, 2):
            read_curve(folder, phase)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ArithmeticError) as problem:
        raise refuse(f"a damaged file among {', '.join(names)}") from problem


def read_shapes(path: Path, name: str) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Return the shape and type of each array of an .npz, before any of it is in memory.

    Arrays of objects would be pickles, which run code when they are read; packed ones, or such as claim to be larger
    than their file, may be bombs. Either is refused.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MOST_ARRAYS or len({each.filename for each in members}) < len(members):
                raise refuse(f"too many arrays in {name}")
            stored = all(each.compress_type == zipfile.ZIP_STORED for each in members)
            if not stored or sum(each.file_size for each in members) > path.stat().st_size:
                raise refuse(f"packed arrays in {name}")
            return {each.filename.removesuffix(".npy"): _read_shape(archive, each, name) for each in members}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, RuntimeError) as problem:
        raise refuse(f"damaged arrays in {name}") from problem


def _read_shape(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise refuse(f"arrays of another format in {name}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.hasobject or any(length < 0 for length in shape):
            raise refuse(f"arrays that hold objects in {name}")
        if math.prod(shape) * dtype.itemsize + file.tell() != member.file_size:
            raise refuse(f"an array that is not as large as it says in {name}")
        return shape, dtype
