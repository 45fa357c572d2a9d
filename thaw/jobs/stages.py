"""What the stages of a job are called where they are shown, and what each counts."""

from collections.abc import Mapping
from typing import Literal

from tlcore.progress import Stage

Unit = Literal["", "bytes", "rounds", "epochs", "batches", "percent", "trials"]
"""What a stage counts; "" stands for what the work as a whole is about, such as images."""
STAGES: Mapping[Stage, tuple[str, Unit]] = {
    Stage.STARTING: ("starting", ""),
    Stage.WAITING_FOR_DEVICE: ("waiting for another run to end", ""),
    Stage.WAITING_FOR_IMPORT: ("waiting for another import into this data set", ""),
    Stage.STARTING_TENSORFLOW: ("starting TensorFlow", ""),
    Stage.FINDING_FILES: ("finding files", ""),
    Stage.UNPACKING_ZIP: ("unpacking the zip", ""),
    Stage.UNPACKING_TAR: ("unpacking the tar", "bytes"),
    Stage.CHECKING_IMAGES: ("checking images", ""),
    Stage.FINDING_NEAR_DUPLICATES: ("looking for near-duplicates", ""),
    Stage.WRITING_SAMPLE: ("writing the sample", ""),
    Stage.DOWNLOADING_FLOWERS: ("downloading the flower photos", "bytes"),
    Stage.CROSS_VALIDATING: ("cross-validating", "rounds"),
    Stage.CHECKING_PROJECT: ("checking the project", ""),
    Stage.PLACING_PROJECT: ("putting the project in place", ""),
    Stage.SAVING_PROJECT: ("saving the project", ""),
    Stage.OPENED: ("opened", ""),
    Stage.FETCHING_WEIGHTS: ("fetching the backbone's weights", ""),
    Stage.DOWNLOADING_WEIGHTS: ("downloading the backbone's weights", "bytes"),
    Stage.BUILDING_BACKBONE: ("building the backbone", ""),
    Stage.READING_FEATURES: ("reading the features", ""),
    Stage.COMPUTING_FEATURES: ("computing features", ""),
    Stage.TRAINING_HEAD: ("training, phase 1", "epochs"),
    Stage.FINE_TUNING: ("training, phase 2", "epochs"),
    Stage.TRAINING_FROM_SCRATCH: ("training from scratch", "epochs"),
    Stage.TELLING_MLFLOW: ("telling the MLflow server", ""),
    Stage.TRYING_DEPTHS: ("trying depths", "percent"),
    Stage.TRYING_RATES: ("trying learning rates", "batches"),
    Stage.TRYING_SETTINGS: ("trying settings", "trials"),
    Stage.REDUCING_FEATURES: ("reducing the features", ""),
    Stage.FINDING_ALIKE: ("finding what is alike", ""),
    Stage.ARRANGING_MAP: ("arranging the map", "percent"),
    Stage.READING_PHOTOS: ("reading the photos", ""),
    Stage.BUILDING_MODEL: ("building the model", ""),
    Stage.FREEZING_GRAPH: ("freezing the graph", ""),
    Stage.ANSWERING_AGAIN: ("answering once more in float32", ""),
    Stage.VERIFYING: ("converting and proving", ""),
    Stage.MEASURING_SPEED: ("measuring the speed", ""),
}


def name(stage: Stage) -> str:
    """Return what a stage is called."""
    return STAGES[stage][0]


def unit(stage: Stage) -> Unit:
    """Return what a stage counts."""
    return STAGES[stage][1]


def phrase(stage: Stage) -> str:
    """Return what a stage is called, with what it counts where that does not go without saying."""
    return name(stage) if unit(stage) in ("", "epochs") else f"{name(stage)} ({unit(stage)})"
