"""How long work tells of its progress, asks whether to go on, and has parts of it done elsewhere."""

from collections.abc import Callable, Generator, Iterable, Sized
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path
from typing import Protocol, TypeVar


class Stage(StrEnum):
    """What long work is at. Keys to decide by; what each is called is said where it is shown."""

    STARTING = auto()
    WAITING_FOR_DEVICE = auto()
    WAITING_FOR_IMPORT = auto()
    STARTING_TENSORFLOW = auto()
    FINDING_FILES = auto()
    UNPACKING_ZIP = auto()
    UNPACKING_TAR = auto()
    CHECKING_IMAGES = auto()
    FINDING_NEAR_DUPLICATES = auto()
    WRITING_SAMPLE = auto()
    DOWNLOADING_FLOWERS = auto()
    CROSS_VALIDATING = auto()
    CHECKING_PROJECT = auto()
    PLACING_PROJECT = auto()
    SAVING_PROJECT = auto()
    OPENED = auto()
    FETCHING_WEIGHTS = auto()
    DOWNLOADING_WEIGHTS = auto()
    BUILDING_BACKBONE = auto()
    READING_FEATURES = auto()
    COMPUTING_FEATURES = auto()
    TRAINING_HEAD = auto()
    FINE_TUNING = auto()
    TRAINING_FROM_SCRATCH = auto()
    TELLING_MLFLOW = auto()
    TRYING_DEPTHS = auto()
    TRYING_RATES = auto()
    TRYING_SETTINGS = auto()
    REDUCING_FEATURES = auto()
    FINDING_ALIKE = auto()
    ARRANGING_MAP = auto()
    READING_PHOTOS = auto()
    BUILDING_MODEL = auto()
    FREEZING_GRAPH = auto()
    ANSWERING_AGAIN = auto()
    VERIFYING = auto()
    MEASURING_SPEED = auto()


Progress = Callable[[str, int, int], None]
"""Called as progress(stage, done, total), with a `Stage`."""
CheckStop = Callable[[], None]
"""Called often; raises `tlcore.errors.Stopped` where the work is to end."""


Common = TypeVar("Common")
Task = TypeVar("Task", bound=Sized)
Result = TypeVar("Result")


class Spread(Protocol):
    """Does one function of many tasks wherever there is room: in other processes, on other machines."""

    def __call__(
        self,
        function: Callable[[Common, Task], Result],
        common: Common,
        tasks: Iterable[Task],
        carry: Callable[[Task], Task],
        witness: Path,
        check_stop: CheckStop,
    ) -> Generator[Result | None, None, None]:
        """Yield what `function(common, task)` returns, in the order of `tasks`; None for a task that cannot be done.

        `function` is one of a module, and all can be pickled. A task names files; `carry` returns it with their content
        instead, for machines that do not see them, which they are asked by `witness`, one of those files. What is
        yielded may end before the tasks do: the rest is for the caller to do.
        """

    def decline(self, reason: str) -> None:
        """Hear why work that might have been spread is done here."""


@dataclass(frozen=True)
class Keeping:
    """Where features are kept for other machines: a URL that fsspec knows, and what hears in words how that goes."""

    url: str
    tell: Callable[[str], None]


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Hear of progress and do nothing."""


def never_stop() -> None:
    """Go on whatever happens."""
