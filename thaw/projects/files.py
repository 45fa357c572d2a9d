"""The files of a project's zip: unpacked under numbers, and each one the file that the manifest says it is."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from thaw.archives.zips import Progress, unpack
from thaw.projects import checks
from thaw.projects.checks import refuse
from thaw.projects.save import FORMAT, MANIFEST_FILE, MARK_FILE, SCHEMA
from tlcore.errors import RunError
from tlcore.progress import Stage

LARGEST_FILE = 4_000_000_000
_CHUNK_BYTES = 1 << 20


def unpack_project(archive: Path, folder: Path, progress: Progress, check_stop: Callable[[], None]) -> dict[str, Path]:
    """Unpack a project under numbers; return its files by their names, once each has the hash that the manifest says.

    Raises RunError for what is no whole project or is newer than this Thaw, DatasetError for a zip that is not honest.
    """
    files: dict[str, Path] = {}
    if not archive.is_file():
        raise RunError(f"Expected a project, a .zip. Received: {str(archive)!r}, which is no file. Check the path.")
    for file in unpack(archive, folder, progress, check_stop, LARGEST_FILE):
        if file.path is None:
            raise refuse(f"a file that is not taken: {file.reason}")
        if file.name in files:
            raise refuse(f"two files of one name ({file.name[:80]!r})")
        files[file.name] = file.path
    _check_mark(files)
    manifest = checks.read_json(required(files, MANIFEST_FILE), MANIFEST_FILE)
    hashes = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(hashes, dict):
        raise refuse("no list of files")
    named, present = set(hashes), set(files) - {MANIFEST_FILE}
    if named != present:
        odd = sorted(named ^ present)[0]
        raise refuse(f"{'a missing' if odd in named else 'an unknown'} file ({odd[:80]!r})")
    for number, (name, expected) in enumerate(hashes.items(), 1):
        if _hash(files[name]) != expected:
            raise refuse(f"a file that was changed ({name[:80]!r} has another SHA-256)")
        progress(Stage.CHECKING_PROJECT, number, len(hashes))
        check_stop()
    return files


def _check_mark(files: Mapping[str, Path]) -> None:
    mark = checks.read_json(required(files, MARK_FILE), MARK_FILE)
    if not isinstance(mark, dict) or mark.get("format") != FORMAT or not isinstance(mark.get("schema"), int):
        raise refuse("no word that Thaw has saved it")
    if mark["schema"] > SCHEMA:
        raise RunError(
            f"Expected a project of format {SCHEMA} or earlier. Received: format {mark['schema']}, saved by Thaw "
            f"{str(mark.get('thaw'))[:20]!r}. Open it with that version or a newer one."
        )


def required(files: Mapping[str, Path], name: str) -> Path:
    """Return the file of that name; refuse a project without it."""
    if name not in files:
        raise refuse(f"no {name}")
    return files[name]


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
