"""The saving of a project as a job."""

from pathlib import Path

from thaw.jobs.lifecycle import launch
from thaw.jobs.reporter import Reporter
from thaw.projects.save import choose_contents, save_project
from thaw.storage.records import Job
from thaw.storage.store import Store


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
