"""The jobs about projects: what they ask for, how they start, and what does them."""

from pathlib import Path
from typing import Any

from thaw.datasets.importer import discard_upload, locate
from thaw.jobs.lifecycle import launch
from thaw.jobs.reporter import Reporter
from thaw.projects.save import choose_contents, is_project, save_project
from thaw.storage.records import Job
from thaw.storage.store import Store
from tlcore.errors import DatasetError, RunError


def start_save(store: Store, subject: str) -> str:
    """Start saving the project of a run or data set into the workspace, in a process of its own; return the job's id.

    Raises RunError or DatasetError where there is nothing to save (`thaw.projects.save.choose_contents`).
    """
    choose_contents(store, subject)
    job_id = store.add_job("save", {"subject": subject, "path": str(store.workspace.project(subject))})
    launch(store, job_id)
    return job_id


def save(reporter: Reporter, job: Job) -> None:
    """Save the project that a job asks for, {"subject": a run's or data set's id, "path": a .zip}; where it did not
    finish, nothing is left."""
    path = Path(job.request["path"])
    save_project(reporter.store, job.request["subject"], path, reporter.progress, reporter.check_stop)


def add_import_job(store: Store, request: dict[str, Any]) -> str:
    """Record an import, whose request is that of `thaw.datasets.importer`, or the opening of the saved project that it
    would read; return the job's id."""
    return store.add_job("import" if find_project(request) is None else "open", dict(request))


def start_import(store: Store, request: dict[str, Any]) -> str:
    """Start an import or the opening of a project in a process of its own; return the job's id (`add_import_job`)."""
    job_id = add_import_job(store, request)
    launch(store, job_id)
    return job_id


def find_project(request: dict[str, Any]) -> Path | None:
    """Return the saved project that a request names: a zip, or all that was uploaded; None where it names none."""
    try:
        if request["kind"] == "zip":
            found = [locate(request)]
        elif request["kind"] == "staged":
            found = list((locate(request) / "files").glob("*"))
        else:
            return None
    except DatasetError:
        # The import says what is wrong with the path.
        return None
    return found[0] if len(found) == 1 and is_project(found[0]) else None


def open_saved(reporter: Reporter, job: Job) -> None:
    """Open the saved project that a job names as a data set of its own; an upload is gone afterwards."""
    # Not above: who saves a project or imports photos is not to wait for what checks one.
    from thaw.projects.reader import open_project

    archive = find_project(job.request)
    try:
        if archive is None:
            raise RunError(
                f"Expected a saved project. Received: {job.request['path']!r}, which is none any more. Save it again."
            )
        opened = open_project(reporter.store, archive, reporter.progress, reporter.check_stop, job.id)
        reporter.store.update_job(job.id, dataset_id=opened.dataset_id)
    finally:
        discard_upload(reporter.store, job.request)
