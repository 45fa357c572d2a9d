"""What a model card says of a model's limits: rules over its figures, each with its numbers."""

from collections.abc import Mapping, Sequence

from thaw.datasets import health
from thaw.datasets.edits import ignored
from thaw.runs.decision import read_decision
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.training.evidence import judge_run
from tlcore.evaluation.calibration import calibration_error, list_bins
from tlcore.evaluation.metrics import FEW_TO_JUDGE, ClassFigures, measure_classes
from tlcore.evaluation.predictions import VALIDATION, Predictions
from tlcore.training.recovery import STANDARD_ERRORS, difference_error

LEAST_RECALL = 0.7
NOTABLE_ERROR = 0.03
MOST_NAMED = 6
NOT_JUDGED_ELSEWHERE = (
    "It was never judged on photos from elsewhere (a holdout): other cameras, places or days may be harder."
)
CHANGED_SINCE = "The data set has changed since; what is said of it here is of the version that the run saw."
ON = {VALIDATION: "the validation photos", "later": "the newest photos", "holdout": "the holdout"}


def find_limits(store: Store, run: Run, judged: Mapping[str, Predictions]) -> list[str]:
    """Return the limits of a run's result in plain words; `judged` is what it says of each evaluation set by name."""
    validation = judged[VALIDATION]
    return [
        *_closed_world(run, validation.labels),
        *_few_images(run, measure_classes(validation)),
        *_weak_classes(measure_classes(validation)),
        *_elsewhere(judged),
        *_confidence(validation),
        *list_warnings(store, run),
        *_health(store, run),
    ]


def _closed_world(run: Run, labels: Sequence[str]) -> list[str]:
    decision = read_decision(run)
    words = f"It knows its {len(labels)} classes and nothing else: whatever it is shown, it names one of them."
    if decision and decision.threshold > 0:
        return [f"{words} Below a confidence of {decision.threshold:.0%} its answer is to be taken as “I don't know”."]
    return [f"{words} No confidence has been chosen below which it would say “I don't know”."]


def _few_images(run: Run, figures: Sequence[ClassFigures]) -> list[str]:
    learnt = run.facts.class_counts.get("training", {})
    scarce = [label for label, count in learnt.items() if count < health.FEW_TO_LEARN]
    few = [each.label for each in figures if each.few]
    found = []
    if scarce:
        found.append(f"Fewer than {health.FEW_TO_LEARN} photos to learn from: {list_names(scarce)}.")
    if few:
        found.append(
            f"Fewer than {FEW_TO_JUDGE} validation photos, so that the figures of the class say little: "
            f"{list_names(few)}."
        )
    return found


def _weak_classes(figures: Sequence[ClassFigures]) -> list[str]:
    weak = [each for each in figures if each.recall and each.recall.value < LEAST_RECALL]
    weak.sort(key=lambda each: each.recall.value if each.recall else 0.0)
    named = [f"{each.label} ({each.recall.value:.0%})" for each in weak if each.recall]
    return [f"Classes of which it finds less than {LEAST_RECALL:.0%}: {list_names(named)}."] if named else []


def _elsewhere(judged: Mapping[str, Predictions]) -> list[str]:
    """Compare validation with the sets that took no part in training, beyond two standard errors."""
    base, found = judged[VALIDATION], []
    for side, other in judged.items():
        drop = base.accuracy - other.accuracy
        error = difference_error(base.accuracy, len(base.images), other.accuracy, len(other.images))
        if drop > STANDARD_ERRORS * error:
            found.append(
                f"On {ON[side]} it gets {other.accuracy:.1%} right, {100 * drop:.1f} points less than on validation: "
                "expect the lower figure where it is used."
            )
    if "holdout" not in judged:
        found.append(NOT_JUDGED_ELSEWHERE)
    return found


def _confidence(validation: Predictions) -> list[str]:
    error = calibration_error(list_bins(validation.probabilities, validation.true))
    if error <= NOTABLE_ERROR:
        return []
    return [f"How sure it is and how often it is right lie {100 * error:.1f} points apart, before the temperature."]


def list_warnings(store: Store, run: Run) -> list[str]:
    """Return what the guards found amiss in the phases that the result has."""
    epochs, phases = store.epochs(run.id), range(1, 1 + (run.result_phase or 0))
    return [
        f"{each.rule}: {each.words}" for phase in phases for each in judge_run(run, epochs, phase) if not each.passed
    ]


def _health(store: Store, run: Run) -> list[str]:
    """Return what is amiss with the data set, if it still is as the run saw it."""
    dataset = store.dataset(run.dataset_id)
    if run.facts.dataset_version not in (None, dataset.version):
        return [CHANGED_SINCE]
    size = run.facts.image_size or 0
    found = health.examine(store.images(dataset.id), size, ignored(store, dataset.id), store.latest_check(dataset.id))
    # Classes with few images are told with their numbers of the run.
    return [f"Data: {finding.title}" for finding in found if finding.kind != "few"]


def list_names(names: Sequence[str]) -> str:
    """Put names into a list for a sentence, the first `MOST_NAMED` of them."""
    shown = ", ".join(names[:MOST_NAMED])
    return f"{shown} and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else shown
