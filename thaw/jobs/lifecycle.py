"""The parent's side of a job: start its process, ask it to stop, and tell the truth when it has died."""

import os
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from filelock import FileLock, Timeout

from thaw.jobs.children import start_child
from thaw.jobs.standby import standby
from thaw.storage.export_record import clear_export
from thaw.storage.records import Job, JobKind
from thaw.storage.store import Store
from tlcore.processes import is_alive, ticking

# The kind of jobs that nobody has asked for.
UNASKED: JobKind = "look_ahead"
ENDS_WITHIN_S, LOOK_AGAIN_S = 20.0, 0.05
# Kinds of jobs that load no TensorFlow, or on a GPU alone.
LIGHT = ("import", "open", "save", "map", "sort", "summarise", UNASKED)
STARTING_GRACE_S = 10.0
SILENT_AFTER_S = 15.0

DIED = (
    "The process ended without finishing: it was killed, or the computer ran out of memory or disk or was "
    "switched off. Everything up to the last finished epoch is kept; press Resume to go on from there."
)
WHY_DIED = "ended without finishing: it was killed, or the computer ran out of memory or disk or was switched off."
IMPORT_DIED = f"The import {WHY_DIED} No half-made data set was kept; please add the photos again."
CHECK_DIED = f"The check {WHY_DIED} Start it again; what had been computed is kept."
SORT_DIED = f"The sorting {WHY_DIED} Start it again; what was named is kept, and what had been computed."
PROBE_DIED = f"The probe {WHY_DIED} Every finished depth is kept; start it again to go on with the others."
SEARCH_DIED = f"The search {WHY_DIED} The run is as it was; start the search again."
SETTINGS_DIED = f"The search {WHY_DIED} Every finished trial is kept; start it again to go on with the others."
SAVE_DIED = f"Saving {WHY_DIED} No half of a project was kept; save it again."
MAP_DIED = f"The map {WHY_DIED} The run is as it was; make the map again."
EXPORT_DIED = f"The export {WHY_DIED} No half-made export was kept, and an earlier one is as it was; start it again."
LOOK_AHEAD_DIED = f"The look at the photos ahead of time {WHY_DIED} Nothing is lost: it is made when it is needed."
SUMMARY_DIED = f"The look through the rows of the data set {WHY_DIED} Nothing is lost, and a model can be taught."
DEATHS = {
    "import": IMPORT_DIED,
    "open": IMPORT_DIED,
    "check": CHECK_DIED,
    "sort": SORT_DIED,
    "probe": PROBE_DIED,
    "rate_search": SEARCH_DIED,
    "search": SETTINGS_DIED,
    "save": SAVE_DIED,
    "map": MAP_DIED,
    "export": EXPORT_DIED,
    "summarise": SUMMARY_DIED,
    UNASKED: LOOK_AHEAD_DIED,
}


def request_stop(store: Store, run_id: str) -> None:
    """Ask the worker of a run to stop after the present step; its last good model is kept."""
    latest = store.latest_job(run_id)
    if latest and latest.active:
        store.ask_to_stop(latest.id)


def launch(store: Store, job_id: str, environment: Mapping[str, str] | None = None, light: bool | None = None) -> None:
    """Start a job in a process with a session of its own, so that it outlives the server that started it.

    Where a process waits with TensorFlow loaded, a job that may want it begins there, and an import if that waits
    already; else `python -m thaw.worker JOB` is started, with `environment` besides this process's own. `light` says
    that the job loads no TensorFlow where its kind alone does not tell.
    """
    kind = store.job(job_id).kind
    light = kind in LIGHT if light is None else light
    if (kind == "import" or not light) and standby.hand(store, job_id, at_once=light):
        return
    root = store.workspace.root
    with store.workspace.job_log(job_id).open("wb") as log:
        process = start_child(
            *("thaw.worker", job_id, "--workspace", str(root)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | (environment or {}),
        )
    store.note_pid(job_id, process.pid)
    # An unreaped child still answers as alive, so someone must wait for it.
    threading.Thread(target=process.wait, daemon=True).start()


def reconcile(store: Store) -> None:
    """Mark every job whose process is gone as failed. A held file lock is the one proof of life that cannot lie."""
    for job in store.unfinished_jobs():
        if not _alive(store, job):
            _bury(store, job)


def end_unasked(store: Store) -> None:
    """Have every job end that nobody asked for, and wait for that: what it reads is about to go."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while unasked := [job for job in store.unfinished_jobs() if job.kind == UNASKED]:
        for job in unasked:
            store.ask_to_stop(job.id)
        if time.monotonic() > deadline:
            return
        time.sleep(LOOK_AGAIN_S)
        reconcile(store)


def silent(job: Job) -> bool:
    """Say whether an active job has not been heard of for 15 s (suspended, or the machine is overloaded)."""
    # What is negative was said before the machine was started anew.
    return job.active and not 0 <= ticking() - job.heard <= SILENT_AFTER_S


def _alive(store: Store, job: Job) -> bool:
    if job.pid is None:
        return 0 <= ticking() - job.born < STARTING_GRACE_S
    if not is_alive(job.pid, job.pid_started):
        return False
    if job.status == "starting":
        return True
    try:
        with FileLock(store.workspace.job_lock(job.id), timeout=0):
            return False
    except Timeout:
        return True


def _bury(store: Store, job: Job) -> None:
    """Mark a dead job failed; the half-made files of an export go first, under its lock: no two do it at once."""
    if job.kind != "export":
        store.fail_job(job.id, DEATHS.get(job.kind, DIED))
        return
    with suppress(Timeout), FileLock(store.workspace.job_lock(job.id), timeout=0):
        if store.job(job.id).active:
            clear_export(store.workspace, job.request["run"], job.id)
            store.fail_job(job.id, EXPORT_DIED)
