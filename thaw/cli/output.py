"""What the commands of the command line share: the type of their answers, and what is said beside them."""

import os
import sys
from typing import Any

from thaw.storage.store import Store

# Text is printed as it is.
Output = dict[str, Any] | list[dict[str, Any]] | str


def warn_of_unknown(store: Store) -> None:
    """Say on standard error what lies in the folders that the database does not know, if anything."""
    found = store.survey()
    if found.unknown:
        print(found.tell(), file=sys.stderr)  # noqa: T201


def quieten_tensorflow() -> None:
    """Keep TensorFlow's own words off standard error; to be called before it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
