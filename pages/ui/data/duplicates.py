"""The Near-duplicates tab: which images show one picture, scene or subject, and what they would do to a split."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.grid.grid import grid
from pages.ui.data import curation, grouping, leakage
from pages.ui.page import image_cache
from pages.ui.server.routes import picture_url
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, in_html
from thaw.datasets import edits, similarity
from thaw.storage.records import Dataset, Image
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from thaw.summaries.summarise import ask
from thaw.summaries.summary import RecalledGroups, is_large, recall_groups
from tlcore.photos import natural

GROUPS_A_PAGE = 20
PICTURES_A_ROW = 24
PICTURES_A_PAGE = 100
CLASSES_IN_WORDS = 3
STYLE = """<style>
.thaw-group { display: flex; gap: 0.6rem; overflow-x: auto; padding: 0.15rem 0 0.4rem; }
.thaw-group:focus-visible { outline: 3px solid currentcolor; }
.thaw-group figure { flex: none; width: 104px; margin: 0; }
.thaw-group img { display: block; width: 104px; height: 104px; object-fit: cover; border-radius: 8px;
  background: #8882; }
.thaw-group figcaption { font-size: 0.75rem; line-height: 1.35; margin-top: 0.25rem; }
.thaw-group figcaption span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.thaw-group .file { opacity: 0.7; }
</style>"""

Group = tuple[Image, ...]


def draw(store: Store, dataset: Dataset) -> None:
    """Draw the groups, what they would do to a careless split, and the person's own rules."""
    groups = list_groups(store, dataset)
    if groups is None:
        st.caption("The groups are shown here once all photos have been looked through.")
        leakage.draw(store, dataset)
        return
    draw_summary(dataset, groups)
    leakage.draw(store, dataset)
    if groups:
        st.header("The groups", anchor=False)
        draw_groups(store, dataset, groups)
    grouping.draw(store, dataset)


def list_groups(store: Store, dataset: Dataset) -> Sequence[Group] | None:
    """List the groups of two images or more, the largest first; in each, the largest and sharpest image first.

    None stands for a large data set that has not been looked through yet.
    """
    if is_large(dataset):
        return recall_groups(store, dataset.id) if ask(store, dataset) else None
    return _list_groups(store.workspace.root, dataset.id, dataset.version, image_cache.compared(store, dataset))


def draw_summary(dataset: Dataset, groups: Sequence[Group]) -> None:
    """Say how many images are near-duplicates of others, and that none of them leaks."""
    if not groups:
        what = expert.either("look-alikes (near-duplicates)", "near-duplicates")
        st.success(f"**No {what}**: every picture is one of its own.", icon=":material/check_circle:")
        return
    grouped = groups.photos if isinstance(groups, RecalledGroups) else sum(map(len, groups))
    st.markdown(
        f"**{amounts.count(len(groups), 'group')}** of {expert.said('near-duplicates')} with **{grouped:,}** of "
        f"{amounts.count(dataset.included, 'image')}: they look alike, or their names tell that a program turned or "
        "cropped one photo. Each group stays on one side of the split, whole, so that no "
        "photo is judged by its own twin. You need not do anything."
    )


def draw_groups(store: Store, dataset: Dataset, groups: Sequence[Group]) -> None:
    """Draw the groups as rows of pictures, twenty a page."""
    pages = math.ceil(len(groups) / GROUPS_A_PAGE)
    page = st.pagination(pages, key=f"groups of {dataset.id}") if pages > 1 else 1
    for group in groups[(page - 1) * GROUPS_A_PAGE : page * GROUPS_A_PAGE]:
        with st.container(border=True):
            draw_group(store, dataset, group)


def draw_group(store: Store, dataset: Dataset, group: Group) -> None:
    """Draw one group: what joins its images, what can be done with them, and the images."""
    name = f"{dataset.id} {group[0].id}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(describe(group), width="stretch")
        st.button(
            f"Keep the first, exclude {len(group) - 1:,}",
            icon=":material/filter_1:",
            key=f"keep one {name}",
            help="The first is the largest, and of those the sharpest.",
            on_click=curation.exclude,
            args=(store, dataset, [image.id for image in group[1:]]),
        )
        choosing = st.toggle("Choose", key=f"choosing {name}", help="Choose pictures to exclude or to move.")
    if choosing:
        draw_choice(store, dataset, group, name)
        return
    figures = "".join(map(_figure, group[:PICTURES_A_ROW]))
    # A row that scrolls has to be reached by keyboard.
    label = f"{amounts.count(len(group), 'image')}, {bond(group)}"
    st.html(f'{STYLE}<div class="thaw-group" tabindex="0" role="group" aria-label="{in_html(label)}">{figures}</div>')
    if len(group) > PICTURES_A_ROW:
        st.caption(f"The first {PICTURES_A_ROW} of {len(group):,}.")


def describe(group: Group) -> str:
    """Say which classes a group is of, how many images it has, and what joins them."""
    labels = sorted({image.label for image in group}, key=natural)
    several = expert.kinds(" :orange-badge[in several classes]") if len(labels) > 1 else ""
    named = ", ".join(map(emphasised, labels[:CLASSES_IN_WORDS])) + (", …" if len(labels) > CLASSES_IN_WORDS else "")
    return f"{named} · {amounts.count(len(group), 'image')}, {bond(group)}{several}"


def draw_choice(store: Store, dataset: Dataset, group: Group, name: str) -> None:
    """Draw the grid in which some pictures of a group can be chosen."""
    pages = math.ceil(len(group) / PICTURES_A_PAGE)
    page = st.pagination(pages, key=f"page of {name}") if pages > 1 else 1
    grid(
        f"grid {page} of {name}",
        [curation.tile(image) for image in group[(page - 1) * PICTURES_A_PAGE : page * PICTURES_A_PAGE]],
        [curation.EXCLUDE, curation.move_to(dataset)],
        f"A group of {len(group)} {expert.said('near-duplicates')}",
        partial(act, store, dataset),
    )


def act(store: Store, dataset: Dataset, action: str, ids: list[str], choice: str | None) -> None:
    """Do what the grid's action asks for."""
    if action == "move" and choice is not None:
        curation.move(store, dataset, ids, choice)
    else:
        curation.exclude(store, dataset, ids)


def bond(group: Sequence[Image]) -> str:
    """Say what makes images a group, by the strongest tie that holds all of them."""
    if len({image.content for image in group}) == 1:
        return "exact copies"
    if len({image.lookalike for image in group}) == 1 and group[0].lookalike:
        return "nearly the same picture"
    if len({image.similar for image in group}) == 1 and group[0].similar:
        return f"the same scene to the {expert.either('eye', 'backbone')}"
    if len({image.derived for image in group}) == 1 and group[0].derived:
        return "made of one photo by a program, as their names tell"
    return "joined by several likenesses, by their names or by your rules"


def _figure(image: Image) -> str:
    name, label = in_html(image.name), in_html(image.label)
    return (
        f'<figure><img loading="lazy" src="{picture_url("thumbnail", image)}" alt="{name}" title="{name}">'
        f'<figcaption><span>{label}</span><span class="file">{in_html(image.name.rpartition("/")[2])}</span>'
        "</figcaption></figure>"
    )


# Held as they are: to copy thousands of images at every click would take longer than to draw them.
@st.cache_resource(show_spinner=False, max_entries=4)
def _list_groups(root: Path, dataset_id: str, version: int, compared: tuple[str, ...]) -> list[Group]:
    images = image_cache.read(root, dataset_id, version, compared)
    return similarity.list_groups(images, edits.grouping(Store(Workspace(root)), dataset_id))
