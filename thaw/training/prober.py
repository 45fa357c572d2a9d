"""The process that tries something on a run without changing it, `python -m thaw.training.prober JOB`: its depths, or
its learning rates."""

import argparse
import os
from pathlib import Path

from thaw.jobs.queue import hold_device
from thaw.jobs.reporter import Reporter, reporting
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.arrays import load_arrays
from tlcore.progress import Progress
from tlcore.tuning.probe_record import ProbeSettings
from tlcore.tuning.rate_curve import write_curve


def run_probe(store: Store, job_id: str, echo: Progress | None = None) -> None:
    """Do the depth probe or the search of a learning rate that a job asks for, alone on the device."""
    with reporting(store, job_id, echo) as reporter:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        from tlcore.models.devices import configure_device

        with hold_device(reporter):
            reporter.progress("starting TensorFlow", 0, 0)
            configure_device()
            job = store.job(job_id)
            run_id, asked = job.request["run"], job.request["settings"]
            if job.kind == "probe":
                try_depths(reporter, run_id, ProbeSettings(**asked))
            else:
                try_rates(reporter, run_id, **asked)


def try_depths(reporter: Reporter, run_id: str, settings: ProbeSettings) -> None:
    """Probe the depths of a run and keep what is found in its folder; nothing else of the run changes."""
    from thaw.training.materials import gather
    from tlcore.tuning.depth_probe import probe_depths

    materials = gather(reporter, run_id)
    facts, folder = materials.run.facts, reporter.store.workspace.run(run_id)
    head_epochs, forward_s = facts.head.best_epoch, facts.seconds_per_image
    probe_depths(materials, settings, folder, head_epochs, forward_s, reporter.progress, reporter.check_stop)


def try_rates(reporter: Reporter, run_id: str, phase: int, layers: int, batch_size: int) -> None:
    """Search the learning rate of a phase of a run and keep its curve in the run's folder; nothing else changes."""
    from thaw.training.materials import gather
    from tlcore.tuning.rate_finder import search_rate

    materials, folder = gather(reporter, run_id), reporter.store.workspace.run(run_id)
    top, head = (layers, load_arrays(folder / "head.npz")) if phase == 2 else (None, None)
    write_curve(folder, search_rate(materials, top, batch_size, head, reporter.progress, reporter.check_stop))


def main() -> None:
    """Read the job's id from the command line and do it."""
    parser = argparse.ArgumentParser(prog="thaw.training.prober", description="Try depths or learning rates on a run.")
    parser.add_argument("job")
    parser.add_argument("--workspace", required=True, type=Path)
    arguments = parser.parse_args()
    run_probe(Store(open_workspace(arguments.workspace)), arguments.job)


if __name__ == "__main__":
    main()
