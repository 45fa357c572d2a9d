"""Whether what a project's zip holds is what it should be: rows of the right types, arrays without code, whole images.

Nothing is believed: a project may come from anyone. What does not fit raises RunError and refuses the whole.
"""

import json
import math
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image as Picture

from thaw.storage.projects import TABLES
from thaw.storage.records import EditKind, Role
from tlcore.errors import RunError, ThawError
from tlcore.images.copies import THUMBNAIL_SIDE_PX, content_of
from tlcore.images.decode import LONGER_SIDE_PX
from tlcore.images.deep_pictures import GREY_RANGES
from tlcore.models.backbones import find_backbone
from tlcore.photos import Part
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.tuning.probe_record import read_probe
from tlcore.tuning.rate_curve import read_curve

ID = re.compile(r"[a-z]{1,8}-[0-9a-f]{4,32}")
HASH = re.compile(r"[0-9a-f]{64}")
WEIGHT = re.compile(r"head/\d{1,4}|backbone/\d{1,5}/\d{1,3}")
MOST_ARRAYS = 20_000
MOST_TEXT = 20_000
LARGEST_NUMBER = 2**62

Check = Callable[[Any], bool]


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


def is_text(value: Any) -> bool:
    """Say whether a value is text that a database takes, of a length that is no attack."""
    # Half characters pass through JSON and stop at a database.
    return isinstance(value, str) and len(value) <= MOST_TEXT and not re.search("[\ud800-\udfff]", value)


def is_number(value: Any) -> bool:
    """Say whether a value is a number that a database takes."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_NUMBER


def _flag(value: Any) -> bool:
    return isinstance(value, int) and value in (0, 1)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_text, value))


def _matches(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _one_of(*allowed: Any) -> Check:
    return lambda value: isinstance(value, str | int) and value in allowed


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


_MAYBE_NUMBER, _MAYBE_TEXT = _or_none(is_number), _or_none(is_text)
# By column name where it means the same in every table, else by table.
CHECKS: Mapping[str, Check] = {
    "created_at": is_number,
    "undone_at": _MAYBE_NUMBER,
    "notes": _texts,
    "detail": _object,
    "facts": _object,
    "head": _object,
    "fine_tune": _or_none(_object),
    "id": _matches(ID),
    "content": _matches(HASH),
    "suffix": _one_of(".png", ".jpg"),
    "grey_range": _or_none(_one_of(*GREY_RANGES)),
    "role": _one_of(*get_args(Role)),
    "part": _one_of(*get_args(Part)),
    "excluded": _flag,
    "before": _MAYBE_TEXT,
    "after": _MAYBE_TEXT,
    "result_phase": _one_of(1, 2),
    "phase": _one_of(1, 2),
    **dict.fromkeys(("width", "height", "ignored", "known", "version", "number", "edit", "epoch"), _count),
    **dict.fromkeys(("taken_at", "brightness", "contrast", "sharpness"), _MAYBE_NUMBER),
    **dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "seconds"), is_number),
}
EDIT_KINDS = _one_of(*get_args(EditKind))


def check_rows(table: str, rows: Any) -> None:
    """Refuse rows unless each has just the columns of its table, of the right types; ids become parts of paths."""
    if not isinstance(rows, list):
        raise refuse(f"no list of {table}")
    columns = set(TABLES[table])
    for row in rows:
        if not isinstance(row, dict) or set(row) != columns:
            raise refuse(f"a row of {table} that lacks a column or has one too many")
        for name, value in row.items():
            check = EDIT_KINDS if (table, name) == ("edits", "kind") else CHECKS.get(name, is_text)
            if not check(value):
                raise refuse(f"{str(value)[:60]!r} as {name} in {table}")
        # An undo would put it into the row of an image.
        if row.get("field") == "role" and not all(map(CHECKS["role"], (row.get("before"), row.get("after")))):
            raise refuse("a change to a role that there is not")


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
