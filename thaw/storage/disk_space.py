"""Whether a disk has room for what is to come."""

import shutil
from pathlib import Path

from tlcore.errors import DatasetError

SPARE_BYTES = 200_000_000


def require_space(folder: Path, needed_bytes: int) -> None:
    """Raise DatasetError unless the disk of `folder` has room for `needed_bytes` and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + SPARE_BYTES:
        raise DatasetError(
            f"Expected {(needed_bytes + SPARE_BYTES) / 1e9:,.1f} GB of free disk for this import. "
            f"Received: {free / 1e9:,.1f} GB. Free some space, or choose another workspace with --workspace."
        )
