"""The child process of one import: `python -m tlcore.importer JOB --workspace DIR`."""

import argparse
import shutil
from pathlib import Path
from typing import get_args

from tlcore.datasets import ingest
from tlcore.errors import DatasetError
from tlcore.names import storable
from tlcore.reporter import Progress, Reporter, reporting
from tlcore.samples import write_digits
from tlcore.sources import Source, SourceKind
from tlcore.store import Store
from tlcore.workspace import open_workspace

DIGITS = "digits"
DIGITS_NAME = "Handwritten digits"


def run_import(store: Store, job_id: str, echo: Progress | None = None) -> None:
    """Do the import that a job asks for, telling the store how it goes; its staging folder is gone afterwards."""
    with reporting(store, job_id, echo) as reporter:
        request = store.job(job_id).request
        kind, name = request["kind"], request.get("name", "")
        if kind == DIGITS:
            dataset_id = _import_digits(store, reporter, name or DIGITS_NAME)
        elif kind in get_args(SourceKind):
            dataset_id = _import_source(store, reporter, kind, _locate(request["path"]), name)
        else:
            raise DatasetError(f"Expected a folder, a zip, an upload or the digits. Received: kind={kind!r}.")
        store.update_job(job_id, dataset_id=dataset_id)


def _locate(path: str) -> Path:
    try:
        located = Path(path).expanduser()
        # Asked only for what the system says of a path that is too long, forbidden or not a path at all.
        located.exists()
    except (OSError, RuntimeError, ValueError) as problem:
        raise DatasetError(
            f"Expected a path on this machine that can be read. Received: {path[:200]!r} ({problem}). Check the path."
        ) from problem
    return located


def _import_digits(store: Store, reporter: Reporter, name: str) -> str:
    _sweep_digits(store)
    folder = store.workspace.staging(f"{DIGITS}-{reporter.job_id}")
    try:
        reporter.progress("writing the sample digits", 0, 0)
        source = Source("folder", write_digits(folder), "the digits that come with scikit-learn")
        return ingest(store, source, name, reporter.progress, reporter.check_stop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep_digits(store: Store) -> None:
    """Remove what killed imports of the sample left behind."""
    alive = {f"{DIGITS}-{job.id}" for job in store.unfinished_jobs()}
    for folder in (store.workspace.root / "staging").glob(f"{DIGITS}-*"):
        if folder.name not in alive:
            shutil.rmtree(folder, ignore_errors=True)


def _import_source(store: Store, reporter: Reporter, kind: SourceKind, path: Path, name: str) -> str:
    origin = "an upload in the browser" if kind == "staged" else storable(str(path))
    try:
        source = Source(kind, path, origin)
        return ingest(store, source, storable(name or path.stem), reporter.progress, reporter.check_stop)
    finally:
        # An upload is removed either way, but a path from outside the staging area is never touched.
        if kind == "staged" and path.resolve().parent == store.workspace.root / "staging":
            shutil.rmtree(path, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tlcore.importer", description="Run one import job.")
    parser.add_argument("job")
    parser.add_argument("--workspace", required=True)
    arguments = parser.parse_args()
    run_import(Store(open_workspace(arguments.workspace)), arguments.job)


if __name__ == "__main__":
    main()
