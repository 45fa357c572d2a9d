"""What the person is looking at: choices in the address bar, so that a refresh or a second tab finds them again."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from pages.ui.components.assets import read_assets
from pages.ui.components.expert import expert
from pages.ui.server.asker import find_asker
from pages.ui.words import amounts
from thaw.storage.records import Dataset, Job, Run
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import ThawError
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import BACKBONES, FRESH
from tlcore.settings import PARTS, HeadSettings, Parts

KEYS = ("dataset", "backbone", "run", "import", "validation", "seed", "later", "parts", "compare")
SHARES = (0.05, 0.5)
LATER_SHARES = (0.0, 0.5)
LARGEST_SEED = 2**31 - 1
NOUNS = {"dataset": "data set", "run": "run", "import": "import"}
GONE = "(deleted, or of another workspace)"

_one_entry = st.components.v2.component("thaw_address", js=read_assets("page/address.js"))


def store() -> Store:
    """Return the store of this server's workspace, for whoever looks at the page."""
    return Store(open_workspace(), asker=find_asker(st.context.cookies))


def recall(page: str) -> None:
    """Bring the choices of the address bar and of the session together, on the page that is about to be drawn.

    The address wins where it says what this visit of the page has not heard: a link was followed, or Back pressed.
    What it has heard comes with a click that was made before the browser took in the newest choice.
    """
    visit, said = _visit(), address()
    if visit.page != page or said not in visit.heard:
        if visit.page != page:
            visit.page, visit.heard = page, []
        visit.lost = []
        _take(said)
    _hear(visit, said)


def tell() -> None:
    """Write the choices into the address bar, and have the browser keep one entry of its history for each visit.

    Not as a session begins: what has been chosen then stands there already, or is what anyone would be shown, and the
    browser has yet to be told to add no entry for it.
    """
    visit, wanted = _visit(), as_query()
    if visit.begun and address() != wanted:
        _hear(visit, wanted)
        others = {key: st.query_params.get_all(key) for key in st.query_params if key not in KEYS}
        st.query_params.from_dict({**others, **wanted})
    visit.begun = True
    _one_entry(key="address")


def place() -> str | None:
    """Return the address of the page that is visited, or None before any."""
    return _visit().page


def address() -> dict[str, str]:
    """Return the choices that the address bar has."""
    return {key: st.query_params[key] for key in KEYS if st.query_params.get(key)}


def chosen(key: str) -> str | None:
    """Return the chosen value of one of `KEYS` as text, or None."""
    return _choices().get(key)


def choose(key: str, value: str | None) -> None:
    """Remember a choice in the session, and with `tell` in the address bar; None forgets it.

    Another data set lets go of the runs that were chosen of the one before.
    """
    choices = _choices()
    if value is None:
        choices.pop(key, None)
        return
    if key == "dataset" and choices.get(key, value) != value:
        choices.pop("compare", None)
        choices.pop("run", None)
    choices[key] = value


def choose_started(key: str, start: Callable[[], str]) -> None:
    """Choose what `start` starts and returns, even where another click comes meanwhile.

    Streamlit ends a script for that at its next look into the session: here this lies before the start.
    """
    choices = _choices()
    choices[key] = start()


def check_address(kept: Store, datasets: Sequence[Dataset]) -> None:
    """Forget what is chosen and is not here, and say so for as long as the person stays on the page.

    `datasets` are all that are here, newest first.
    """
    choices, lost = _choices(), _visit().lost
    found = {each.id: each for each in datasets}
    for key, has in (("dataset", found.__getitem__), ("run", kept.run), ("import", kept.job)):
        if key in choices and not _is_there(has, choices[key]):
            del choices[key]
            lost.append(f"The {NOUNS[key]} in this address is not here {GONE}. {_tell_instead(kept, key)}")
    if choices.get("backbone", HeadSettings().backbone) not in {*BACKBONES, *FRESH}:
        del choices["backbone"]
        what = expert.either("ready-made eye (backbone)", "backbone")
        lost.append(f"The {what} in this address is none that Thaw knows. Chosen is {backbone().title}.")
    if _visit().page == "compare":
        compared = [run_id for run_id in (choices.get("compare") or "").split(",") if run_id]
        here = [run_id for run_id in compared if _is_there(kept.run, run_id)]
        if here != compared:
            choose("compare", ",".join(here) or None)
            missing = amounts.count(len(compared) - len(here), "run is", "runs are")
            lost.append(f"Of the runs to compare in this address, {missing} not here {GONE}.")
    for words in dict.fromkeys(lost):
        st.warning(words, icon=":material/link_off:")


def settle(kept: Store, datasets: Sequence[Dataset]) -> tuple[Dataset | None, list[sqlite3.Row]]:
    """Choose a data set and one of its runs, the newest where none is chosen, and one that a chosen run belongs to.

    `datasets` are all that are here, newest first. Return the data set and the outlines of its runs, newest first.
    """
    here = {each.id: each for each in datasets}
    present = here.get(chosen("dataset") or "", next(iter(datasets), None))
    if present is None:
        return None, []
    runs, known = kept.run_outlines(present.id), chosen("run")
    if known and known not in [run["id"] for run in runs]:
        present = here.get(kept.run(known).dataset_id, present)
        runs = kept.run_outlines(present.id)
    choose("dataset", present.id)
    choose("run", next((run["id"] for run in runs if run["id"] == known), runs[0]["id"] if runs else None))
    return present, runs


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
    """Return the chosen backbone, which may be one that learns from scratch, else the default one."""
    return FRESH.get(chosen("backbone") or "") or eye()


def eye() -> Backbone:
    """Return the chosen backbone if it has learnt from photos, else the default one: for what needs one that has."""
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
            choose("run", found.id)
            return found
    wanted = dataset(kept)
    for candidate in kept.runs():
        if wanted and candidate.dataset_id == wanted.id:
            choose("run", candidate.id)
            return candidate
    return None


@dataclass
class Visit:
    """One stay on a page: the addresses that were heard of or written in it, and what the address named in vain."""

    page: str | None = None
    heard: list[dict[str, str]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    begun: bool = False


def _choices() -> dict[str, str]:
    found: dict[str, str] = st.session_state.setdefault("choices", {})
    return found


def _visit() -> Visit:
    found: Visit = st.session_state.setdefault("visit", Visit())
    return found


def _hear(visit: Visit, said: dict[str, str]) -> None:
    if said not in visit.heard:
        visit.heard.append(said)


def _take(said: dict[str, str]) -> None:
    """Take over what an address says; a run belongs to the data set that it was chosen with."""
    choices = _choices()
    if said.get("dataset", choices.get("dataset")) != choices.get("dataset"):
        choices.pop("run", None)
        choices.pop("compare", None)
    choices.update(said)


def _is_there(find: Callable[[str], object], key: str) -> bool:
    try:
        find(key)
    except (KeyError, ThawError):
        return False
    return True


def _tell_instead(kept: Store, key: str) -> str:
    """Say what is shown in the place of a data set or run that is not here."""
    if key == "import":
        return "Its photos, if it has finished, are among the data sets."
    shown = dataset(kept) if key == "dataset" else run(kept)
    return "Shown is the newest." if shown else f"There is no other {NOUNS[key]} to show."


def _number(key: str, default: float, low: float, high: float) -> float:
    try:
        value = float(chosen(key) or default)
    except ValueError:
        return default
    return value if low <= value <= high else default
