"""Where images come from: a folder, an archive, an upload, a table, turned into one list of what is found there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from thaw.archives.archives import archive_kind, explain_unread
from thaw.archives.entries import Entry, Found
from thaw.archives.zips import Progress
from thaw.sources.annotated import take_annotations
from thaw.sources.collector import Collector
from thaw.sources.contents import UNPACKERS, unpack_all, unpack_one
from thaw.sources.labels import apply_tables
from thaw.sources.tables import may_be_table
from thaw.storage.questions import Ask, take_default
from thaw.tables.file_index import common_folders
from tlcore.errors import DatasetError

SourceKind = Literal["folder", "zip", "tar", "staged", "csv"]


@dataclass(frozen=True)
class Source:
    """Where to import from; `origin` is how it is shown afterwards.

    `path` is a folder, a zip or tar, an upload's staging folder, or a CSV of path and label. The absolute paths of a
    CSV must lie under one of `roots`; None allows any.
    """

    kind: SourceKind
    path: Path
    origin: str
    roots: Sequence[Path] | None = None


def kind_of(path: Path) -> SourceKind:
    """Tell by its name how a path on this machine is to be read."""
    if may_be_table(path.name):
        return "csv"
    return archive_kind(path.name) or "folder"


def collect(
    source: Source,
    unpacked: Path,
    progress: Progress,
    check_stop: Callable[[], None],
    ask: Ask = take_default,
) -> Found:
    """List the files of a source; an archive, and each that lies in a folder or upload, is unpacked into `unpacked`.

    Annotation files make it one of photos with boxes; else tables of files and classes near the top decide the classes.
    Nothing of the source is changed. `ask` is called where
    names or classes can be understood in several ways. Raises DatasetError where the source as a whole cannot be read.
    """
    kind = source.kind
    if kind != "staged" and source.path.is_dir():
        kind = "folder"
    elif kind == "folder" and source.path.is_file():
        kind = kind_of(source.path)
    collector = Collector(progress, check_stop)
    if kind == "csv":
        collector.read_table(source.path, source.roots, ask)
        return collector.finish(ask)
    if kind in UNPACKERS:
        collector.take(unpack_one(kind, (source.path.name,), source.path, unpacked, progress, check_stop, ask))
    elif kind == "staged":
        collector.read_manifest(source.path)
    elif source.path.is_file():
        raise _no_source(source.path)
    else:
        collector.walk(source.path)
    found = collector.finish(ask)
    if kind not in UNPACKERS:
        _unpack_found(found, collector, unpacked, progress, check_stop, ask)
    if not take_annotations(found, ask, check_stop):
        apply_tables(found, ask)
    return found


def walk_folder(root: Path) -> Found:
    """List every file below a folder, whatever its folders mean; raise DatasetError where it cannot be read."""
    collector = Collector(lambda *_: None, lambda: None)
    collector.walk(root)
    return collector.finish(take_default)


def _unpack_found(
    found: Found, collector: Collector, unpacked: Path, progress: Progress, check_stop: Callable[[], None], ask: Ask
) -> None:
    """Take the files of the archives that were found in place of these."""
    archives: list[Entry] = [entry for entry in found.entries if archive_kind(entry.name[-1])]
    if not archives:
        return
    found.entries[:] = [entry for entry in found.entries if not archive_kind(entry.name[-1])]
    first, besides = archives[0], [entry.name for entry in found.entries]
    top = len(common_folders([first.name, *besides]))
    if len(archives) == 1 and not besides:
        kind = archive_kind(first.name[-1])
        collector.take(unpack_one(kind, first.name, first.path, unpacked, progress, check_stop, ask))
    elif len(archives) == 1 and not any(len(name) > top + 1 for name in besides):
        collector.take(unpack_all(archives, None, unpacked, progress, check_stop, ask))
    else:
        collector.take(unpack_all(archives, besides, unpacked, progress, check_stop, ask))
    collector.finish(ask)


def _no_source(path: Path) -> DatasetError:
    """Word the refusal of a file that is neither an archive nor a table."""
    why = explain_unread(path.name) or "it is a file of another kind: choose the folder that holds the photos"
    return DatasetError(
        "Expected a folder of class folders, a .zip or .tar of it, or a table of files and classes. "
        f"Received: {path.name!r}; {why}."
    )
