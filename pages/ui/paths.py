"""Reads a path that a person typed or pasted, as the file manager of any system hands it out."""

from pathlib import Path

from tlcore.errors import DatasetError

QUOTES = "\"'"


def read_path(text: str) -> Path:
    """Return the absolute path that `text` names; raise DatasetError for none or for one that is not absolute.

    Spaces around it and the quotes of Windows' "Copy as path" are left out, and `~` is the home folder.
    """
    bare = text.strip().strip(QUOTES).strip()
    if not bare:
        raise DatasetError("Expected the path of a folder or a .zip. Received: nothing. Type or paste it above.")
    try:
        path = Path(bare).expanduser()
    except RuntimeError:
        raise DatasetError(f"Expected a path. Received: {bare!r}, but there is no such home folder.") from None
    if not path.is_absolute():
        raise DatasetError(
            f"Expected a whole path, from the root of the disk on. Received: {bare!r}. Write it out, such as "
            f"{str(Path.home() / 'photos')!r}."
        )
    return path
