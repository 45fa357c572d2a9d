"""The History page: every run with what it was made of, to filter, sort, compare, and take along."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.figures import history_figure
from pages.ui.page import deleting, selection, steps
from pages.ui.runs import run_downloads
from pages.ui.words import amounts
from pages.ui.words.names import csv, literal, visible
from pages.ui.words.options import distinct
from thaw.runs.comparison import MOST_RUNS
from thaw.storage.experiments import COLUMNS, Experiment, flatten
from thaw.storage.store import Store
from thaw.tracking.mlflow import VARIABLE, tracking_server
from tlcore.models.backbones import title_of

ANY = "any"
PHASES = {ANY: "All runs", "head": "Head only (phase 1)", "fine_tune": "Fine-tuned (phase 2)"}
NEWEST, VALIDATION, HOLDOUT, UNFROZEN = "newest", "validation", "holdout", "unfrozen"
ORDERS = {
    NEWEST: "Newest first",
    VALIDATION: "Best on validation first",
    HOLDOUT: "Best on the holdout first",
    UNFROZEN: "Most layers unfrozen first",
}
AXES = {history_figure.TIME: "over time", history_figure.SHARE: "by layers unfrozen"}
NONE = "–"
PLAIN_PHASES = PHASES | {"head": "Head only", "fine_tune": "Eye adapted (fine-tuned)"}
PLAIN_ORDERS = ORDERS | {
    VALIDATION: "Best on the exam photos first",
    HOLDOUT: "Best on the extra exam photos (holdout) first",
    UNFROZEN: "Most layers adapted first",
}
PLAIN_AXES = AXES | {history_figure.SHARE: "by layers that adapted"}
PLAIN_COLUMNS = {
    "Started": "Started",
    "Data set": "Data set",
    "Validation": "Exam photos",
    "Newest photos": "Newest photos",
    "Holdout": "Extra exam photos",
    "Backbone": "Eye",
    "Classes": "Kinds",
    "Photos to learn from": "Photos to learn from",
    "Layers unfrozen": "Layers that adapted",
}


def choose(rows: Sequence[Experiment]) -> list[Experiment]:
    """Draw the filters and the order; return the runs that pass, in that order."""
    datasets = {row.dataset_id: row.dataset_name for row in rows}
    backbones = sorted({row.base_architecture for row in rows})
    phases, orders = (PHASES, ORDERS) if expert.is_on() else (PLAIN_PHASES, PLAIN_ORDERS)
    everything = expert.either("All eyes", "All backbones")
    with st.container(horizontal=True):
        dataset = st.selectbox(
            "Data set",
            [ANY, *datasets],
            format_func=name_datasets(rows),
            width=344,
        )
        backbone = st.selectbox(
            expert.either("Ready-made eye (backbone)", "Backbone"),
            [ANY, *backbones],
            format_func=distinct(
                [ANY, *backbones], lambda each: everything if each == ANY else visible(title_of(each)), str
            ),
            width=344,
        )
        phase = st.selectbox(
            expert.either("What has learnt", "Phase"),
            list(phases),
            format_func=distinct(phases, phases.__getitem__),
            width=344,
        )
        order = st.selectbox("Order", list(orders), format_func=distinct(orders, orders.__getitem__), width=344)
    hint = expert.either("a kind, an eye, a data set …", "a class, a hash, a run's id, a version …")
    text = st.text_input("Search", placeholder=hint).strip().casefold()
    wanted = [
        row
        for row in rows
        if dataset in (ANY, row.dataset_id)
        and backbone in (ANY, row.base_architecture)
        and phase in (ANY, "fine_tune" if row.fine_tuning_start_epoch else "head")
        and text in " ".join(str(value) for value in flatten(row).values()).casefold()
    ]
    return arrange(wanted, order)


def name_datasets(rows: Sequence[Experiment]) -> Callable[[str], str]:
    """Return what to call each data set of the runs in the filter, and all of them."""
    names = {ANY: "All data sets"} | {row.dataset_id: visible(row.dataset_name) for row in rows}
    return distinct(names, names.__getitem__, str)


def arrange(rows: Sequence[Experiment], order: str) -> list[Experiment]:
    """Return runs in an order; those that lack its figure come last."""
    if order == UNFROZEN:
        return sorted(rows, key=lambda row: -row.unfrozen_layers_count)
    if order == NEWEST:
        return list(rows)

    def key(row: Experiment) -> float:
        accuracy = getattr(row, f"final_accuracy_{order}")
        return 1.0 if accuracy is None else -accuracy

    return sorted(rows, key=key)


def describe(row: Experiment) -> dict[str, Any]:
    """Return a run as one row of the table, under the titles of the depth that is chosen."""
    told = describe_fully(row)
    return told if expert.is_on() else {plain: told[title] for title, plain in PLAIN_COLUMNS.items()}


def describe_fully(row: Experiment) -> dict[str, Any]:
    """Return all that is on record of a run as one row of the expert's table."""
    counts = row.class_counts or {}
    classes = {label for side in counts.values() for label, number in side.items() if number}
    return {
        "Started": amounts.moment(datetime.fromisoformat(row.created_at).timestamp()),
        "Data set": visible(row.dataset_name),
        "Validation": _score(row, row.final_accuracy_validation),
        "Newest photos": _score(row, row.final_accuracy_later),
        "Holdout": _score(row, row.final_accuracy_holdout),
        "Backbone": visible(title_of(row.base_architecture)),
        "Version": row.dataset_version,
        "Classes": len(classes) or None,
        # Of a detector the counts are of objects.
        "Photos to learn from": (sum(counts.get("training", {}).values()) or None) if row.task == "classify" else None,
        "Layers frozen": row.frozen_layers_count,
        "Layers unfrozen": row.unfrozen_layers_count,
        "Unfrozen from": visible(row.unfrozen_from_layer or NONE),
        "Rate, phase 1": _rate(row.learning_rate_phase1),
        "Rate, phase 2": _rate(row.learning_rate_phase2),
        "Epochs": row.epochs,
        "Phase 2 from epoch": row.fine_tuning_start_epoch,
        "Pixels": row.image_size,
        "Augmentation": visible(row.augmentation or NONE),
        "Seed": row.split_seed,
        "Device": visible(row.device or NONE),
        "Pretrained weights": visible(row.pretrained_weights or NONE),
        "Run": row.model_id,
    }


def draw_table(rows: Sequence[Experiment]) -> list[Experiment]:
    """Draw the table with a box to tick at each run, and its download; return the runs that are ticked."""
    shown = {column: value for row in map(describe, rows) for column, value in row.items() if value not in (None, NONE)}
    ticked = st.dataframe(
        [{column: value for column, value in describe(row).items() if column in shown} for row in rows],
        hide_index=True,
        # Rows are ticked by number: another list of runs is another table.
        key=f"history of {hash(tuple(row.model_id for row in rows))}",
        on_select="rerun",
        selection_mode="multi-row",
        placeholder=NONE,
        alt=f"Runs with their data, layers{expert.either('', ', rates')} and accuracies, with a box to tick at each",
    ).selection.rows
    st.download_button(
        "Table as CSV",
        csv([flatten(row) for row in rows], COLUMNS),
        file_name="history.csv",
        mime="text/csv",
        icon=":material/download:",
        help=expert.either("With all that is on record.", "With hashes, counts of each class and package versions."),
        on_click="ignore",
    )
    # A single run needs no tick.
    return [rows[place] for place in sorted(ticked)] or list(rows if len(rows) == 1 else ())


def draw_chosen(store: Store, chosen: Sequence[Experiment]) -> None:
    """Draw what can be done with the runs that are ticked."""
    if not chosen:
        st.caption("Tick one run to take it along, or several to compare them. On the keyboard: arrows, Shift + Space.")
    elif len(chosen) == 1:
        run_downloads.draw(store, store.run(chosen[0].model_id))
        deleting.offer(store, [chosen[0].model_id], "Delete this run…")
    else:
        with st.container(border=True, width="content"):
            st.page_link(
                steps.page("compare"),
                label=f"Compare these {min(len(chosen), MOST_RUNS)} runs",
                icon=":material/compare_arrows:",
                query_params={"compare": ",".join(row.model_id for row in chosen[:MOST_RUNS])},
            )
        if len(chosen) > MOST_RUNS:
            st.caption(f"The first {MOST_RUNS} of {len(chosen)}: more lines than that cannot be told apart.")
        deleting.offer(store, [row.model_id for row in chosen], f"Delete these {len(chosen)} runs…")


def draw_figure(rows: Sequence[Experiment]) -> None:
    """Draw the accuracies of the runs on show."""
    measured = [row for row in rows if row.final_accuracy_validation is not None]
    if len(measured) < 2:
        return
    st.header(expert.either("Score (accuracy)", "Accuracy"), anchor=False)
    axes = AXES if expert.is_on() else PLAIN_AXES
    against = st.segmented_control(
        "Accuracy",
        list(axes),
        default=history_figure.TIME,
        required=True,
        format_func=distinct(axes, axes.__getitem__),
        label_visibility="collapsed",
    )
    titles = {row.base_architecture: title_of(row.base_architecture) for row in measured}
    best = max(row.final_accuracy_validation or 0.0 for row in measured)
    figure(
        history_figure.accuracies(measured, against, titles),
        key=f"history {against}",
        name="history",
        zoom=True,
        alt=f"Accuracy of {len(measured)} runs {axes[against]}; the best on "
        f"{expert.either('the exam photos', 'validation')} has {amounts.percent(best)}",
    )
    if "detect" in {row.task for row in measured}:
        st.caption("What finds and counts things is told by AP50, which is no share of photos that are right.")
    if len({row.dataset_id for row in measured}) > 1:
        st.caption("Runs of different data sets are judged on different photos: choose one data set to compare them.")


def draw_mirror() -> None:
    """Say where runs are sent, where the person has asked for that."""
    server = tracking_server()
    if server:
        st.info(
            f"{VARIABLE} is set, so each finished phase is also sent to the MLflow server {literal(server)}: settings, "
            "hashes, counts, accuracies and the data set's name; no photos, and no names of files or "
            f"{expert.kinds('classes')}.",
            icon=":material/cloud_upload:",
        )


def draw(store: Store) -> None:
    """Draw the whole page."""
    deleting.undo_bar(store)
    rows = store.experiments()
    if not rows:
        steps.missing("head", "There is no run yet.", "First teach the head (phase 1)")
    draw_mirror()
    wanted = choose(rows)
    if not wanted:
        st.info("No run is like that. Choose less narrowly.", icon=":material/search_off:")
        return
    st.caption(f"{len(wanted):,} of {amounts.count(len(rows), 'run')}")
    draw_chosen(store, draw_table(wanted))
    draw_figure(wanted)


def _score(row: Experiment, score: float | None) -> str:
    if score is None:
        return NONE
    return f"AP50 {amounts.percent(score)}" if row.task == "detect" else amounts.percent(score)


def _rate(rate: float | None) -> str:
    return NONE if rate is None else f"{rate:g}"


steps.heading("history")
draw(selection.store())
