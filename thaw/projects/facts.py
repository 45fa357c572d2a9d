"""Whether what a project says that a run measured can be read by everything that reads it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from thaw.projects.checks import is_number, is_text, refuse
from thaw.storage.records import Check, Run
from tlcore.errors import ThawError
from tlcore.evaluation.threshold import FACT, Decision
from tlcore.images.deep_pictures import GREY_RANGES
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.splits.label_errors import read_doubts
from tlcore.training.evidence import judge_run
from tlcore.training.history import Epoch

PHASES = ("head", "fine_tune")
FIGURES = ("mean", "low", "high", "folds")


def _mapping(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


# Facts that are not named here pass: releases to come may know more.
KNOWN: Mapping[str, Callable[[Any], bool]] = {
    "class_counts": _mapping(_mapping(is_number)),
    "extra_images": _mapping(is_number),
    "versions": _mapping(is_text),
    "intended_use": is_text,
    "grey_range": lambda value: value in GREY_RANGES,
    **dict.fromkeys(("device", "weights_file", "weights_sha256", "dataset_sha256"), is_text),
    **dict.fromkeys(("image_size", "dataset_version", "training_images", "validation_images"), is_number),
}
KNOWN_OF_PHASE: Mapping[str, Callable[[Any], bool]] = {
    "accuracies": _mapping(is_number),
    "seconds": _mapping(is_number),
    "best_epoch": is_number,
    "frozen_layers": is_number,
    "unfrozen_from_layer": is_text,
}


def check_facts(row: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a run whose facts are of other kinds than Thaw writes; `row` and `epochs` are its rows in a project."""
    facts = row["facts"]
    _check(facts, KNOWN)
    for phase in PHASES:
        own = facts.get(phase, {})
        if not isinstance(own, dict):
            raise refuse(f"{phase} of another kind among the facts of a run")
        _check(own, KNOWN_OF_PHASE)
    tuned = row["fine_tune"] and FineTuneSettings(**row["fine_tune"]).to_json()
    head = HeadSettings(**row["head"]).to_json()
    texts = {"head": head, "fine_tune": tuned, "dataset_id": ""}
    try:
        run, recorded = Run(**{**row, **texts}), [Epoch(**epoch) for epoch in epochs]
        for number in (1, 2):
            judge_run(run, recorded, number)
        if facts.get(FACT) is not None:
            Decision(**facts[FACT])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration, ArithmeticError) as problem:
        raise refuse("facts of a run that cannot be read") from problem
    except ThawError as problem:
        raise refuse(f"facts of a run that are not known here ({problem})") from problem


def check_measures(row: Mapping[str, Any]) -> None:
    """Refuse the check of a data set whose figures are of other kinds than Thaw writes; `row` is its row."""
    facts = row["facts"]
    estimates = [facts.get(name) for name in ("naive", "grouped")]
    counts = [facts.get(name) for name in ("images", "groups")]
    fits = all(isinstance(each, dict) and all(is_number(each.get(name)) for name in FIGURES) for each in estimates)
    if not fits or not all(map(is_number, counts)):
        raise refuse("a check of the data without its figures")
    try:
        doubts = read_doubts(Check(**row))
    except (TypeError, AttributeError, ArithmeticError) as problem:
        raise refuse("a check of the data that cannot be read") from problem
    if not all(is_text(each.image) and is_text(each.given) for each in doubts):
        raise refuse("a check of the data that cannot be read")


def _check(facts: Mapping[str, Any], known: Mapping[str, Callable[[Any], bool]]) -> None:
    for name, check in known.items():
        if facts.get(name) is not None and not check(facts[name]):
            raise refuse(f"{name} of another kind among the facts of a run")
