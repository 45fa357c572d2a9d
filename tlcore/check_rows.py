"""The rows of checks: what cross-validation on a backbone's features measured of a data set."""

import json
import time
from typing import Any

from tlcore.database import Database
from tlcore.records import Check


class CheckRows(Database):
    """Reads and writes checks."""

    def add_check(self, dataset_id: str, backbone: str, version: int, facts: dict[str, Any]) -> None:
        """Record what a check of a version of a data set measured (JSON-able)."""
        self._write(
            "INSERT INTO checks VALUES (?, ?, ?, ?, ?)", dataset_id, backbone, version, time.time(), json.dumps(facts)
        )

    def latest_check(self, dataset_id: str) -> Check | None:
        """Return the newest check of a data set, or None before the first."""
        rows = self._rows("SELECT * FROM checks WHERE dataset_id = ? ORDER BY created_at DESC LIMIT 1", dataset_id)
        if not rows:
            return None
        row = rows[0]
        return Check(row["backbone"], row["version"], row["created_at"], json.loads(row["facts"]))
