"""Whether what a project says that a run measured can be read by everything that reads it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tlcore.decision import FACT, Decision
from tlcore.errors import ThawError
from tlcore.evidence import judge_run
from tlcore.project_checks import LARGEST_NUMBER, refuse
from tlcore.records import Epoch, Run
from tlcore.settings import FineTuneSettings, HeadSettings

PHASES = ("head", "fine_tune")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _mapping(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


# Facts that are not named here pass: releases to come may know more.
KNOWN: Mapping[str, Callable[[Any], bool]] = {
    "class_counts": _mapping(_mapping(_number)),
    "extra_images": _mapping(_number),
    "versions": _mapping(_text),
    "intended_use": _text,
    **dict.fromkeys(("device", "weights_file", "weights_sha256", "dataset_sha256"), _text),
    **dict.fromkeys(("image_size", "dataset_version", "training_images", "validation_images"), _number),
}
KNOWN_OF_PHASE: Mapping[str, Callable[[Any], bool]] = {
    "accuracies": _mapping(_number),
    "seconds": _mapping(_number),
    "best_epoch": _number,
    "frozen_layers": _number,
    "unfrozen_from_layer": _text,
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
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration, ZeroDivisionError) as problem:
        raise refuse("facts of a run that cannot be read") from problem
    except ThawError as problem:
        raise refuse(f"facts of a run that are not known here ({problem})") from problem


def _check(facts: Mapping[str, Any], known: Mapping[str, Callable[[Any], bool]]) -> None:
    for name, check in known.items():
        if facts.get(name) is not None and not check(facts[name]):
            raise refuse(f"{name} of another kind among the facts of a run")
