"""Whether what a project says that a run measured can be read by everything that reads it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from thaw.projects.checks import Number, Text, refuse
from thaw.storage.facts import name_fault, parse_facts, parse_measures
from thaw.storage.records import Run
from thaw.training.evidence import judge_run
from tlcore.errors import ThawError
from tlcore.images.pixels import GREY_RANGES
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch

STORABLE: TypeAdapter[Any] = TypeAdapter(Text | Number, config=ConfigDict(strict=True, allow_inf_nan=False))


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
    _require_storable(row["facts"], "the figures of a check")
    try:
        parse_measures(json.dumps(row["facts"]))
    except ValueError as problem:
        raise refuse(f"a check of the data with {name_fault(problem)} of another kind") from problem


def _require_storable(facts: Any, where: str) -> None:
    """Refuse texts and numbers that no database takes, however deep in the facts they lie."""
    parts = [facts]
    while parts:
        part = parts.pop()
        parts += [*part, *part.values()] if isinstance(part, dict) else part if isinstance(part, list) else []
        if isinstance(part, str | int | float) and not isinstance(part, bool):
            try:
                STORABLE.validate_python(part)
            except ValueError as problem:
                raise refuse(f"{str(part)[:60]!r} among {where}") from problem
