"""The Map page: a run's images on a plane, like beside like; those that are marked are shown below, to be fixed."""

from functools import partial

import numpy as np
import streamlit as st

from pages.ui.components import pictures
from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.components.figure.lasso import Marking
from pages.ui.components.grid.grid import grid
from pages.ui.data import browse, curation
from pages.ui.mistakes import fixing, map_figure, map_points
from pages.ui.mistakes.fixing import Fixes
from pages.ui.mistakes.map_points import MapPoints
from pages.ui.page import live, selection, steps, trial_progress
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, literal, visible
from pages.ui.words.options import distinct
from thaw.jobs import starts
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.training.embedding import MOST_ARRANGED, TSNE
from thaw.training.feature_map import borrow_projection, start_projection
from tlcore.errors import RunError

Group = tuple[str, str]
"""What the gallery shows: ("marked", ""), ("mistakes", "") or ("class", LABEL)."""

MARKED, MISTAKES = ("marked", ""), ("mistakes", "")
STOPPED = "Nothing of this map was kept, and the run is as it was."
WHAT_IT_IS = (
    "Thaw can lay all photos of this run out on a map: photos that {eye} finds alike lie side by side. A photo among "
    "those of another class is often in the wrong one."
)
PLAIN_HOW = {
    TSNE: "Photos side by side are truly alike; how far clusters lie from each other, and how large they are, says "
    "little (arranged by t-SNE).",
    "PCA": "This shows the coarse order alone: photos that lie together may still differ (placed by PCA).",
}
HOW = {
    TSNE: "Arranged by t-SNE from the features of the backbone. Neighbours are truly alike; how far clusters lie from "
    "each other, and how large they are, says little.",
    "PCA": "Placed by the first two principal components (PCA) of the features. They show the coarse order alone: "
    "photos that lie together may still differ. "
    f"Up to {MOST_ARRANGED:,} photos Thaw arranges them by t-SNE, which tells more.",
}


def draw_making(store: Store, run: Run) -> None:
    """Draw how the making of the map stands, or the button that starts it."""
    job = starts.latest_trial(store, "map", run.id)
    st.markdown(
        expert.kinds(WHAT_IT_IS).format(eye=expert.either("the ready-made eye (backbone)", "the frozen backbone"))
    )
    if job and job.active:
        live.follow(store, job, lambda present: trial_progress.progress(store, present))
        return
    if job:
        trial_progress.ending(job, STOPPED)
    st.button(
        "Make the map",
        type="primary",
        icon=":material/scatter_plot:",
        help="Some minutes for 10,000 photos. It goes on in the background, beside any training.",
        on_click=start,
        args=(store, run),
    )


def start(store: Store, run: Run) -> None:
    """Start making the map, unless that goes on already."""
    try:
        start_projection(store, run.id)
    except RunError:
        # Another tab was quicker: this one follows what goes on.
        return


def draw_map(store: Store, run: Run, points: MapPoints, rows: np.ndarray) -> None:
    """Draw the map; what is marked on it is kept for the gallery."""
    colouring = st.pills(
        "Colour by",
        map_figure.COLOURINGS,
        default=map_figure.BY_CLASS,
        format_func=distinct(map_figure.COLOURINGS, map_figure.name_colouring),
        required=True,
        key=f"colour of {run.id}",
    )

    drawn = choose_drawn(run, points, rows)

    def marked(marking: Marking) -> None:
        st.session_state[_marked_key(run)] = [
            points.images[row].id for row in map_figure.marked_rows(points, rows, drawn, colouring, marking)
        ]
        st.session_state[_group_key(run)] = MARKED

    wrong = int(points.wrong[rows].sum())
    revision = f"{colouring} {len(drawn)} {len(rows)} {store.dataset(run.dataset_id).version}"
    figure(
        map_figure.draw_map(points, drawn, colouring, revision),
        key=f"map {run.id}",
        name=f"{run.id}-map",
        alt=(
            f"Map of {amounts.count(len(rows), 'photo')} of "
            f"{expert.kinds(amounts.count(len(points.labels), 'class', 'classes'))}, "
            f"like beside like, coloured by {map_figure.name_colouring(colouring)}; {amounts.count(wrong, 'mistake')}. "
            "The choice below the map shows the same photos without it."
        ),
        on_select=marked,
    )
    st.caption(
        f"{expert.either(PLAIN_HOW[points.method], HOW[points.method])} "
        "Draw around points, or tap one, to see their photos below; a double click takes the "
        "mark away."
    )


def choose_drawn(run: Run, points: MapPoints, rows: np.ndarray) -> np.ndarray:
    """Return which rows are drawn: of very many a part that covers the map, unless the person wants every one."""
    thinned = map_points.thin(points, rows)
    if len(thinned) == len(rows):
        return rows
    every = st.toggle(
        f"Draw all {len(rows):,} photos",
        key=f"draw all of {run.id}",
        help="Takes a second or two on a computer without a graphics card.",
    )
    if every:
        return rows
    hidden = int(points.wrong[rows].sum() - points.wrong[thinned].sum())
    mistakes = f"the mistakes among them but {hidden:,}" if hidden else "every mistake among them"
    st.caption(
        f"{len(thinned):,} of {len(rows):,} photos are drawn, {mistakes}, so that the map opens quickly and points do "
        "not cover each other. What you draw around takes in those that are not drawn, too."
    )
    return thinned


def choose_rows(run: Run, points: MapPoints, rows: np.ndarray) -> np.ndarray:
    """Draw the choice of what the gallery shows and return its rows: what is marked, the mistakes, or a class."""
    wrong = rows[points.wrong[rows]]
    marked = set(st.session_state.get(_marked_key(run), []))
    chosen = np.array([row for row in rows if points.images[row].id in marked], dtype=np.int64)
    groups: dict[Group, str] = {MARKED: "What I mark on the map", MISTAKES: "Every mistake"}
    groups |= {("class", label): visible(label) for label in points.labels}
    # Without their counts, which change as photos are excluded.
    names = distinct(groups, groups.__getitem__, lambda group: f"class {group[1]!a}" if group[1] else group[0])
    group = st.selectbox("Photos below", list(groups), format_func=names, key=_group_key(run))
    if group == MARKED:
        return chosen
    return wrong if group == MISTAKES else rows[points.true[rows] == points.labels.index(group[1])]


def draw_gallery(store: Store, run: Run, points: MapPoints, chosen: np.ndarray, fixes: Fixes) -> None:
    """Draw the chosen images in a grid in which they can be looked at and fixed; one alone is drawn large."""
    if not len(chosen):
        st.caption(
            expert.kinds(
                "Nothing is chosen yet. Draw around some points of the map, or choose mistakes or a class above."
            )
        )
        return
    st.caption(amounts.count(len(chosen), "photo"))
    if len(chosen) == 1:
        draw_one(points, int(chosen[0]))
    dataset = store.dataset(run.dataset_id)
    page = browse.pick_page(f"map page of {run.id}", -(-len(chosen) // browse.TILES_A_PAGE))
    shown = chosen[(page - 1) * browse.TILES_A_PAGE : page * browse.TILES_A_PAGE]
    predicted = {points.images[row].id: points.labels[points.predicted[row]] for row in shown if points.wrong[row]}
    agree = [fixing.AGREE] if predicted else []
    grid(
        f"map grid of {run.id}",
        [
            curation.tile(points.images[row], tell(points, row), fixing.tell_fix(fixes, points.images[row].id))
            for row in shown
        ],
        [*agree, curation.EXCLUDE, curation.move_to(dataset, predicted.values())],
        "Photos chosen on the map, to fix",
        partial(fixing.act, store, dataset, predicted),
    )
    if agree:
        st.caption(expert.kinds(fixing.AGREEING))


def draw_one(points: MapPoints, row: int) -> None:
    """Draw one picture large, with what it is and what the model says of it."""
    image, predicted = points.images[row], points.predicted_label(row)
    with st.container(border=True):
        left, right = st.columns(2)
        with left:
            pictures.large(image)
        with right:
            said = "" if predicted is None else f"  \nPredicted: {emphasised(predicted)}"
            sure = "" if predicted is None else f" ({amounts.percent(float(points.confidence[row]))})"
            st.markdown(f"{expert.kinds('Class')}: {emphasised(image.label)}{said}{sure}")
            st.caption(f"From {literal(image.name)}")


def tell(points: MapPoints, row: int) -> str:
    """Say the class of one image, and what it is taken for if that is another."""
    label, predicted = points.images[row].label, points.predicted_label(row)
    return label if predicted in (None, label) else f"{label} → {predicted}"


def draw_run(store: Store, run: Run) -> None:
    """Draw the whole page for a run that has a model."""
    points = map_points.read_points(store, run)
    if points is None and borrow_projection(store, run):
        points = map_points.read_points(store, run)
    if points is None:
        draw_making(store, run)
        return
    fixes = fixing.fixes_since(store, run)
    rows = map_points.present_rows(points, fixes)
    draw_map(store, run, points, rows)
    draw_gallery(store, run, points, choose_rows(run, points, rows), fixes)
    fixing.draw_fixes(store, run, fixes)
    steps.onward("mistakes", "See the mistakes one by one")


def _marked_key(run: Run) -> str:
    return f"marked on the map of {run.id}"


def _group_key(run: Run) -> str:
    return f"photos below the map of {run.id}"


steps.heading("map")
kept = selection.store()
present_run = selection.run(kept)
if present_run is None:
    steps.missing("head", "The map is made from what a trained head has seen.", "First teach the head (phase 1)")
elif present_run.result_phase is None:
    steps.missing("head", "This run has no model yet.", "Go to step 3: teach the head")
else:
    draw_run(kept, present_run)
