"""The process that makes the map of a run's images, `python -m thaw.training.mapper JOB`."""

import argparse
from pathlib import Path

from thaw.jobs.reporter import reporting
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.training.feature_map import make_projection
from tlcore.progress import Progress


def run_map(store: Store, job_id: str, echo: Progress | None = None) -> None:
    """Make the map that a job asks for."""
    with reporting(store, job_id, echo) as reporter:
        make_projection(reporter, store.job(job_id).request["run"])


def main() -> None:
    """Read the job's id from the command line and do it."""
    parser = argparse.ArgumentParser(prog="thaw.training.mapper", description="Make the map of a run's images.")
    parser.add_argument("job")
    parser.add_argument("--workspace", required=True, type=Path)
    arguments = parser.parse_args()
    run_map(Store(open_workspace(arguments.workspace)), arguments.job)


if __name__ == "__main__":
    main()
