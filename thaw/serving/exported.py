"""An export to be served: a folder or the zip of one, whose SavedModel is still what was proven; also for TensorFlow
Serving, which reads a folder of its own shape."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from thaw.archives.zips import unpack
from thaw.storage.export_record import RECORD_FILE, Export, read_export
from tlcore.errors import DatasetError, RunError
from tlcore.exporting.formats import FORMATS
from tlcore.exporting.model_files import measure_entry
from tlcore.files import remove_abandoned, scratch_folder, temporary_beside, write_atomically

SAVED_MODEL = FORMATS["saved-model"].file
LARGEST_FILE_BYTES = 2_000_000_000
CONFIG_FILE = "models.config"
VERSION = "1"
# Where TensorFlow Serving's own container looks for models.
MOUNTED_AT = "/models"
_MODEL_CONFIG = f"""  config {{{{
    name: "{{name}}"
    base_path: "{MOUNTED_AT}/{{name}}"
    model_platform: "tensorflow"
  }}}}
"""
_SAFE_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class OpenedExport:
    """The record of an export, and the folder of its SavedModel, which matches the record's SHA-256."""

    record: Export
    saved_model: Path


@contextmanager
def open_export(path: Path) -> Iterator[OpenedExport]:
    """Open an export folder or its zip, which is unpacked into a folder that lasts as long as the context.

    Raises RunError for what is no export, is damaged, or was exported without a SavedModel. The SHA-256 tells damage,
    not ill will: a SavedModel is a program, so serve only what you or people you trust exported.
    """
    if path.is_dir():
        yield _check(path, path)
        return
    with scratch_folder("opened") as scratch:
        folder = scratch / "export"
        _unpack(path, scratch, folder)
        yield _check(folder, path)


def write_repository(export: OpenedExport, name: str, folder: Path) -> dict[str, Any]:
    """Copy the SavedModel of a checked export to `folder`/`name`/1 and write `folder`/models.config; tell of both.

    Raises RunError where that model is there already: a server may be reading it.
    """
    target = folder / name / VERSION
    if target.exists():
        raise RunError(
            f"Expected a folder without this model. Received: {str(target)!r}, which is there already. "
            "Remove it, or choose another --name."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Under another name until it is whole, since TensorFlow Serving loads every numbered folder as soon as it sees it.
    remove_abandoned(target.parent)
    coming = temporary_beside(target)
    shutil.copytree(export.saved_model, coming)
    coming.rename(target)
    names = sorted(found.parent.name for found in folder.glob(f"*/{VERSION}") if found.is_dir())
    listed = "".join(_MODEL_CONFIG.format(name=each) for each in names)
    write_atomically(folder / CONFIG_FILE, f"model_config_list {{\n{listed}}}\n".encode())
    return {"model": name, "folder": str(target), "config": str(folder / CONFIG_FILE), "models": names}


def _check(folder: Path, shown: Path) -> OpenedExport:
    try:
        record = read_export(folder)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as problem:
        raise RunError(
            f"Expected an export whose {RECORD_FILE} can be read. Received: {str(shown)!r}, where it cannot "
            f"({type(problem).__name__}). Copy the export again, or export the run again."
        ) from problem
    if record is None:
        raise RunError(
            f"Expected an export, a folder or zip with {RECORD_FILE}. Received: {str(shown)!r}, which has none. "
            "Name a run, or the folder `export` of one."
        )
    offered = {each.name: each for each in record.offered}
    if "saved-model" not in offered:
        raise RunError(
            f"Expected an export with a SavedModel. Received: {str(shown)!r}, which has none that passed its proof. "
            "Export the run again with the format saved-model, or serve the run itself."
        )
    sums, _ = measure_entry(folder, SAVED_MODEL)
    if sums != offered["saved-model"].sha256:
        raise RunError(
            f"Expected the SavedModel that was proven. Received: {str(shown)!r}, where it has changed or is not whole. "
            "Copy the export again, or export the run again."
        )
    return OpenedExport(record, folder / SAVED_MODEL)


def _unpack(archive: Path, scratch: Path, folder: Path) -> None:
    """Unpack the record and the SavedModel, and nothing else, by the rules of `thaw.archives.zips`."""
    try:
        files = unpack(archive, scratch / "files", lambda *_: None, lambda: None, LARGEST_FILE_BYTES)
        found = {PurePosixPath(file.name): file.path for file in files if file.path}
    except (DatasetError, OSError) as problem:
        raise RunError(f"Expected the zip of an export. Received: {str(archive)!r}. {problem}") from problem
    records = sorted((name for name in found if name.name == RECORD_FILE), key=lambda name: len(name.parts))
    top = records[0].parent if records else PurePosixPath()
    for name, path in found.items():
        parts = name.relative_to(top).parts if name.is_relative_to(top) else ()
        if parts == (RECORD_FILE,) or (parts[:1] == (SAVED_MODEL,) and all(map(_SAFE_PART.fullmatch, parts))):
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
