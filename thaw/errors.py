"""The errors of the application alone; `tlcore.errors` has those of the method, and what they all descend from."""

from tlcore.errors import ThawError


class WorkspaceError(ThawError):
    """The workspace or its database cannot be used as it is: full, locked, read-only, damaged, gone.

    `lost` says that the rows are gone and the folders are not, so that `thaw.storage.journal.rebuild` can bring them
    back.
    """

    def __init__(self, message: str, lost: bool = False) -> None:
        super().__init__(message)
        self.lost = lost


class PredictorError(ThawError):
    """The process that answers for new pictures could not start, died or did not answer in time."""
