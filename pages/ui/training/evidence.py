"""Shows what the guards found for a run: each rule in plain words with its numbers, and the tables behind them."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.words import amounts
from pages.ui.words.names import sentence, visible
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.training.evidence import judge_run
from thaw.training.guards import Evidence
from tlcore.models.backbones import find_backbone
from tlcore.training.history import HeadChecks, LayerDrift

TITLES = {1: "Is this head to be trusted?", 2: "Is this fine-tuning to be trusted?"}
FRESH_TITLE = "Is this training to be trusted?"
TABLE_ROWS_SHOWN = 12
ROW_HEIGHT_PX = 36


def draw(store: Store, run: Run, phase: int | None = None) -> None:
    """Draw the evidence on a phase of a run (the latest that has ended unless said); nothing before its end."""
    epochs = store.epochs(run.id)
    for each in (phase,) if phase else (2, 1):
        found = judge_run(run, epochs, each)
        if found:
            _draw_phase(run, each, found)
            return


def _draw_phase(run: Run, phase: int, found: list[Evidence]) -> None:
    concerns = sum(not each.passed for each in found)
    if not expert.is_on():
        if concerns:
            st.caption(
                f":material/warning: {concerns} of {len(found)} checks of this training found something to look at. "
                "The switch Expert, at the top, shows them."
            )
        return
    told = f"{amounts.count(concerns, 'thing')} to look at" if concerns else "nothing to worry about"
    title = FRESH_TITLE if find_backbone(run.backbone).fresh else TITLES[phase]
    with st.expander(f"{title} {len(found)} checks, {told}", icon=":material/verified_user:"):
        for each in sorted(found, key=lambda each: each.passed):
            mark = ":material/check_circle:" if each.passed else ":material/warning:"
            st.markdown(f"{mark} **{each.rule}.** {sentence(each.words)}")
        if phase == 1:
            _draw_checks(run.facts.head.checks, find_backbone(run.backbone).fresh)
        else:
            _draw_drift(run.facts.fine_tune.drift)
            _draw_precision(run.facts.fine_tune.precision)


def _draw_checks(checks: HeadChecks | None, fresh: bool) -> None:
    """Draw the numbers behind the rule about chance: frozen weights, the first batch, images a class."""
    if checks is None:
        return
    batch, expected = checks.batch, checks.batch.expected
    wanted = f" ({expected[0]:.2f} to {expected[1]:.2f} expected)" if expected else ""
    frozen = "" if fresh else f"Weights of the backbone that trained: {checks.backbone_training} (0 expected). "
    st.caption(
        f"{frozen}Pixels of the first "
        f"{amounts.count(batch.images, 'image')} after normalisation: {batch.low:.2f} to {batch.high:.2f}, "
        f"{batch.mean:.2f} on average{wanted}."
    )
    _table(
        "Images of each class",
        (
            {"class": visible(label), "training images": count, "validation images": checks.validation[label]}
            for label, count in checks.training.items()
        ),
    )


def _draw_drift(drift: Sequence[LayerDrift] | None) -> None:
    """Draw how far each BatchNormalization layer lies from its pretrained statistics."""
    if not drift:
        return
    st.caption("Difference from the pretrained statistics, layer by layer (BatchNormalization; 0% expected):")
    _table(
        "Drift of each BatchNormalization layer",
        (
            {"layer": row.layer, "moving mean": f"{row.mean:.2%}", "moving variance": f"{row.variance:.2%}"}
            for row in drift
        ),
    )


def _draw_precision(precision: str | None) -> None:
    if precision == "mixed_float16":
        st.caption("Computed in half precision (mixed_float16), which this GPU gains from; weights stay in float32.")


def _table(alt: str, rows: Iterable[dict[str, Any]]) -> None:
    frame = pd.DataFrame(list(rows))
    st.dataframe(frame, hide_index=True, height=ROW_HEIGHT_PX * (1 + min(len(frame), TABLE_ROWS_SHOWN)), alt=alt)
