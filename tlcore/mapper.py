"""The process that makes the map of a run's images, `python -m tlcore.mapper JOB`."""

import argparse
from pathlib import Path

from tlcore.projection import make_projection
from tlcore.reporter import Progress, reporting
from tlcore.store import Store
from tlcore.workspace import open_workspace


def run_map(store: Store, job_id: str, echo: Progress | None = None) -> None:
    """Make the map that a job asks for."""
    with reporting(store, job_id, echo) as reporter:
        make_projection(reporter, store.job(job_id).request["run"])


def main() -> None:
    """Read the job's id from the command line and do it."""
    parser = argparse.ArgumentParser(prog="tlcore.mapper", description="Make the map of a run's images.")
    parser.add_argument("job")
    parser.add_argument("--workspace", required=True, type=Path)
    arguments = parser.parse_args()
    run_map(Store(open_workspace(arguments.workspace)), arguments.job)


if __name__ == "__main__":
    main()
