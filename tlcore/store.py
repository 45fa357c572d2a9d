"""What Thaw remembers: the store of one workspace, over all its tables.

The database is the truth. Pages read it, add jobs and mark dead ones; how a job stands is written by its own process.
"""

from tlcore.check_rows import CheckRows
from tlcore.dataset_rows import DatasetRows
from tlcore.edit_rows import EditRows
from tlcore.experiments import ExperimentRows
from tlcore.job_rows import JobRows
from tlcore.project_rows import ProjectRows
from tlcore.rebuild_rows import RebuildRows
from tlcore.run_rows import RunRows
from tlcore.survey import SurveyRows
from tlcore.trash_rows import TrashRows


class Store(
    DatasetRows,
    EditRows,
    CheckRows,
    RunRows,
    JobRows,
    ExperimentRows,
    ProjectRows,
    SurveyRows,
    RebuildRows,
    TrashRows,
):
    """Reads and writes everything. Cheap to make; safe from any thread or process."""
