"""What Thaw remembers: the store of one workspace, over all its tables.

The database is the truth; pages only read it, and one worker or importer process writes a given job.
"""

from tlcore.dataset_rows import DatasetRows
from tlcore.job_rows import JobRows
from tlcore.run_rows import RunRows


class Store(DatasetRows, RunRows, JobRows):
    """Reads and writes everything. Cheap to make; safe from any thread or process."""
