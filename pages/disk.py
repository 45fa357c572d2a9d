"""The Disk page: what Thaw keeps on this disk, what depends on what, deleting it, and bringing it back."""

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.figures.disk_figure import KINDS, name_kind, where_bytes_go
from pages.ui.page import deleting, selection, steps
from pages.ui.page.deleting import NOUNS
from pages.ui.words import amounts
from pages.ui.words.names import capital, literal, sentence, visible
from thaw.disk import trash
from thaw.disk.holdings import Holding, list_holdings
from thaw.disk.usage import Usage, is_measured, measure_usage, own_bytes, start_measuring
from thaw.storage.store import Store
from thaw.storage.trash import Trashed
from tlcore.errors import ThawError
from tlcore.features.cache import BUDGET_BYTES

METRIC_WIDTH = 164
PATIENCE_S = 0.3
POLL_S = 1.0
UNKNOWN = "…"
ONE_OF_EACH = {
    "dataset": "Data set",
    "run": "Run",
    "export": "Export",
    "project": "Saved project",
    "features": "Cached features",
    "downloads": "Download",
    "speed": "Measured speeds",
}


def read_sizes(store: Store, holdings: Sequence[Holding]) -> dict[str, int]:
    """Return the bytes of every thing whose size is known by now; the others are measured meanwhile."""
    unmeasured = [each for each in holdings if not is_measured(store.workspace, each)]
    if unmeasured:
        # A small workspace is measured at once.
        start_measuring(store.workspace, unmeasured).join(PATIENCE_S)
    return {each.id: own_bytes(store.workspace, each) for each in holdings if is_measured(store.workspace, each)}


def draw_numbers(usage: Usage, whole: bool) -> None:
    """Draw how much Thaw takes, how much is free, and how far the caches may grow."""
    numbers = [
        ("Kept by Thaw", _brief(usage.thaw) if whole else UNKNOWN, None),
        ("Free on this disk", _brief(usage.free), f"Of {amounts.size(usage.total)} in all."),
        (
            name_kind("features"),
            _brief(usage.by_kind.get("features", 0)),
            f"{expert.either('What the eye notes of a photo (features), kept. ', '')}At most "
            f"{amounts.size(BUDGET_BYTES)}: what was used longest ago makes room. Computed again when needed.",
        ),
        ("In the trash", _brief(usage.by_kind.get("trash", 0)), "Still on the disk until it is emptied."),
    ]
    with st.container(horizontal=True):
        for label, number, explanation in numbers:
            st.metric(label, number, border=True, width=METRIC_WIDTH, help=explanation)


def draw_figure(usage: Usage) -> None:
    """Draw where the bytes go."""
    told = ", ".join(
        f"{name_kind(kind)} {amounts.size(usage.by_kind[kind])}" for kind in KINDS if kind in usage.by_kind
    )
    figure(where_bytes_go(usage.by_kind), key="where the bytes go", name="disk", alt=f"Where the bytes go: {told}")


def draw_table(holdings: Sequence[Holding], sizes: Mapping[str, int]) -> list[Holding]:
    """Draw everything that can be deleted, the largest first, with a box to tick at each; return what is ticked."""
    rows = sorted(holdings, key=lambda each: -sizes.get(each.id, 0))
    ticked = st.dataframe(
        [_describe(each, sizes) for each in rows],
        hide_index=True,
        column_config={name: st.column_config.TextColumn(width="medium") for name in ("Name", "With it")},
        # Rows are ticked by number: another list is another table.
        key=f"things {hash(tuple(each.id for each in rows))}",
        on_select="rerun",
        selection_mode="multi-row",
        alt="What Thaw keeps, with sizes, when it was made and what goes with it, with a box to tick at each",
    ).selection.rows
    return [rows[place] for place in sorted(ticked)]


def draw_chosen(store: Store, chosen: Sequence[Holding]) -> None:
    """Draw what can be done with what is ticked."""
    if chosen:
        number = "this" if len(chosen) == 1 else f"these {len(chosen)}"
        deleting.offer(store, [each.id for each in chosen], f"Delete {number}…")
    else:
        st.caption("Tick what you want to delete. On the keyboard: arrows, Shift + Space.")


def draw_trash(store: Store, entries: Sequence[Trashed], size_bytes: int) -> None:
    """Draw what is in the trash, each with the button that brings it back, and the one that empties it."""
    st.header("Trash", anchor=False)
    if not entries and not size_bytes:
        st.caption("Nothing. What you delete lies here first, and can be brought back.")
        return
    for entry in entries:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{capital(deleting.tell(entry))} :gray[· {amounts.moment(entry.deleted_at)}]", width="stretch")
            st.button(
                "Bring back",
                icon=":material/undo:",
                on_click=deleting.undo,
                args=(store, [entry.id]),
                disabled=entry.state != "kept",
                key=f"bring back {entry.id}",
            )
    with st.popover(f"Empty now ({amounts.size(size_bytes)})", icon=":material/delete_forever:"):
        st.markdown("What is in the trash is removed from the disk. **Nothing of it comes back.**")
        st.button("Empty the trash", type="primary", on_click=empty, args=(store,))


def empty(store: Store) -> None:
    """Empty the trash, or say why it could not be."""
    try:
        trash.empty(store)
    except ThawError as problem:
        st.toast(sentence(str(problem)), icon=":material/error:", duration="long")


def draw(store: Store) -> None:
    """Draw the whole page; while anything is being measured, look again every second."""
    trash.settle(store)
    holdings = list_holdings(store)
    sizes = read_sizes(store, holdings)
    whole = len(sizes) == len(holdings)
    usage = measure_usage(store.workspace, [(each, sizes[each.id]) for each in holdings if each.id in sizes])
    draw_numbers(usage, whole)
    if whole:
        draw_figure(usage)
    else:
        _wait(store, holdings)
    st.header("What is kept", anchor=False)
    if holdings:
        chosen = draw_table(holdings, sizes)
        draw_chosen(store, chosen)
    else:
        st.caption("Nothing yet. Data sets, runs, exports and caches appear here.")
    draw_trash(store, store.trash(), usage.by_kind.get("trash", 0))
    st.caption(
        f"All of it lies in {literal(str(store.workspace.root))}. Your original photos are no part of it and never "
        "touched."
    )


def _wait(store: Store, holdings: Sequence[Holding]) -> None:
    @st.fragment(run_every=POLL_S)
    def panel() -> None:
        if all(is_measured(store.workspace, each) for each in holdings):
            st.rerun()
        st.caption("Measuring what each takes on the disk…")

    panel()


def _describe(holding: Holding, sizes: Mapping[str, int]) -> dict[str, str]:
    along = [amounts.count(count, *NOUNS[name]) for name, count in holding.goes_with.items()]
    along += [f"{amounts.count(count, *NOUNS[name])} began with it" for name, count in holding.stays.items()]
    return {
        "What": name_kind("features") if holding.kind == "features" else ONE_OF_EACH[holding.kind],
        "Size": amounts.size(sizes[holding.id]) if holding.id in sizes else UNKNOWN,
        "Name": visible(expert.said(holding.title)),
        "With it": ", ".join(along) or "–",
        "Made": amounts.moment(holding.made_at),
        "Id": holding.id,
    }


def _brief(size: int) -> str:
    """Return a size that fits onto a tile."""
    return amounts.size(size).replace("under", "<") if size else "nothing"


steps.heading("disk")
kept = selection.store()
deleting.undo_bar(kept)
draw(kept)
