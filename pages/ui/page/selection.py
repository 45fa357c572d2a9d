"""What the person is looking at: choices in the address bar, so that a refresh or a second tab finds them again."""

import streamlit as st

from pages.ui.words import amounts
from pages.ui.words.options import distinct
from thaw.storage.records import Dataset, Job, Run
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import ThawError
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import BACKBONES
from tlcore.settings import PARTS, HeadSettings, Parts

KEYS = ("dataset", "backbone", "run", "import", "validation", "seed", "later", "parts", "compare")
SHARES = (0.05, 0.5)
LATER_SHARES = (0.0, 0.5)
LARGEST_SEED = 2**31 - 1


def store() -> Store:
    """Return the store of this server's workspace."""
    return Store(open_workspace())


def recall() -> None:
    """Bring the choices of the address bar and of the session together; the address bar wins."""
    for key in KEYS:
        if key in st.query_params:
            st.session_state[key] = st.query_params[key]
        elif st.session_state.get(key):
            st.query_params[key] = st.session_state[key]


def chosen(key: str) -> str | None:
    """Return the chosen value of one of `KEYS` as text, or None."""
    return st.session_state.get(key)


def choose(key: str, value: str | None) -> None:
    """Remember a choice in the session and in the address bar; None forgets it."""
    if value is None:
        st.session_state.pop(key, None)
        st.query_params.pop(key, None)
    else:
        st.session_state[key] = value
        if st.query_params.get(key) != value:
            st.query_params[key] = value


def validation_share() -> float:
    """Return the chosen share of each class that is held out for validation, within `SHARES`, else the default."""
    return _number("validation", HeadSettings().validation_split, *SHARES)


def later_share() -> float:
    """Return the chosen share of the newest dated photos kept for "later", within `LATER_SHARES`, else none."""
    return _number("later", HeadSettings().later_share, *LATER_SHARES)


def parts() -> Parts:
    """Return whose validation photos are chosen where a split came with the photos, else the default."""
    return next((each for each in PARTS if each == chosen("parts")), HeadSettings().parts)


def seed() -> int:
    """Return the chosen seed of the split and of the training, else the default."""
    return int(_number("seed", HeadSettings().seed, 0, LARGEST_SEED))


def as_query() -> dict[str, str]:
    """Return the choices as query parameters for a link."""
    return {key: value for key in KEYS if (value := chosen(key))}


def backbone() -> Backbone:
    """Return the chosen backbone, else the default one."""
    return BACKBONES.get(chosen("backbone") or "", BACKBONES[HeadSettings().backbone])


def import_job(kept: Store) -> Job | None:
    """Return the import that is followed, else one that is going on, else None."""
    known = chosen("import")
    if known:
        try:
            return kept.job(known)
        except ThawError:
            choose("import", None)
    return next((job for job in kept.jobs("import", "open") if job.active), None)


def dataset(kept: Store) -> Dataset | None:
    """Return the chosen data set, else the newest, else None."""
    known = chosen("dataset")
    if known:
        try:
            return kept.dataset(known)
        except ThawError:
            choose("dataset", None)
    newest = kept.datasets()[:1]
    if newest:
        choose("dataset", newest[0].id)
    return newest[0] if newest else None


def run(kept: Store) -> Run | None:
    """Return the chosen run, else the newest of the chosen data set, else None."""
    known = chosen("run")
    if known:
        try:
            found = kept.run(known)
        except ThawError:
            choose("run", None)
        else:
            choose("dataset", found.dataset_id)
            return found
    wanted = dataset(kept)
    for candidate in kept.runs():
        if wanted and candidate.dataset_id == wanted.id:
            choose("run", candidate.id)
            return candidate
    return None


def run_picker(kept: Store, present: Run) -> None:
    """Draw the choice among the runs of the present run's data set, where there are several."""
    runs = {each.id: each for each in kept.runs() if each.dataset_id == present.dataset_id}
    if len(runs) < 2:
        return
    picked = st.selectbox(
        "Run",
        list(runs),
        index=list(runs).index(present.id),
        format_func=distinct(runs, lambda run_id: _describe(runs[run_id]), str),
        key=f"run picker {present.id}",
    )
    if picked and picked != present.id:
        choose("run", picked)
        st.rerun()


def _number(key: str, default: float, low: float, high: float) -> float:
    try:
        value = float(chosen(key) or default)
    except ValueError:
        return default
    return value if low <= value <= high else default


def _describe(run: Run) -> str:
    return f"{run.backbone}, {amounts.moment(run.created_at)} ({run.id})"
