"""Where the features of photos are kept for other machines: the URL that the person named."""

import os

from thaw.jobs.reporter import Reporter
from tlcore.progress import Keeping

VARIABLE = "THAW_SHARDS"


def chosen_store() -> str | None:
    """Return the URL of the store for features that this process is to use, or None."""
    return os.environ.get(VARIABLE, "").strip() or None


def choose_store(url: str | None) -> None:
    """Have this process and those that it starts keep features at `url`; None leaves it as it is.

    Raises SettingsError for what names no store, or one that needs packages which are not here; asks nobody.
    """
    if url is not None:
        os.environ[VARIABLE] = url
    chosen = chosen_store()
    if chosen:
        from tlcore.features.shard_store import require_store

        require_store(chosen)


def find_keeping(reporter: Reporter) -> Keeping | None:
    """Return where a job's features are kept, with how that goes in its note; None where the person named no store.

    A look ahead uses it too: what it computes a job would find in the cache of this machine, and put nowhere.
    """
    url = chosen_store()
    return Keeping(url, lambda words: reporter.note(words, VARIABLE)) if url else None
