"""The Health tab: what may be wrong with a data set, the pictures it is about, and what to do with them."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from pages.ui.components import pictures
from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.components.grid.grid import Action, grid
from pages.ui.data import curation, split_choice
from pages.ui.figures import basics
from pages.ui.page import image_cache, selection
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, literal, sentence
from thaw.datasets import edits
from thaw.datasets.health import Finding, Kind, examine
from thaw.storage.records import Dataset, Image
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from thaw.summaries.summarise import ask
from thaw.summaries.summary import is_large, recall_findings
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import BACKBONES
from tlcore.settings import HeadSettings
from tlcore.splits.class_weights import UNBALANCED, imbalance

PICTURES_A_PAGE = 100
PICTURES_A_CLASS = 12
AGREE = Action("agree", "As suggested", "s")
ICONS: dict[Kind, str] = {
    "conflict": "call_split",
    "mislabelled": "label_off",
    "twins": "join_inner",
    "unbalanced": "balance",
    "few": "trending_down",
    "uniform": "rectangle",
    "blurry": "blur_on",
    "dark": "dark_mode",
    "small": "photo_size_select_small",
    "narrow": "width_full",
    "copies": "content_copy",
    "crowded": "stacks",
    "tiny": "zoom_in",
    "undrawn": "draw",
    "background": "landscape",
}


def count(store: Store, dataset: Dataset) -> int | None:
    """Return the number of findings; None for a large data set that has not been looked through yet."""
    if is_large(dataset):
        size = split_choice.image_size(store, dataset, selection.backbone())
        kept = ask(store, dataset, size=size)
        return kept.findings.get(str(size)) if kept else None
    return len(_findings(store, dataset))


def draw(store: Store, dataset: Dataset) -> None:
    """Draw the verdict, then one panel for each finding; a panel's pictures are drawn once it is opened."""
    if count(store, dataset) is None:
        st.caption("What may be wrong is told here once all photos have been looked through.")
        st.markdown(balance(dataset))
        return
    found = _findings(store, dataset)
    draw_verdict(dataset, found)
    for finding in found:
        panel = st.expander(
            sentence(expert.said(finding.title)),
            icon=f":material/{ICONS[finding.kind]}:",
            key=_key("finding", dataset, finding),
            on_change="rerun",
        )
        if panel.open:
            with panel:
                draw_finding(store, dataset, finding)


def mislabelled(store: Store, dataset: Dataset) -> Finding | None:
    """Return the finding on pictures that are perhaps in the wrong class, or None where there is none."""
    return next((found for found in _findings(store, dataset) if found.kind == "mislabelled"), None)


def draw_verdict(dataset: Dataset, found: Sequence[Finding]) -> None:
    """Say in plain words how the data set stands."""
    if found:
        st.markdown(f"**{amounts.count(len(found), 'thing')} to look at**, the gravest first. None stops you.")
    else:
        fine = "**Nothing stands out**: no picture and no class looks wrong."
        st.success(expert.kinds(fine), icon=":material/check_circle:")
    st.markdown(balance(dataset))
    if not found:
        st.caption(
            expert.kinds(
                "Looked for: pictures in two classes, classes of nearly one name, exact copies, and pictures that are "
                "blurred, dark, of one colour, small or very narrow. Pictures in the wrong class are looked for by the "
                f"measurement under {expert.said('Near-duplicates')}."
            )
        )


def balance(dataset: Dataset) -> str:
    """Say how alike the classes are in size, and what training does about it."""
    classes = dataset.classes
    if len(classes) < 2:
        return expert.kinds("Class balance: there is only one class.")
    largest, smallest = max(classes, key=classes.__getitem__), min(classes, key=classes.__getitem__)
    ratio = imbalance(classes)
    extremes = (
        f"{expert.kinds('the largest class')}, {emphasised(largest)} ({classes[largest]:,}), is **{ratio:.1f} times** "
        f"the size of the smallest, {emphasised(smallest)} ({classes[smallest]:,})"
    )
    if ratio > UNBALANCED:
        what = expert.said("Class weights")
        return (
            f"{expert.kinds('Class balance')}: {extremes}. {what} will be on in training, so that "
            f"{expert.kinds('all classes')} count alike."
        )
    if ratio == 1:
        off = expert.either("", " Class weights stay off.")
        return f"{expert.kinds('Class balance: every class')} has {amounts.count(classes[largest], 'image')}.{off}"
    off = expert.either("", ", and class weights stay off in training")
    return f"{expert.kinds('Class balance')}: {extremes}. That is even enough{off}."


def draw_finding(store: Store, dataset: Dataset, finding: Finding) -> None:
    """Draw the advice of a finding, what it is about, and what can be done."""
    st.markdown(sentence(expert.said(finding.advice)))
    if finding.images:
        draw_pictures(store, dataset, finding)
    elif finding.kind == "twins":
        draw_twins(store, dataset, finding)
    else:
        draw_sizes(store, dataset, finding)


def draw_pictures(store: Store, dataset: Dataset, finding: Finding) -> None:
    """Draw the pictures of a finding, 100 a page, with the actions for chosen ones and for all."""
    surplus = [image.id for image in finding.surplus]
    with st.container(horizontal=True):
        exclude_all = (
            f"Exclude all {len(surplus):,}"
            if finding.kind != "copies"
            else f"Keep one of each: exclude {len(surplus):,}"
        )
        st.button(
            exclude_all,
            icon=":material/block:",
            key=_key("exclude all", dataset, finding),
            on_click=curation.exclude,
            args=(store, dataset, surplus),
        )
        st.button(
            "Ignore all",
            icon=":material/visibility_off:",
            key=_key("ignore all", dataset, finding),
            help="Say that these are as they should be. They stay in the data set and are not told of again.",
            on_click=ignore,
            args=(store, dataset, finding, finding.subjects),
        )
    pages = math.ceil(len(finding.images) / PICTURES_A_PAGE)
    page = st.pagination(pages, key=_key("page", dataset, finding)) if pages > 1 else 1
    shown = finding.images[(page - 1) * PICTURES_A_PAGE : page * PICTURES_A_PAGE]
    numbers = _picture_numbers(finding)
    grid(
        _key(f"grid {page}", dataset, finding),
        [curation.tile(image, caption(finding, image), numbers.get(image.id, "")) for image in shown],
        [
            *([AGREE] if finding.suggestions else []),
            curation.EXCLUDE,
            curation.move_to(dataset, finding.suggestions.values()),
            curation.IGNORE,
        ],
        expert.said(finding.title),
        partial(act, store, dataset, finding),
    )


def act(store: Store, dataset: Dataset, finding: Finding, action: str, ids: list[str], choice: str | None) -> None:
    """Do what the grid's action asks for."""
    if action == AGREE.name:
        curation.agree(store, dataset, finding.suggestions, ids)
    elif action == "exclude":
        curation.exclude(store, dataset, ids)
    elif action == "move" and choice is not None:
        curation.move(store, dataset, ids, choice)
    else:
        ignore(store, dataset, finding, ids)


def ignore(store: Store, dataset: Dataset, finding: Finding, subjects: Sequence[str]) -> None:
    """Say that a finding is no fault of its subjects; of one picture that is there several times, of them all."""
    numbers = _picture_numbers(finding)
    chosen = {numbers[subject] for subject in subjects if subject in numbers}
    together = [image.id for image in finding.images if numbers.get(image.id) in chosen]
    curation.change(
        lambda: edits.ignore_finding(store, dataset.id, finding.kind, together or subjects),
        lambda done: f"{amounts.count(done, 'picture')} ignored" if finding.images else "Ignored",
    )


def draw_twins(store: Store, dataset: Dataset, finding: Finding) -> None:
    """Draw some pictures of classes that have nearly the same name, and offer to merge them."""
    for label in finding.classes:
        st.markdown(f"{emphasised(label)} · {amounts.count(dataset.classes[label], 'image')}")
        pictures.strip(store.images(dataset.id, label, limit=PICTURES_A_CLASS), f"Photos of {label}")
    with st.container(horizontal=True):
        for label in finding.classes:
            st.button(
                f"Merge into {literal(label)}",
                icon=":material/merge:",
                key=_key(f"merge into {label}", dataset, finding),
                on_click=merge,
                args=(store, dataset, finding.classes, label),
            )
        draw_ignore(
            store,
            dataset,
            finding,
            expert.kinds("They are two classes") if len(finding.classes) == 2 else "They differ",
        )


def merge(store: Store, dataset: Dataset, classes: Sequence[str], target: str) -> None:
    """Merge classes into one of them, and say so."""
    curation.change(
        lambda: edits.merge_classes(store, dataset.id, classes, target, dataset),
        lambda moved: f"{amounts.count(moved, 'image')} moved to {literal(target)}",
    )


def draw_sizes(store: Store, dataset: Dataset, finding: Finding) -> None:
    """Draw how many images each class has."""
    shown = (
        dataset.classes if finding.kind == "unbalanced" else {each: dataset.classes[each] for each in finding.classes}
    )
    figure(
        basics.class_counts(shown),
        key=_key("sizes", dataset, finding),
        name=f"{dataset.id}-{finding.kind}",
        alt=basics.describe_counts(shown),
    )
    if len(shown) > basics.MOST_BARS:
        st.caption(expert.kinds(f"The {basics.MOST_BARS} largest of {len(shown):,} classes are drawn."))
    if finding.kind == "unbalanced":
        st.caption(
            f"With {expert.said('class weights')} a mistake "
            + expert.kinds(
                "on a class with few images counts for more in training, and one on a class with many for less, so "
                "that the model cannot do well by guessing the common classes."
            )
            + expert.either("", " Step 3 has a switch for it.")
        )
    draw_ignore(store, dataset, finding, "This is as it should be")


def draw_ignore(store: Store, dataset: Dataset, finding: Finding, label: str) -> None:
    """Draw the button by which a finding about classes is put aside."""
    st.button(
        label,
        icon=":material/visibility_off:",
        key=_key("ignore", dataset, finding),
        on_click=ignore,
        args=(store, dataset, finding, finding.subjects),
    )


def caption(finding: Finding, image: Image) -> str:
    """Return the figure or the suggestion for which an image is in a finding, or else its class."""
    if finding.kind == "mislabelled":
        return f"{image.label}, perhaps {finding.suggestions[image.id]}"
    if finding.kind == "blurry":
        return f"sharpness {image.sharpness:.1f}"
    if finding.kind == "dark":
        return f"brightness {image.brightness:.0f} of 255"
    if finding.kind == "uniform":
        return f"contrast {image.contrast:.1f}"
    if finding.kind == "small":
        return f"{image.width} x {image.height} pixels"
    if finding.kind == "narrow":
        return f"{max(image.width, image.height) / min(image.width, image.height):.1f} to 1"
    return image.label


def _picture_numbers(finding: Finding) -> dict[str, str]:
    """Number the pictures of a finding about images that are there several times, so that it is seen which are one."""
    if finding.kind not in ("conflict", "copies"):
        return {}
    numbers: dict[tuple[str, str], int] = {}
    keys = {
        image.id: (image.lookalike or image.content, "") if finding.kind == "conflict" else (image.content, image.label)
        for image in finding.images
    }
    return {image_id: f"picture {numbers.setdefault(key, len(numbers) + 1)}" for image_id, key in keys.items()}


def _key(what: str, dataset: Dataset, finding: Finding) -> str:
    about = finding.kind if finding.images else f"{finding.kind} {finding.subjects[0]}"
    return f"{what} {dataset.id} {about}"


def prepare(store: Store, dataset: Dataset) -> None:
    """Examine a data set for the backbone that stands before anyone chooses, so that the findings are held."""
    if not is_large(dataset):
        _findings(store, dataset, BACKBONES[HeadSettings().backbone])


def _findings(store: Store, dataset: Dataset, backbone: Backbone | None = None) -> list[Finding]:
    image_size = split_choice.image_size(store, dataset, backbone or selection.backbone())
    if is_large(dataset):
        return recall_findings(store, dataset.id, image_size)
    compared = image_cache.compared(store, dataset)
    return _examine(store.workspace.root, dataset.id, dataset.version, compared, image_size)


# Held as they are: to copy thousands of images at every click would take longer than to draw them.
@st.cache_resource(show_spinner=False, max_entries=4)
def _examine(root: Path, dataset_id: str, version: int, compared: tuple[str, ...], image_size: int) -> list[Finding]:
    store, images = Store(Workspace(root)), image_cache.read(root, dataset_id, version, compared)
    # A check that ends changes `compared` too.
    return examine(images, image_size, edits.ignored(store, dataset_id), store.latest_check(dataset_id))
