"""The rows of jobs: what each process was asked to do, and how it stands."""

import json
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

from thaw.storage.database import Database, new_id
from thaw.storage.questions import Question, require_answer
from thaw.storage.records import ASKED_BY, NOTE, WITHOUT_DEVICE, Job, JobKind
from thaw.storage.run_record import save_record
from tlcore.errors import RunError
from tlcore.processes import start_of, ticking
from tlcore.progress import Stage


class JobRows(Database):
    """Reads and writes jobs."""

    def add_job(
        self, kind: str, request: dict[str, Any], dataset_id: str | None = None, run_id: str | None = None
    ) -> str:
        """Record a job of kind "import", "head" or "fine_tune" that is about to start; return its id.

        A run has one job at a time, whatever two tabs ask for at once: raises RunError while it has an active one, and
        where what the job is to work on has been deleted.
        """
        job_id, now = new_id("job"), time.time()
        if self.asker and kind not in WITHOUT_DEVICE:
            request = request | {ASKED_BY: self.asker}
        with self._transaction() as connection:
            added = connection.execute(
                "INSERT INTO jobs (id, kind, dataset_id, run_id, request, status, stage, done, total, rate, "
                "created_at, updated_at, stop_requested, born, heard) "
                "SELECT ?, ?, ?, ?, ?, 'starting', 'starting', 0, 0, 0, ?, ?, 0, ?, ? "
                "WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE run_id = ? AND status IN ('starting', 'running'))",
                (job_id, kind, dataset_id, run_id, json.dumps(request), now, now, ticking(), ticking(), run_id),
            )
            gone = connection.execute(
                "SELECT subject FROM trashed WHERE subject IN (SELECT value FROM json_each(?))",
                (json.dumps(subjects_of(dataset_id, run_id, request)),),
            ).fetchone()
            if gone:
                raise RunError(
                    f"Expected a run or data set that is there. Received: {gone['subject']!r}, which was deleted. Undo "
                    "that on the Disk page, or choose another."
                )
            if added.rowcount == 0:
                raise RunError(
                    f"Expected a run at rest. Received: {run_id!r}, which is running. Wait or stop it first."
                )
            self._save_run_of(connection, job_id)
        return job_id

    def claim_job(self, job_id: str, pid: int) -> None:
        """Mark a job that waits as running in process `pid`; raise RunError if it runs or has ended already."""
        with self._transaction() as connection:
            claimed = connection.execute(
                "UPDATE jobs SET status = 'running', pid = ?, pid_started = ?, updated_at = ?, heard = ? "
                "WHERE id = ? AND status = 'starting'",
                (pid, start_of(pid), time.time(), ticking(), job_id),
            )
            if claimed.rowcount == 0:
                raise RunError(
                    f"Expected a job that waits to start. Received: {job_id!r}, which has been taken or ended."
                )
            self._save_run_of(connection, job_id)

    def note_pid(self, job_id: str, pid: int) -> None:
        """Remember the process that was started for a job, until it claims the job itself."""
        self._write("UPDATE jobs SET pid = ?, pid_started = ? WHERE id = ? AND pid IS NULL", pid, start_of(pid), job_id)

    def job(self, job_id: str) -> Job:
        """Return one job; raise RunError if there is none of that id."""
        rows = self._rows("SELECT * FROM jobs WHERE id = ?", job_id)
        if not rows:
            raise RunError(f"Expected the id of a job in this workspace. Received: {job_id!r}.")
        return read_job(rows[0])

    def unfinished_jobs(self) -> list[Job]:
        """Return the jobs that say they are starting or running, oldest first."""
        query = "SELECT * FROM jobs WHERE status IN ('starting', 'running') ORDER BY rowid"
        return [read_job(row) for row in self._rows(query)]

    def queue(self) -> list[Job]:
        """Return the unfinished jobs that want the device, in the order of their turns."""
        query = (
            "SELECT * FROM jobs WHERE status IN ('starting', 'running') "
            f"AND kind NOT IN ({', '.join('?' * len(WITHOUT_DEVICE))}) ORDER BY priority DESC, rowid"
        )
        return [read_job(row) for row in self._rows(query, *WITHOUT_DEVICE)]

    def move_to_front(self, job_id: str) -> None:
        """Give a job that waits the next turn; the one that has the device keeps it until its end."""
        self._write(
            "UPDATE jobs SET priority = 1 + (SELECT MAX(priority) FROM jobs WHERE status IN ('starting', 'running')) "
            "WHERE id = ? AND status IN ('starting', 'running')",
            job_id,
        )

    def jobs(self, *kinds: JobKind, limit: int = 20) -> list[Job]:
        """Return the newest jobs of one kind or of several."""
        among = ", ".join("?" * len(kinds))
        query = f"SELECT * FROM jobs WHERE kind IN ({among}) ORDER BY rowid DESC LIMIT ?"
        return [read_job(row) for row in self._rows(query, *kinds, limit)]

    def latest_job(self, run_id: str) -> Job | None:
        """Return the newest job of a run, which says how the run stands."""
        rows = self._rows("SELECT * FROM jobs WHERE run_id = ? ORDER BY rowid DESC LIMIT 1", run_id)
        return read_job(rows[0]) if rows else None

    def update_job(self, job_id: str, **changes: Any) -> None:
        """Change columns of a job and stamp it as alive now."""
        changes = {"updated_at": time.time(), "heard": ticking()} | changes
        columns = ", ".join(f"{name} = ?" for name in changes)
        with self._transaction() as connection:
            connection.execute(f"UPDATE jobs SET {columns} WHERE id = ?", (*changes.values(), job_id))
            if "status" in changes:
                self._save_run_of(connection, job_id)

    def note_job(self, job_id: str, words: str) -> None:
        """Keep a line in plain words with a job, in the place of the one before."""
        self._write("UPDATE jobs SET request = json_set(request, '$.' || ?, ?) WHERE id = ?", NOTE, words, job_id)

    def ask_to_stop(self, job_id: str) -> None:
        """Leave word for a job's process that it should stop; says nothing about its heartbeat."""
        self._write("UPDATE jobs SET stop_requested = 1 WHERE id = ?", job_id)

    def put_question(self, job_id: str, question: Question | None) -> None:
        """Let a job wait for the person's answer; None says that it goes on."""
        text = None if question is None else json.dumps(question.to_json())
        self.update_job(job_id, question=text, answer=None)

    def answer_question(self, job_id: str, question: Question, option: str) -> None:
        """Leave the person's answer for a job; one to a question that it has no more is left out.

        Raises SettingsError where the answer is none of the question's options.
        """
        self._write(
            "UPDATE jobs SET answer = ? WHERE id = ? AND question = ?",
            require_answer(question, option),
            job_id,
            json.dumps(question.to_json()),
        )

    def fail_job(self, job_id: str, error: str) -> None:
        """Mark a job failed unless it has ended some other way in the meantime."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET status = 'failed', error = ?, updated_at = ?, heard = ? "
                "WHERE id = ? AND status IN ('starting', 'running')",
                (error, time.time(), ticking(), job_id),
            )
            self._save_run_of(connection, job_id)

    def _save_run_of(self, connection: sqlite3.Connection, job_id: str) -> None:
        """Write the record of the run that a job works on, if any: how its latest job stands is how a run stands."""
        row = connection.execute("SELECT run_id FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if row and row["run_id"]:
            save_record(connection, self.workspace, row["run_id"])


def subjects_of(dataset_id: str | None, run_id: str | None, request: Mapping[str, Any]) -> list[str]:
    """Return the ids of the runs and data sets that a job works on."""
    named = (dataset_id, run_id, *(request.get(name) for name in ("run", "dataset", "subject")))
    return [each for each in named if isinstance(each, str)]


def read_job(row: sqlite3.Row) -> Job:
    """Return a row of the table as a job."""
    values = dict(row)
    values["request"] = json.loads(values["request"])
    values["question"] = values["question"] and Question.from_json(json.loads(values["question"]))
    values["stage"] = Stage(values["stage"])
    values["stop_requested"] = bool(values["stop_requested"])
    return Job(**values)
