"""The bar above every page: which photos are looked at and which run, and the choice among others."""

import sqlite3
from collections.abc import Callable, Sequence

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.page import selection
from pages.ui.words import amounts
from pages.ui.words.names import sentence, visible
from pages.ui.words.options import dataset_names, distinct
from thaw.storage.records import Dataset
from thaw.storage.store import Store
from tlcore.models.backbones import title_of

_styles = st.components.v2.component(
    "thaw_choice_bar", html="<i hidden></i>", css=read_assets("page/choice_bar.css"), isolate_styles=False
)

KEY = "choice-bar"
PHOTOS, RUN = "Photos", "Run"
# Their own lists are of runs.
WITHOUT_RUN = ("compare",)


def draw(kept: Store, datasets: Sequence[Dataset]) -> None:
    """Draw the data set and the run that are chosen, each as a picker where there are others.

    `datasets` are all that are here, newest first; where there is none, nothing is drawn.
    """
    present, runs = selection.settle(kept, datasets)
    if present is None:
        return
    with st.container(key=KEY, horizontal=True, vertical_alignment="center"):
        if len(datasets) > 1:
            names = dataset_names(datasets)
            _pick("dataset", PHOTOS, [each.id for each in datasets], names)
        else:
            _tell(PHOTOS, present.name)
        if runs and selection.place() not in WITHOUT_RUN:
            _draw_run(runs)
        # In the row, which is the higher by what is still being loaded for it otherwise.
        _styles(key=f"{KEY}-styles")


def _draw_run(runs: Sequence[sqlite3.Row]) -> None:
    names = _name_runs(runs)
    if len(runs) > 1:
        _pick("run", RUN, [run["id"] for run in runs], names)
    else:
        _tell(RUN, names(runs[0]["id"]))


def _pick(kind: str, label: str, options: Sequence[str], names: Callable[[str], str]) -> None:
    """Draw a picker of one key for good, so that what has the focus keeps it."""
    key = f"{kind} of the bar"
    st.session_state[key] = selection.chosen(kind)
    # Taken before the page's script runs: the page is one of what has been picked, from its first line.
    st.selectbox(
        label,
        options,
        format_func=names,
        key=key,
        on_change=lambda: selection.choose(kind, st.session_state[key]),
    )


def _tell(label: str, name: str) -> None:
    st.markdown(f":gray[{label}] {sentence(name)}", width="content")


def _name_runs(runs: Sequence[sqlite3.Row]) -> Callable[[str], str]:
    """Return what to call each run, by its id: the minute in which it began and its backbone."""
    by_id = {run["id"]: run for run in runs}

    def name(run_id: str) -> str:
        title = visible(title_of(by_id[run_id]["backbone"]))
        return f"{amounts.moment(by_id[run_id]['created_at'])}, {title}"

    return distinct(by_id, name, lambda run_id: amounts.time_of_day(by_id[run_id]["created_at"]), str)
