"""The history of a workspace: one row a run with its lineage, as the view `experiments` of the database tells it."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from thaw.storage.database import Database

JSON_COLUMNS = ("class_counts", "package_versions")


@dataclass(frozen=True)
class Experiment:
    """One run. None stands for what a run does not have or has not reached yet.

    Layer counts are Keras layers of the backbone; `unfrozen_from_layer` is the lowest that trained in phase 2, and
    `learning_rate_phase2` the rate really used, after any that the guard lowered. `fine_tuning_start_epoch` counts on
    from phase 1. `class_counts` has images by side of the split and class. Accuracies (0..1) are those of the result,
    the model of `result_phase`; where the `task` is "detect" they are AP50. `created_at` is UTC in ISO 8601.
    """

    model_id: str
    base_architecture: str
    pretrained_weights: str | None
    pretrained_weights_sha256: str | None
    frozen_layers_count: int | None
    unfrozen_from_layer: str | None
    unfrozen_layers_count: int
    learning_rate_phase1: float | None
    learning_rate_phase2: float | None
    fine_tuning_start_epoch: int | None
    epochs: int
    dataset_id: str
    dataset_name: str
    dataset_version: int | None
    dataset_sha256: str | None
    split_seed: int | None
    augmentation: str | None
    image_size: int | None
    class_counts: dict[str, dict[str, int]] | None
    result_phase: int | None
    final_accuracy_validation: float | None
    final_accuracy_later: float | None
    final_accuracy_holdout: float | None
    package_versions: dict[str, str] | None
    device: str | None
    created_at: str
    task: str = "classify"


COLUMNS = tuple(column.name for column in fields(Experiment))


class ExperimentRows(Database):
    """Reads the view of all runs."""

    def experiments(self) -> list[Experiment]:
        """Return every run with its lineage, newest first."""
        # The task stands in no column of the view: workspaces have one that was made before there were detectors.
        columns = [
            *(name for name in COLUMNS if name != "task"),
            "coalesce(json_extract(head, '$.task'), 'classify') AS task",
        ]
        rows = self._rows(
            f"SELECT {', '.join(columns)} FROM (SELECT * FROM experiments) "
            "JOIN (SELECT rowid AS place, id, head FROM runs) ON id = model_id ORDER BY place DESC"
        )
        return [Experiment(**{name: _value(name, row[name]) for name in COLUMNS}) for row in rows]


def flatten(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as one row of a table: what has parts of its own is told as JSON."""
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
        for name, value in asdict(experiment).items()
    }


def _value(name: str, stored: Any) -> Any:
    return json.loads(stored) if name in JSON_COLUMNS and stored else stored
