"""The import of photos as a job: from a path, an upload or a sample."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from thaw.cluster.spreading import find_spread
from thaw.datasets.ingest import ingest
from thaw.jobs.reporter import Reporter
from thaw.jobs.sweeper import SAMPLE_PREFIX
from thaw.names import storable
from thaw.sources import object_sample, tree_sample
from thaw.sources.allowed_folders import require_allowed
from thaw.sources.samples import FLOWERS, write_digits
from thaw.sources.sources import Source, SourceKind
from thaw.storage.downloads import download
from thaw.storage.records import Job, Role
from thaw.storage.store import Store
from tlcore.errors import DatasetError
from tlcore.progress import Stage

DIGITS, FLOWER_PHOTOS, OBJECTS, TREES = "digits", "flowers", "objects", "trees"
# The samples that are written here: what writes each into a folder, where it comes from, and what it is called.
WRITTEN: Mapping[str, tuple[Callable[..., Path], str, str]] = {
    DIGITS: (write_digits, "the digits that come with scikit-learn", "Handwritten digits"),
    OBJECTS: (object_sample.write_objects, object_sample.CREDIT, object_sample.TITLE),
    TREES: (tree_sample.write_trees, tree_sample.CREDIT, tree_sample.TITLE),
}


def import_photos(reporter: Reporter, job: Job) -> None:
    """Do the import that a job asks for; its staging folder is gone afterwards.

    The request is {"kind": "folder" | "zip" | "tar" | "csv" | "staged" | "digits" | "objects" | "trees" | "flowers",
    "path", "name"}, with "dataset" the id of a data set to add to, "role" one of `Role`, and "roots" the folders under
    which every path must lie; without "roots" any path may be read. "answers" are given beforehand to what may be
    asked, by key; "ask" is true where a person can be asked for others. The path of "trees" is that of the package's
    file, "" where it is installed. A saved project is opened by a job of another kind (`thaw.projects.jobs`).
    """
    store, request = reporter.store, job.request
    kind = request["kind"]
    if kind in WRITTEN:
        dataset_id = _import_written(store, reporter, request)
    elif kind == FLOWER_PHOTOS:
        dataset_id = _import_flowers(store, reporter, request)
    elif kind in get_args(SourceKind):
        dataset_id = _import_path(store, reporter, request)
    else:
        raise DatasetError(f"Expected a folder, a zip, a tar, a CSV, an upload or a sample. Received: kind={kind!r}.")
    store.update_job(job.id, dataset_id=dataset_id)


def _ingest(store: Store, reporter: Reporter, source: Source, request: dict[str, Any], name: str) -> str:
    role = request.get("role", "main")
    if role not in get_args(Role):
        raise DatasetError(f"Expected the role 'main', 'holdout' or 'pile'. Received: role={role!r}.")
    return ingest(
        store,
        source,
        storable(request.get("name") or name),
        reporter.progress,
        reporter.check_stop,
        into=request.get("dataset"),
        role=role,
        job_id=reporter.job_id,
        ask=reporter.ask,
        spread=find_spread(reporter),
    )


def locate(request: dict[str, Any]) -> Path:
    """Return the file or folder to read, with every link followed where it must lie under "roots".

    Raises DatasetError for what cannot be read or lies elsewhere.
    """
    path = request["path"]
    try:
        located = Path(path).expanduser()
        # Asked only for what the system says of a path that is too long, forbidden or not a path at all.
        located.exists()
    except (OSError, RuntimeError, ValueError) as problem:
        raise DatasetError(
            f"Expected a path on this machine that can be read. Received: {path[:200]!r} ({problem}). Check the path."
        ) from problem
    # Asked again although the page did: since then a link may have been put there.
    return require_allowed(located, list(map(Path, request["roots"]))) if "roots" in request else located


def _import_written(store: Store, reporter: Reporter, request: dict[str, Any]) -> str:
    """Write a sample into the staging area and import it from there."""
    write, origin, name = WRITTEN[request["kind"]]
    folder = store.workspace.staging(f"{SAMPLE_PREFIX}{reporter.job_id}")
    try:
        reporter.progress(Stage.WRITING_SAMPLE, 0, 0)
        given = [locate(request)] if request["kind"] == TREES and request["path"] else []
        return _ingest(store, reporter, Source("folder", write(folder, *given), origin), request, name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _import_flowers(store: Store, reporter: Reporter, request: dict[str, Any]) -> str:
    """Import the flower photos; the download stays in the workspace, so that it is made once."""

    def tell(done: int, total: int) -> None:
        reporter.check_stop()
        reporter.progress(Stage.DOWNLOADING_FLOWERS, done, total)

    path = store.workspace.root / "downloads" / "flower_photos.tgz"
    download(FLOWERS.download, path, tell, DatasetError)
    source = Source("tar", path, f"{FLOWERS.download.url} ({FLOWERS.licence})")
    return _ingest(store, reporter, source, request, FLOWERS.title)


def _import_path(store: Store, reporter: Reporter, request: dict[str, Any]) -> str:
    kind, path, opened = request["kind"], request["path"], locate(request)
    name = Path(Path(path).name.removesuffix(".gz")).stem
    try:
        if kind == "staged":
            return _ingest(store, reporter, Source(kind, opened, "an upload in the browser"), request, name)
        roots = [Path(root) for root in request["roots"]] if "roots" in request else None
        shown = storable(str(Path(path).expanduser()))
        return _ingest(store, reporter, Source(kind, opened, shown, roots), request, name)
    finally:
        discard_upload(store, request)


def discard_upload(store: Store, request: dict[str, Any]) -> None:
    """Remove an upload that a job has read; a path from outside the staging area is never touched."""
    path = Path(request["path"])
    if request["kind"] == "staged" and path.resolve().parent == store.workspace.root / "staging":
        shutil.rmtree(path, ignore_errors=True)
