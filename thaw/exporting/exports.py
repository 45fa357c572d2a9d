"""The parent's side of an export: start it, find the latest, and tell whether it still is what the run would give."""

import hashlib
import zipfile
from collections.abc import Sequence

from thaw.detection.found import CONFIDENCE
from thaw.exporting.web_runtime import kept_runtime
from thaw.jobs import lifecycle, starts
from thaw.runs.decision import read_decision
from thaw.storage.export_record import Export, export_folder, read_export
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.errors import SettingsError
from tlcore.exporting.formats import DETECTOR_FORMATS, FORMATS, choose_formats, require_packages
from tlcore.exporting.web.runtime import COMMAND, FILE
from tlcore.settings import Decision

RESULTS = {1: "head.npz", 2: "tuned.npz"}


def add_export_job(store: Store, run_id: str, formats: Sequence[str] | None = None) -> str:
    """Record an export of a run that is about to start; return the job's id.

    Without `formats` it makes all that can be made here. Raises SettingsError for an unknown format, for a web page
    whose runtime nobody brought, and where packages are missing, and RunError while the run has no head or
    an export of it goes on.
    """
    require_packages()
    offered = offered_formats(store.run(run_id))
    chosen = choose_formats(formats, offered)
    has_runtime = kept_runtime(store.workspace) is not None
    if formats is None and has_runtime:
        chosen += [FORMATS[name] for name in offered if FORMATS[name].fetched]
    if any(row.fetched for row in chosen) and not has_runtime:
        raise SettingsError(
            f"Expected the runtime that a web page holds, {FILE}. Nobody brought it here yet. Run `{COMMAND}` and give "
            "the file: `--web-runtime FILE.tgz`, or on the page Take it with you."
        )
    return starts.add_trial(store, "export", run_id, {"formats": [row.name for row in chosen]})


def offered_formats(run: Run) -> Sequence[str]:
    """Return the names of the formats that a run's model can be exported to."""
    return DETECTOR_FORMATS if run.head.task == "detect" else tuple(FORMATS)


def start_export(store: Store, run_id: str, formats: Sequence[str] | None = None) -> str:
    """Start exporting a run in a process of its own; return the job's id (see `add_export_job`)."""
    job_id = add_export_job(store, run_id, formats)
    lifecycle.launch(store, job_id)
    return job_id


def latest_export(store: Store, run_id: str) -> Export | None:
    """Return the record of a run's export, or None where it has none."""
    return read_export(export_folder(store.workspace, run_id))


def decision_of(run: Run) -> Decision:
    """Return the temperature and threshold that an export of the run has inside: those kept, else neither.

    Of a detector it is how sure it must be of what its programs and the service show; the files have all it sees.
    """
    if run.head.task == "detect":
        return Decision(run.result_phase or 0, threshold=CONFIDENCE)
    return read_decision(run) or Decision(run.result_phase or 0)


def mark_result(store: Store, run: Run) -> str:
    """Return a mark of the weights that are the run's result, which changes with them.

    An .npz is a zip, whose directory has a checksum of every array: the weights need not be read.
    """
    path = store.workspace.run(run.id) / RESULTS[run.result_phase or 1]
    with zipfile.ZipFile(path) as archive:
        entries = sorted(f"{entry.filename} {entry.CRC} {entry.file_size}" for entry in archive.infolist())
    return hashlib.sha256("\n".join(entries).encode()).hexdigest()


def explain_stale(store: Store, run: Run, export: Export) -> str | None:
    """Say why an export is no longer what the run would give, or return None while it is."""
    if export.phase != run.result_phase or export.result != mark_result(store, run):
        return "The run has another model since"
    decision = decision_of(run)
    if export.threshold != decision.threshold:
        return f"Another threshold has been kept since ({decision.threshold:.0%} instead of {export.threshold:.0%})"
    if export.temperature != decision.temperature:
        return "Another temperature has been kept since"
    return None
