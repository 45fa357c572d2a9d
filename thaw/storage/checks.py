"""The rows of checks: what cross-validation on a backbone's features measured of a data set."""

import json
import time
from typing import Any

from thaw.storage.facts import parse_measures
from thaw.storage.journal.rows import JournalRows, last_row, listed
from thaw.storage.records import Check


class CheckRows(JournalRows):
    """Reads and writes checks."""

    def add_check(self, dataset_id: str, backbone: str, version: int, facts: dict[str, Any]) -> None:
        """Record what a check of a version of a data set measured (JSON-able)."""
        with self._recording(dataset_id) as (connection, entry):
            before = last_row(connection, "checks")
            connection.execute(
                "INSERT INTO checks VALUES (?, ?, ?, ?, ?)",
                (dataset_id, backbone, version, time.time(), json.dumps(facts)),
            )
            entry["checks"] = listed(connection, "checks", dataset_id, before)

    def latest_check(self, dataset_id: str) -> Check | None:
        """Return the newest check of a data set, or None before the first."""
        rows = self._rows("SELECT * FROM checks WHERE dataset_id = ? ORDER BY rowid DESC LIMIT 1", dataset_id)
        if not rows:
            return None
        row = rows[0]
        return Check(row["backbone"], row["version"], row["created_at"], parse_measures(row["facts"]))
