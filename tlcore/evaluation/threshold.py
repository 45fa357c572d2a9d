"""When a model gives its answer and when it says "I don't know": a temperature and a threshold, kept with the run."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tlcore.errors import SettingsError

if TYPE_CHECKING:
    from thaw.storage.records import Run
    from thaw.storage.store import Store

FACT = "decision"


@dataclass(frozen=True)
class Decision:
    """The logits are divided by `temperature`; below `threshold` (0..1) the confidence left is too small to answer.

    `phase` is the model that both were chosen for: those of one phase say nothing of the other's.
    """

    phase: int
    temperature: float = 1.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise SettingsError(f"Expected a temperature above 0. Received: {self.temperature!r}.")
        if not 0 <= self.threshold <= 1:
            raise SettingsError(f"Expected a threshold from 0 to 1. Received: {self.threshold!r}.")


def read_decision(run: "Run") -> Decision | None:
    """Return what was kept for the model that is the run's result, or None where nothing was."""
    decision = run.facts.decision
    return decision if decision and decision.phase == run.result_phase else None


def keep_decision(store: "Store", run_id: str, decision: Decision) -> None:
    """Keep a decision with a run, in place of an earlier one."""
    store.add_facts(run_id, {FACT: asdict(decision)})
