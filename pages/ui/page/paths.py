"""Reads a path that a person typed or pasted, as the file manager of any system hands it out."""

from pathlib import Path

from thaw.sources.allowed_folders import allowed_roots, require_allowed
from tlcore.errors import DatasetError

QUOTES = "\"'"


def read_path(text: str) -> Path:
    """Return the absolute path that `text` names; raise DatasetError for none, or for one that may not be read here.

    Spaces around it and the quotes of Windows' "Copy as path" are left out, and `~` is the home folder.
    It must lie, its links followed, under a folder that `thaw.sources.allowed_folders` allows.
    """
    bare = text.strip().strip(QUOTES).strip()
    if not bare:
        raise DatasetError(
            "Expected the path of a folder, a .zip, a .tar or a .csv. Received: nothing. Type or paste it above."
        )
    try:
        path = Path(bare).expanduser()
    except RuntimeError:
        raise DatasetError(f"Expected a path. Received: {bare!r}, but there is no such home folder.") from None
    if not path.is_absolute():
        raise DatasetError(
            f"Expected a whole path, from the root of the disk on. Received: {bare!r}. Write it out, such as "
            f"{str(Path.home() / 'photos')!r}."
        )
    require_allowed(path, allowed_roots())
    return path
