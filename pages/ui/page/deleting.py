"""Deleting in the browser: what would go is said first, and then a bar offers to undo it."""

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.page import selection
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, literal, sentence
from thaw.disk import trash
from thaw.disk.holdings import Holding, find_holding
from thaw.disk.usage import freed_bytes, is_measured, start_measuring
from thaw.storage.store import Store
from thaw.storage.trash import Trashed
from tlcore.errors import ThawError

# In the session: the ids of the entries of the trash that this tab put there last.
DELETED = "deleted entries"
NOUNS = {
    "runs": ("run", "runs"),
    "exports": ("export", "exports"),
    "projects": ("saved project", "saved projects"),
    "checks": ("check", "checks"),
}
KINDS = {
    "dataset": "the data set",
    "run": "the run",
    "export": "the export of",
    "project": "the saved project",
    "features": "the cached features",
    "downloads": "the downloads",
    "speed": "the measured speeds",
}
UNNAMED = ("features", "downloads", "speed")
LATER = (
    "First into the trash: you can undo it until the trash is emptied, on the Disk page or when Thaw starts again. "
    "(What is younger than an hour stays.)"
)
MOST_NAMED = 5


def offer(store: Store, thing_ids: Sequence[str], label: str) -> None:
    """Draw the button that says what deleting things would take along, with the one in it that does it."""
    with st.popover(label, icon=":material/delete:", on_change="rerun", key=f"delete {' '.join(thing_ids)}") as panel:
        if not panel.open:
            return
        try:
            found = apart([find_holding(store, each) for each in thing_ids])
        except ThawError as problem:
            st.caption(sentence(str(problem)))
            return
        sizes = measure(store, found)
        st.markdown(f"Delete {_listing(found)}{_in_brackets(sizes)}?")
        for words in (tell_company(found), tell_staying(found)):
            if words:
                st.markdown(words)
        if any(each.kind == "dataset" for each in found):
            st.markdown("Your original photos are where you left them: Thaw never touches them.")
        st.caption(LATER)
        st.button(
            "Delete",
            type="primary",
            icon=":material/delete:",
            on_click=delete,
            args=(store, sizes),
            key=f"really delete {' '.join(thing_ids)}",
        )


def measure(store: Store, found: Sequence[Holding]) -> dict[str, int | None]:
    """Return what the deletion of each thing frees, in bytes; None where that is still being measured."""
    unmeasured = [each for each in found if not is_measured(store.workspace, each)]
    if unmeasured:
        start_measuring(store.workspace, unmeasured)
    return {each.id: None if each in unmeasured else freed_bytes(store.workspace, each) for each in found}


def apart(found: Sequence[Holding]) -> list[Holding]:
    """Return the things that go with no other of them."""
    ids = {each.id for each in found}
    return [
        each
        for each in found
        if each.kind == "dataset" or ids.isdisjoint({each.dataset_id, each.id.partition("/")[0]} - {each.id})
    ]


def tell_company(found: Sequence[Holding]) -> str:
    """Say what is deleted along with things, or return nothing where that is nothing."""
    counts = {name: sum(each.goes_with.get(name, 0) for each in found) for name in NOUNS}
    words = [amounts.count(count, *NOUNS[name]) for name, count in counts.items() if count]
    return f"This also removes **{_join(words)}**." if words else ""


def tell_staying(found: Sequence[Holding]) -> str:
    """Say what was made from things and stays, or return nothing where that is nothing."""
    runs = sum(each.stays.get("runs", 0) for each in found)
    if not runs:
        return ""
    stay = "stays" if runs == 1 else "stay"
    return f"{amounts.count(runs, 'run')} that began with it {stay}; only the comparison with it is no longer there."


def delete(store: Store, sizes: Mapping[str, int | None]) -> None:
    """Delete things and remember it for the bar, or say why not one of them could be."""
    try:
        entries = trash.delete_together(store, sizes)
    except ThawError as problem:
        st.toast(sentence(str(problem)), icon=":material/error:", duration="long")
        return
    st.session_state[DELETED] = [entry.id for entry in entries]
    for entry in entries:
        if entry.kind in ("dataset", "run") and selection.chosen(entry.kind) == entry.subject:
            selection.choose(entry.kind, None)
            selection.choose("run", None)


def undo_bar(store: Store) -> None:
    """Draw what this tab deleted last, with Undo, as long as it is in the trash; the place is kept when it is empty."""
    with st.container():
        wanted = st.session_state.get(DELETED, [])
        entries = [entry for entry in store.trash() if entry.id in wanted and entry.state == "kept"] if wanted else []
        if not entries:
            return
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            named = _join([tell(entry) for entry in entries[:MOST_NAMED]])
            more = f" and {len(entries) - MOST_NAMED} more" if len(entries) > MOST_NAMED else ""
            st.markdown(f"Deleted: {named}{more}.", width="stretch")
            ids = [entry.id for entry in reversed(entries)]
            st.button("Undo", icon=":material/undo:", on_click=undo, args=(store, ids), key="undo the deletion")


def undo(store: Store, trash_ids: Sequence[str]) -> None:
    """Bring entries of the trash back, and say so."""
    try:
        entries = trash.undelete_together(store, trash_ids)
    except ThawError as problem:
        st.toast(sentence(str(problem)), icon=":material/error:", duration="long")
        return
    for entry in entries:
        if entry.kind in ("dataset", "run"):
            selection.choose(entry.kind, entry.subject)
    st.toast(f"Brought back: {_join([tell(entry) for entry in entries[:MOST_NAMED]])}.", icon=":material/undo:")


def tell(entry: Trashed) -> str:
    """Return what an entry of the trash is in words, with what went along and its size."""
    title = "" if entry.kind in UNNAMED else f" {emphasised(entry.detail['title'])}"
    words = [amounts.count(entry.detail[name], *nouns) for name, nouns in NOUNS.items() if entry.detail.get(name)]
    along = f" with {_join(words)}" if words else ""
    return f"{_name(entry.kind)}{title}{along}{_in_brackets({'': entry.detail.get('bytes')})}"


def _listing(found: Sequence[Holding]) -> str:
    named = [
        _name(each.kind)
        + ("" if each.kind in UNNAMED else f" {emphasised(each.title)}")
        + (f" ({literal(each.id)})" if each.kind == "run" else "")
        for each in found[:MOST_NAMED]
    ]
    more = [f"{len(found) - MOST_NAMED:,} more"] if len(found) > MOST_NAMED else []
    return _join([*named, *more])


def _in_brackets(sizes: Mapping[str, int | None]) -> str:
    known = [size for size in sizes.values() if size is not None]
    return f" ({amounts.size(sum(known))})" if known and len(known) == len(sizes) else ""


def _join(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def _name(kind: str) -> str:
    return expert.either("impressions", KINDS[kind]) if kind == "features" else KINDS[kind]
