"""Saves one project in a process of its own: `python -m thaw.projects.saver JOB --workspace DIR`."""

import argparse
from pathlib import Path

from thaw.jobs.lifecycle import launch
from thaw.jobs.reporter import reporting
from thaw.projects.save import choose_contents, save_project
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.progress import Progress

SAVER = "thaw.projects.saver"


def start_save(store: Store, subject: str) -> str:
    """Start saving the project of a run or data set into the workspace, in a process of its own; return the job's id.

    Raises RunError or DatasetError where there is nothing to save (`thaw.projects.save.choose_contents`).
    """
    choose_contents(store, subject)
    job_id = store.add_job("save", {"subject": subject, "path": str(store.workspace.project(subject))})
    launch(store, job_id, SAVER, job_id)
    return job_id


def run_save(store: Store, job_id: str, echo: Progress | None = None) -> None:
    """Save the project that a job asks for, {"subject": a run's or data set's id, "path": a .zip}, telling the store
    how it goes; where it did not finish, nothing is left."""
    with reporting(store, job_id, echo) as reporter:
        request = store.job(job_id).request
        save_project(store, request["subject"], Path(request["path"]), reporter.progress, reporter.check_stop)


def main() -> None:
    parser = argparse.ArgumentParser(prog="thaw.projects.saver", description="Save one project.")
    parser.add_argument("job")
    parser.add_argument("--workspace", required=True)
    arguments = parser.parse_args()
    run_save(Store(open_workspace(arguments.workspace)), arguments.job)


if __name__ == "__main__":
    main()
