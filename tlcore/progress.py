"""How long work tells of its progress, and asks whether to go on."""

from collections.abc import Callable
from enum import StrEnum, auto


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


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Hear of progress and do nothing."""


def never_stop() -> None:
    """Go on whatever happens."""
