"""Trials on a run that leave it as it is: of its depths, or of its learning rates."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from thaw.cluster.node import SAME
from thaw.cluster.spreading import find_spread
from thaw.jobs.queue import start_tensorflow
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Job
from thaw.tuning.probe_record import Depth, ProbeSettings
from thaw.tuning.rate_curve import write_curve
from tlcore.files import load_arrays

if TYPE_CHECKING:
    from thaw.training.materials import RunMaterials
    from thaw.tuning.depth_probe import Elsewhere

TRIAL_PACKAGES = (*SAME, "tensorflow", "keras")


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
    elsewhere = _find_machines(reporter, materials, settings, head_epochs)
    probe_depths(materials, settings, folder, head_epochs, forward_s, reporter.progress, reporter.check_stop, elsewhere)


def _find_machines(
    reporter: Reporter, materials: "RunMaterials", settings: ProbeSettings, head_epochs: int | None
) -> "Elsewhere | None":
    """Return what tries depths on the cluster that the person has chosen, one on each machine at a time, if any."""
    from thaw.tuning.depth_task import Depths, try_one

    spread = find_spread(reporter)
    if spread is None:
        return None

    def try_there(tops: list[int]) -> Iterator[Depth]:
        depths = Depths.of(materials, settings, head_epochs)
        witness = Path(materials.split.training[0].file)
        return spread.try_each(try_one, depths, tops, witness, TRIAL_PACKAGES, reporter.check_stop)

    return try_there


def try_rates(reporter: Reporter, run_id: str, phase: int, layers: int, batch_size: int) -> None:
    """Search the learning rate of a phase of a run and keep its curve in the run's folder; nothing else changes."""
    from thaw.training.materials import gather
    from thaw.tuning.rate_finder import search_rate

    materials, folder = gather(reporter, run_id), reporter.store.workspace.run(run_id)
    top, head = (layers, load_arrays(folder / "head.npz")) if phase == 2 else (None, None)
    write_curve(folder, search_rate(materials, top, batch_size, head, reporter.progress, reporter.check_stop))
