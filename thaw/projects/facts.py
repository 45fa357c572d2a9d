"""Whether what a project says that a run measured can be read by everything that reads it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from thaw.projects.checks import is_number, is_text, refuse
from thaw.storage.facts import name_fault, parse_facts
from thaw.storage.records import Check, Run, read_doubts
from thaw.training.evidence import judge_run
from tlcore.errors import ThawError
from tlcore.images.deep_pictures import GREY_RANGES
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch

FIGURES = ("mean", "low", "high", "folds")


def check_facts(row: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a run whose facts are of other kinds than Thaw writes; `row` and `epochs` are its rows in a project."""
    _require_storable(row["facts"], "the facts of a run")
    try:
        measured = parse_facts(json.dumps(row["facts"]))
        if measured.grey_range not in (None, *GREY_RANGES):
            raise refuse("grey_range of another kind among the facts of a run")
        tuned = row["fine_tune"] and FineTuneSettings(**row["fine_tune"])
        settings = {"head": HeadSettings(**row["head"]), "fine_tune": tuned}
        run = Run(**{**row, **settings, "facts": measured, "dataset_id": ""})
        for number in (1, 2):
            judge_run(run, [Epoch(**epoch) for epoch in epochs], number)
    except ThawError as problem:
        raise refuse(f"facts of a run that are not known here ({problem})") from problem
    except ValueError as problem:
        raise refuse(f"{name_fault(problem)} of another kind among the facts of a run") from problem
    except (StopIteration, ArithmeticError) as problem:
        raise refuse("facts of a run that cannot be read") from problem


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


def _require_storable(facts: Any, where: str) -> None:
    """Refuse texts and numbers that no database takes, wherever in the facts they are."""
    parts = [facts]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            parts += [*part, *part.values()]
        elif isinstance(part, list):
            parts += part
        elif not (part is None or isinstance(part, bool) or is_text(part) or is_number(part)):
            raise refuse(f"{str(part)[:60]!r} among {where}")
