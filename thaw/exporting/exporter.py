"""The export of a run: it writes the files, has each proven by a process of its own, and keeps those that answer as the
run does."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from thaw.cluster.node import SAME
from thaw.cluster.spreading import find_spread
from thaw.datasets.run_split import read_labels
from thaw.exporting.exports import decision_of, mark_result
from thaw.exporting.guide import write_guide
from thaw.exporting.proven import Made, make_files
from thaw.exporting.web_runtime import kept_runtime
from thaw.jobs.queue import start_tensorflow
from thaw.jobs.reporter import Reporter
from thaw.model_card.model_card import write_model_card
from thaw.storage.export_record import (
    CARD_FILES,
    SUMS_FILE,
    Export,
    export_folder,
    place_export,
    work_folder,
    write_export,
)
from thaw.storage.records import Job, Run
from thaw.storage.store import Store
from thaw.storage.workspace import LABELS_FILE
from tlcore.exporting.bench import Bench, Elsewhere, Scoring, score
from tlcore.exporting.formats import Format, choose_formats
from tlcore.exporting.model_files import list_files, sum_lines
from tlcore.files import temporary_beside, write_atomically
from tlcore.images.pixels import WIDEST
from tlcore.settings import Decision

# What a machine needs for its answers to be those of this one.
PROOF_PACKAGES = (*SAME, "tensorflow", "keras", "ai-edge-litert")
VERSIONED = ("tensorflow", "keras", "ai-edge-litert", "onnxruntime", "onnx", "tf2onnx", "numpy", "pillow")


def make_export(reporter: Reporter, job: Job) -> None:
    """Do the export that a job asks for, in its turn on the device.

    It is made and measured on the CPU, where most of its files will be used, but waits its turn all the same: beside
    a training run every latency would be wrong.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    device = start_tensorflow(reporter)
    export(reporter, job.request["run"], choose_formats(job.request["settings"]["formats"]), device)


def export(reporter: Reporter, run_id: str, formats: Sequence[Format], device: str) -> Export:
    """Export a run's result; return the record. On the way out there is the whole export, or the earlier one."""
    started, store = time.perf_counter(), reporter.store
    run = store.run(run_id)
    decision, mark = decision_of(run), mark_result(store, run)
    with _folders(reporter, run) as (folder, work):
        # Without the photos: whoever gets the model is not to get them unasked.
        write_model_card(store, run, folder, pictures=False)

        # 1. The files, each verified on the photos that judge the run.
        card = folder / CARD_FILES[1]
        bench = Bench(folder, work, kept_runtime(store.workspace), card, _find_machines(reporter))
        parts = make_files(reporter, run, formats, bench)

        # 2. What lies beside them, and the record; then the folder takes its place.
        made = _record(run, decision, mark, parts, device)
        made = dataclasses.replace(made, seconds=time.perf_counter() - started)
        _finish(store, run, folder, made)
        place_export(folder, export_folder(store.workspace, run.id))
    return made


def _find_machines(reporter: Reporter) -> Elsewhere | None:
    """Return what has files answer on the cluster that the person has chosen, one on each machine at a time, if any."""
    spread = find_spread(reporter)
    if spread is None:
        return None

    def score_there(scorings: Sequence[Scoring]) -> Iterator[str]:
        return spread.try_each(score, None, scorings, Path(scorings[0].pixels), PROOF_PACKAGES, reporter.check_stop)

    return score_there


def _record(run: Run, decision: Decision, mark: str, parts: Made, device: str) -> Export:
    versions = {name: importlib.metadata.version(name) for name in VERSIONED} | {"python": platform.python_version()}
    return Export(
        run=run.id,
        phase=decision.phase,
        result=mark,
        created_at=time.time(),
        image_size=run.image_size,
        labels=parts.labels,
        temperature=decision.temperature,
        threshold=decision.threshold,
        signature=parts.signature,
        formats=parts.files,
        reference=parts.reference,
        device=device,
        seconds=0.0,
        versions=versions,
        grey_range=run.facts.grey_range or WIDEST,
        task=run.head.task,
    )


def _finish(store: Store, run: Run, folder: Path, made: Export) -> None:
    """Write what lies beside the model files; the record last but for the checksums, which have every file."""
    write_atomically(folder / LABELS_FILE, json.dumps(read_labels(store, run), ensure_ascii=False).encode())
    write_guide(folder, made)
    write_export(folder, made)
    write_atomically(folder / SUMS_FILE, sum_lines(folder, list_files(folder)).encode())


@contextmanager
def _folders(reporter: Reporter, run: Run) -> Iterator[tuple[Path, Path]]:
    """Yield the folder in which the export grows and one for what it needs on the way; both are gone afterwards."""
    workspace = reporter.store.workspace
    folder = temporary_beside(export_folder(workspace, run.id))
    work = work_folder(workspace, reporter.job_id)
    try:
        folder.mkdir(parents=True)
        work.mkdir(parents=True)
        yield folder, work
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
