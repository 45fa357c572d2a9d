"""The Compare page: several runs on one chart and in one table, what differs between them, and what chance may do."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.evaluation import accuracy as judgement
from pages.ui.evaluation import prediction_changes
from pages.ui.figures.comparison_figure import Line, validation_curves
from pages.ui.page import prediction_cache, selection, steps
from pages.ui.runs import compared_detectors
from pages.ui.words import amounts
from pages.ui.words.glossary import plainly
from pages.ui.words.names import csv, emphasised, sentence, visible
from thaw.detection import comparison as detectors
from thaw.detection.comparison import Found
from thaw.detection.found import FoundPhotos
from thaw.runs import comparison
from thaw.runs.comparison import MOST_RUNS, ComparedRun, level
from thaw.storage.records import Dataset, Run
from thaw.storage.store import Store
from thaw.training.run_facts import kept_epoch
from tlcore.errors import RunError
from tlcore.evaluation.predictions import VALIDATION
from tlcore.models.backbones import title_of

MOST_LISTED = 100
FEWEST_RUNS = 2
NAMED, LEGEND_LETTERS = 2, 18
LEVELLED = (
    "Photos were moved to another class or excluded between these runs. So that they can be compared, each is judged "
    "on the photos that judged all of them, by the classes that the newest run saw."
)
DIFFERS, SAME, NONE = "≠ differs", "same", "–"


def list_runs(store: Store, runs: Sequence[Run], names: dict[str, str]) -> list[dict[str, Any]]:
    """Describe each run as one row of the list, with a column for every set of photos that judges any of them."""
    told = [tell_scores(store, run) for run in runs]
    sides = dict.fromkeys(side for each in told for side in each)
    return [
        {"Started": amounts.moment(run.created_at)}
        | {side: each.get(side, NONE) for side in sides}
        | describe(run, names)
        for run, each in zip(runs, told, strict=True)
    ]


def tell_scores(store: Store, run: Run) -> dict[str, str]:
    """Put into words how good a run is on every set of photos that judges it, by the set's title."""
    if run.head.task == "detect":
        return compared_detectors.tell_scores(store, run)
    return {side: share(accuracy) for side, accuracy in judge(store, run).items()}


def describe(run: Run, names: dict[str, str]) -> dict[str, Any]:
    """Say what a run was trained on and how."""
    head = run.head
    tuned = run.fine_tune
    if not expert.is_on():
        return {
            "Data set": visible(names.get(run.dataset_id, run.dataset_id)),
            "Eye": title_of(run.backbone),
            "Layers that adapted": tuned.layers if tuned else 0,
            "Time": amounts.duration(spent(run)),
        }
    rates = [head.learning_rate, *([tuned.learning_rate] if tuned and tuned.learning_rate else [])]
    size = run.facts.image_size or head.image_size
    return {
        "Data set": visible(names.get(run.dataset_id, run.dataset_id)),
        "Version": run.facts.dataset_version,
        "Backbone": title_of(run.backbone),
        "Unfrozen": tuned.layers if tuned else 0,
        "Rates": ", then ".join(f"{rate:g}" for rate in rates),
        "Pixels": size,
        "Augmentation": head.augmentation,
        "Time": amounts.duration(spent(run)),
        "Run": run.id,
    }


def judge(store: Store, run: Run) -> dict[str, float | None]:
    """Return a run's accuracy on every set of photos, by its title; on validation it is on record with the epochs."""
    best = kept_epoch(run, store.epochs(run.id), run.result_phase) if run.result_phase else None
    measured: dict[str, float | None] = {judgement.title(VALIDATION): best.val_accuracy if best else None}
    if run.result_phase and any(run.facts.extra_images.values()):
        extra = prediction_cache.accuracies(store, run)
        measured |= {judgement.title(side): found.value for side, found in extra.items() if side != VALIDATION}
    return measured


def share(accuracy: float | None) -> str:
    """Put an accuracy into words."""
    return NONE if accuracy is None else amounts.percent(accuracy)


def spent(run: Run) -> float | None:
    """Return the seconds that both phases of a run took, or None before that is known."""
    phases = [phase.seconds.total for phase in (run.facts.head, run.facts.fine_tune) if phase.seconds]
    return sum(phases) if phases else None


def pick(store: Store, runs: Sequence[Run], names: dict[str, str]) -> list[Run]:
    """Draw the list of runs with a box to tick at each; return the runs that are ticked."""
    ids = [run.id for run in runs]
    known = [run_id for run_id in (selection.chosen("compare") or "").split(",") if run_id in ids]
    dataset = selection.dataset(store)
    ticked = known or suggest(runs, dataset)
    rows = st.dataframe(
        list_runs(store, runs, names),
        hide_index=True,
        # Rows are ticked by number: a list with a new run in it is another list.
        key=f"runs to compare {len(runs)} {ids[0]} {dataset.id if dataset else ''}",
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(run_id) for run_id in ticked]}},
        placeholder=NONE,
        alt="Runs, newest first, with a box to tick at each",
    ).selection.rows
    chosen = [runs[row] for row in sorted(rows)]
    selection.choose("compare", ",".join(run.id for run in chosen) or None)
    return chosen


def suggest(runs: Sequence[Run], dataset: Dataset | None) -> list[str]:
    """Return the runs to compare before any is ticked: the newest that have a model and do the same, the chosen data
    set's first."""
    done = [run for run in runs if run.result_phase]
    chosen = [run for run in done if dataset and run.dataset_id == dataset.id]
    listed = [*chosen, *(run for run in done if run not in chosen)]
    tasks = dict.fromkeys(run.head.task for run in listed)
    alike = [[run.id for run in listed if run.head.task == task][:FEWEST_RUNS] for task in tasks]
    return max(alike, key=len, default=[])


def enter(store: Store, runs: Sequence[Run], names: dict[str, str]) -> list[ComparedRun]:
    """Give each run its letter and read what its model said of the validation images."""
    entries = []
    for letter, run in zip(comparison.LETTERS, runs, strict=False):
        try:
            judged = run.result_phase and run.head.task == "classify"
            predictions = prediction_cache.predictions(store, run) if judged else None
        except RunError:
            predictions = None
        entries.append(ComparedRun(letter, run, names.get(run.dataset_id, run.dataset_id), predictions))
    return entries


def draw_summary(entries: Sequence[ComparedRun], found: Found) -> None:
    """Say which letter is which run, which one is better, and what speaks against comparing them."""
    st.markdown("  \n".join(introduce(entry, found.get(entry.letter)) for entry in entries))
    if any(entry.told is not None for entry in entries):
        st.caption(expert.kinds(LEVELLED))
    warning = detectors.warn(entries, found) if found else comparison.warn(entries)
    if warning:
        st.warning(sentence(_say(warning)), icon=":material/warning:")
    summary = detectors.summarise(entries, found) if found else comparison.summarise(entries)
    if summary:
        st.info("\n\n".join(sentence(_say(each)) for each in summary), icon=":material/balance:")
    if len(entries) > FEWEST_RUNS:
        st.caption("The best of several is partly the luckiest: the more runs, the larger a difference has to be.")


def _say(words: str) -> str:
    return expert.either(plainly(words), words)


def introduce(entry: ComparedRun, found: FoundPhotos | None) -> str:
    """Say which run a letter stands for, for Markdown."""
    # Not a colon after a time of day: Streamlit would take `:30:` for an emoji, and load its list of them.
    accuracy = f" – **{amounts.percent(entry.judged.accuracy)}**" if entry.judged else ""
    if found is not None:
        accuracy = compared_detectors.introduce(found)
    if entry.told is not None:
        accuracy += f" (told as {amounts.percent(entry.told)}, by the photos and classes of that time)"
    return (
        f"**{entry.letter}** {emphasised(entry.dataset)}, {sentence(title_of(entry.run.backbone))}, "
        f"{amounts.moment(entry.run.created_at)}{accuracy}"
    )


def draw_curves(store: Store, entries: Sequence[ComparedRun]) -> None:
    """Draw the validation curves of the runs, each named by what tells it from the others."""
    differing = [row for row in comparison.compare_settings(entries) if row.differs][:NAMED]
    lines = [
        Line(
            entry.letter,
            ", ".join(f"{_say(row.name.lower())} {shorten(cell(entries, row.values, place))}" for row in differing),
            store.epochs(entry.run.id),
        )
        for place, entry in enumerate(entries)
    ]
    st.header(expert.either("Round by round (epochs)", "Epoch by epoch"), anchor=False)
    reached = "; ".join(
        f"{line.letter} ends at {amounts.percent(line.epochs[-1].val_accuracy)}" for line in lines if line.epochs
    )
    detects = entries[0].run.head.task == "detect"
    told = expert.either("Share of exam photos right, round by round,", "Validation accuracy and loss by epoch")
    if detects:
        told = expert.either("AP50 on the exam photos, round by round,", "AP50 and loss on validation by epoch")
    figure(
        validation_curves(lines, expert.is_on(), detects),
        key=f"comparison of {' '.join(entry.run.id for entry in entries)}",
        name="comparison",
        zoom=True,
        alt=f"{told} of {amounts.count(len(lines), 'run')}: {reached}",
    )


def draw_settings(entries: Sequence[ComparedRun], found: Found) -> None:
    """Draw the settings of the runs as a table, those that differ first and marked in words, with its download."""
    rows = [
        {
            "": DIFFERS if row.differs else SAME,
            "Setting": row.name,
            **{entry.letter: cell(entries, row.values, place) for place, entry in enumerate(entries)},
        }
        for row in comparison.compare_settings(entries)
    ]
    st.header("What differs", anchor=False)
    st.dataframe(rows, hide_index=True, alt="Settings of the runs; those that differ come first and say so")
    st.download_button(
        "Comparison as CSV",
        csv(results(entries, found) + rows, list(rows[0])),
        file_name="comparison.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def results(entries: Sequence[ComparedRun], found: Found) -> list[dict[str, Any]]:
    """Return the lines of the CSV that are no settings: which run a letter is, and how it did."""
    judged: dict[str, list[Any]] = {
        "Validation accuracy": [entry.judged.accuracy if entry.judged else NONE for entry in entries],
        "Told at its time": [NONE if entry.told is None else entry.told for entry in entries],
        "Validation images": [len(entry.judged.images) if entry.judged else NONE for entry in entries],
    }
    figures: dict[str, list[Any]] = {
        "Run": [entry.run.id for entry in entries],
        "Started": [amounts.moment(entry.run.created_at) for entry in entries],
        **(compared_detectors.list_figures(entries, found, NONE) if found else judged),
        "Seconds": [spent(entry.run) or NONE for entry in entries],
    }
    letters = [entry.letter for entry in entries]
    return [{"": "", "Setting": name, **dict(zip(letters, values, strict=True))} for name, values in figures.items()]


def cell(entries: Sequence[ComparedRun], values: Sequence[Any], place: int) -> str:
    """Put one run's value of a setting into words."""
    value = values[place]
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        name, dataset_id = value
        twins = {other[1] for other in values if other and other[0] == name}
        return visible(name) if len(twins) == 1 else f"{visible(name)} ({dataset_id})"
    return f"{value:g}" if isinstance(value, float) else visible(title_of(str(value)))


def shorten(text: str) -> str:
    """Cut a value that would push the others out of the figure's legend."""
    return text if len(text) <= LEGEND_LETTERS else f"{text[: LEGEND_LETTERS - 1]}…"


def draw(store: Store) -> None:
    """Draw the whole page."""
    runs = store.runs()[:MOST_LISTED]
    if len(runs) < FEWEST_RUNS:
        steps.missing("head", "It takes two runs to compare.", "Train a head with other settings (phase 1)")
    names = {dataset.id: dataset.name for dataset in store.datasets()}
    chosen = pick(store, runs, names)
    st.caption(f"Tick two to {MOST_RUNS} runs. On the keyboard: arrow keys, then Shift and Space.")
    if len(chosen) < FEWEST_RUNS:
        st.info("Tick at least two runs above.", icon=":material/checklist:")
        return
    if len(chosen) > MOST_RUNS:
        st.info(f"These are the first {MOST_RUNS} of {len(chosen)} ticked runs.", icon=":material/checklist:")
    if len({run.head.task for run in chosen[:MOST_RUNS]}) > 1:
        st.info(compared_detectors.MIXED, icon=":material/rule:")
        return
    entries = level(enter(store, chosen[:MOST_RUNS], names))
    found = compared_detectors.read(store, entries) if chosen[0].head.task == "detect" else {}
    draw_summary(entries, found)
    prediction_changes.draw(entries)
    draw_curves(store, entries)
    if expert.is_on():
        draw_settings(entries, found)


steps.heading("compare")
draw(selection.store())
