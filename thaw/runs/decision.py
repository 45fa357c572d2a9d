"""The temperature and the threshold that are kept with a run."""

from dataclasses import asdict

from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.settings import Decision

FACT = "decision"


def read_decision(run: Run) -> Decision | None:
    """Return what was kept for the model that is the run's result, or None where nothing was."""
    decision = run.facts.decision
    return decision if decision and decision.phase == run.result_phase else None


def keep_decision(store: Store, run_id: str, decision: Decision) -> None:
    """Keep a decision with a run, in place of an earlier one."""
    store.add_facts(run_id, {FACT: asdict(decision)})
