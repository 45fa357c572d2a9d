"""What Thaw remembers: the store of one workspace, over all its tables.

The database is the truth. Pages read it, add jobs and mark dead ones; how a job stands is written by its own process.
"""

from thaw.storage.boxes import BoxRows
from thaw.storage.datasets import DatasetRows
from thaw.storage.experiments import ExperimentRows
from thaw.storage.jobs import JobRows
from thaw.storage.journal.rebuild_rows import RebuildRows
from thaw.storage.journal.survey import SurveyRows
from thaw.storage.projects import ProjectRows
from thaw.storage.runs import RunRows
from thaw.storage.trash import TrashRows


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
