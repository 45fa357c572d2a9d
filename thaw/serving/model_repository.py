"""The folder that TensorFlow Serving reads: a numbered version of each model, and the list of models."""

import shutil
from pathlib import Path
from typing import Any

from thaw.serving.exported import OpenedExport
from tlcore.errors import RunError
from tlcore.files import remove_abandoned, temporary_beside, write_atomically

CONFIG_FILE = "models.config"
VERSION = "1"
# Where TensorFlow Serving's own container looks for models.
MOUNTED_AT = "/models"


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
    listed = "".join(_describe(each) for each in names)
    write_atomically(folder / CONFIG_FILE, f"model_config_list {{\n{listed}}}\n".encode())
    return {"model": name, "folder": str(target), "config": str(folder / CONFIG_FILE), "models": names}


def _describe(name: str) -> str:
    return (
        "  config {\n"
        f'    name: "{name}"\n'
        f'    base_path: "{MOUNTED_AT}/{name}"\n'
        '    model_platform: "tensorflow"\n'
        "  }\n"
    )
