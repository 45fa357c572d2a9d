"""Trials on a run that leave it as it is: of its depths, or of its learning rates."""

from thaw.jobs.queue import start_tensorflow
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Job
from thaw.tuning.probe_record import ProbeSettings
from thaw.tuning.rate_curve import write_curve
from tlcore.files import load_arrays


def probe(reporter: Reporter, job: Job) -> None:
    """Do the depth probe or the search of a learning rate that a job asks for."""
    start_tensorflow(reporter)
    run_id, asked = job.request["run"], job.request["settings"]
    if job.kind == "probe":
        try_depths(reporter, run_id, ProbeSettings(**asked))
    else:
        try_rates(reporter, run_id, **asked)


def try_depths(reporter: Reporter, run_id: str, settings: ProbeSettings) -> None:
    """Probe the depths of a run and keep what is found in its folder; nothing else of the run changes."""
    from thaw.training.materials import gather
    from thaw.tuning.depth_probe import probe_depths

    materials = gather(reporter, run_id)
    facts, folder = materials.run.facts, reporter.store.workspace.run(run_id)
    head_epochs, forward_s = facts.head.best_epoch, facts.seconds_per_image
    probe_depths(materials, settings, folder, head_epochs, forward_s, reporter.progress, reporter.check_stop)


def try_rates(reporter: Reporter, run_id: str, phase: int, layers: int, batch_size: int) -> None:
    """Search the learning rate of a phase of a run and keep its curve in the run's folder; nothing else changes."""
    from thaw.training.materials import gather
    from thaw.tuning.rate_finder import search_rate

    materials, folder = gather(reporter, run_id), reporter.store.workspace.run(run_id)
    top, head = (layers, load_arrays(folder / "head.npz")) if phase == 2 else (None, None)
    write_curve(folder, search_rate(materials, top, batch_size, head, reporter.progress, reporter.check_stop))
