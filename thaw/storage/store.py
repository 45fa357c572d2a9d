"""What Thaw remembers: the store of one workspace, over all its tables.

The database is the truth. Pages read it, add jobs and mark dead ones; how a job stands is written by its own process.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from thaw.storage.boxes import BoxRows
from thaw.storage.datasets import DatasetRows
from thaw.storage.experiments import ExperimentRows
from thaw.storage.jobs import JobRows
from thaw.storage.journal.rebuild_rows import RebuildRows
from thaw.storage.journal.survey import SurveyRows
from thaw.storage.projects import ProjectRows
from thaw.storage.runs import RunRows
from thaw.storage.trash import TrashRows

# Looks ahead change nothing that a page shows; older jobs than so many have ended long ago.
_NEWEST_JOBS = 50
_LISTS = f"""
SELECT
    (SELECT group_concat(id) FROM datasets),
    (SELECT group_concat(subject) FROM trashed),
    (SELECT group_concat(id || ifnull(result_phase, '')) FROM runs),
    (SELECT group_concat(id || (status IN ('starting', 'running'))) FROM (
        SELECT id, status FROM jobs WHERE kind != 'look_ahead' ORDER BY rowid DESC LIMIT {_NEWEST_JOBS}))
"""
_DATASETS = """
SELECT id, version || '.' || (SELECT count(*) FROM checks WHERE dataset_id = datasets.id) AS mark FROM datasets
"""


@dataclass(frozen=True)
class Pulse:
    """How a workspace stands, to be compared and no more: `lists` changes where a data set, run or job comes, goes,
    ends or gets a model; the text of a data set, by its id, where that is edited or checked."""

    lists: str
    datasets: Mapping[str, str]


class Store(
    DatasetRows,
    BoxRows,
    RunRows,
    JobRows,
    ExperimentRows,
    ProjectRows,
    SurveyRows,
    RebuildRows,
    TrashRows,
):
    """Reads and writes everything. Cheap to make; safe from any thread or process."""

    def pulse(self) -> Pulse:
        """Return how all stands by now, in one look."""
        with self._transaction() as connection:
            connection.execute("BEGIN")
            lists = tuple(connection.execute(_LISTS).fetchone())
            return Pulse(repr(lists), {row["id"]: row["mark"] for row in connection.execute(_DATASETS)})
