"""The division of a data set into images to learn from and images that judge: how it is chosen, and what goes where."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.data.leakage import interval
from pages.ui.page import image_cache, live, selection
from pages.ui.words import amounts
from pages.ui.words.names import emphasised, sentence, visible
from pages.ui.words.options import distinct
from thaw.datasets.edits import grouping
from thaw.datasets.run_split import choose_split
from thaw.storage.records import Check, Dataset, Job
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from thaw.summaries.summarise import ask, latest_summarising
from thaw.summaries.summary import division_key, is_large
from tlcore.errors import DatasetError
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import find_backbone
from tlcore.settings import PARTS, HeadSettings, Parts
from tlcore.splits.splits import count_straddling, fit_image_size, measure_middle_side, recommend_image_size

FEW_VALIDATION = 30
# How many photos say how large the photos of a data set are, until all have been looked through.
SAMPLE = 1000
CLASSES_IN_WORDS = 5
PART_WORDS: dict[Parts, str] = {"theirs": "Keep their validation photos", "own": "Thaw's own split"}

State = tuple[Path, str, int, tuple[str, ...]]
"""Workspace, data set, version, and what has been compared by features: what an answer about a data set depends on."""


@dataclass(frozen=True)
class Given:
    """How many images came as validation photos, how many of these are near-duplicates of the training part, and how
    many came without a part."""

    validation: int
    straddling: int
    others: int


@dataclass(frozen=True)
class Sides:
    """How many images of a class go to each side of the split."""

    training: int
    validation: int
    later: int


def choose(store: Store, dataset: Dataset) -> None:
    """Draw the choice of the split, how many images go to each side, and how far the validation can be trusted."""
    st.header(expert.either("To learn from, and for the exam", "Training, validation and beyond"), anchor=False)
    if expert.is_on():
        ask_shares(store, dataset)
    try:
        sides = count_sides(store, dataset)
    except DatasetError as problem:
        st.warning(sentence(expert.said(str(problem))), icon=":material/warning:")
    else:
        if sides is not None:
            draw_sides(store, dataset, sides)
    draw_looking(store, dataset)
    draw_holdout(dataset)


def draw_looking(store: Store, dataset: Dataset) -> None:
    """Say that a large data set is being looked through, for as long as it is, or why that failed."""
    if not is_large(dataset):
        return
    settings = chosen_settings()
    kept, job = ask(store, dataset, settings), latest_summarising(store, dataset.id)
    if job is not None and job.status == "failed":
        st.warning(sentence(str(job.error)), icon=":material/warning:")
        return
    if kept and kept.recorded == dataset.recorded and division_key(settings) in kept.divisions:
        return
    told = "What is told of all of them" if kept is None else "What has changed"

    def draw(_: Job) -> None:
        st.caption(
            f":material/hourglass_top: Looking through {amounts.count(dataset.accepted, 'photo')}. {told} is shown "
            "here once that is done; nothing has to wait for it."
        )

    if job is not None and job.active:
        live.follow(store, job, draw)


def ask_shares(store: Store, dataset: Dataset) -> None:
    """Draw the choices: whose validation photos, their share, the seed, and with dates the share of the newest."""
    ask_parts(store, dataset)
    left, right = st.columns([3, 1])
    share = left.slider(
        "Validation share",
        *selection.SHARES,
        selection.validation_share(),
        0.05,
        format="percent",
        disabled=keeps_parts(store, dataset) and not count_parts(store, dataset).others,
        help="Images that the model never learns from. They show how well it does on photos it has not seen. Where the "
        "validation photos that came are kept, this is the share of the other photos.",
        # Without a key, Streamlit would know a slider by its default, which is the choice before: another each time.
        key=f"validation share of {dataset.id}",
    )
    seed = right.number_input(
        "Seed",
        0,
        selection.LARGEST_SEED,
        selection.seed(),
        help="The same seed gives the same split and training.",
        key=f"seed of {dataset.id}",
    )
    selection.choose("validation", f"{share:g}")
    selection.choose("seed", str(seed))
    dated = count_dated(store, dataset)
    if not dated:
        return
    later = st.slider(
        "Newest photos, kept for later",
        *selection.LATER_SHARES,
        selection.later_share(),
        0.05,
        format="percent",
        help="Kept out of training and validation: they show whether the model holds up as time goes on.",
        key=f"later share of {dataset.id}",
    )
    selection.choose("later", f"{later:g}")
    st.caption(f"{dated:,} of {amounts.count(dataset.included, 'image')} say when they were taken.")


def ask_parts(store: Store, dataset: Dataset) -> None:
    """Draw the choice between the split that came with the photos, if one did, and Thaw's own."""
    given = count_parts(store, dataset)
    if not given.validation:
        return
    present = selection.parts()
    picked = st.radio(
        "Whose validation photos?",
        PARTS,
        index=PARTS.index(present),
        format_func=distinct(PARTS, PART_WORDS.__getitem__),
        horizontal=True,
        key=f"parts of {dataset.id}",
    )
    selection.choose("parts", picked)
    if picked == "theirs":
        st.caption(
            f"{amounts.count(given.validation, 'photo')} came in a validation part. {tell_straddling(given.straddling)}"
        )


def tell_straddling(straddling: int) -> str:
    """Say how many photos of the validation part are learnt from, and why."""
    if not straddling:
        return "None of them is a near-duplicate of a photo of the training part."
    verb = "is a near-duplicate" if straddling == 1 else "are near-duplicates"
    return (
        f"**{straddling:,}** of them {verb} of training photos, which the model would know by heart: they are on the "
        "training side, so that nothing leaks."
    )


def draw_sides(store: Store, dataset: Dataset, sides: Mapping[str, Sides]) -> None:
    """Say how many images go where, of each class too, and warn where they are too few to judge by."""
    training, validation, later = (
        sum(getattr(each, side) for each in sides.values()) for side in ("training", "validation", "later")
    )
    whose = "as they came" if keeps_parts(store, dataset) else expert.kinds("about the same share of every class")
    newest = f" The newest **{later:,}** judge the finished model alone." if later else ""
    judges = expert.either("kept for the exam (validation)", "held out for validation")
    st.markdown(f"**{amounts.count(training, 'image')}** to learn from, **{validation:,}** {judges}, {whose}.{newest}")
    check = store.latest_check(dataset.id)
    draw_trust(sides, check if check and check.version == dataset.version else None)
    if not expert.is_on():
        return
    rows = [
        {expert.kinds("class"): visible(label), "training": each.training, "validation": each.validation}
        | ({"later": each.later} if later else {})
        for label, each in sides.items()
    ]
    with st.expander(expert.kinds("Images of each class"), icon=":material/table_rows:"):
        st.dataframe(rows, hide_index=True, alt=expert.kinds("Images of each class on each side of the split"))


def draw_trust(sides: Mapping[str, Sides], check: Check | None) -> None:
    """Advise cross-validation where a class has too few validation images, with its figure once there is one."""
    few = {label: each.validation for label, each in sides.items() if each.validation < FEW_VALIDATION}
    if not few:
        return
    fewest = min(few.values())
    named = ", ".join(f"{emphasised(label)} ({number})" for label, number in list(few.items())[:CLASSES_IN_WORDS])
    more = ", …" if len(few) > CLASSES_IN_WORDS else ""
    photos = expert.either("exam photos", "validation images")
    which = f"{expert.kinds(amounts.count(len(few), 'class has', 'classes have'))} fewer than {FEW_VALIDATION} {photos}"
    advice = (
        f"Cross-validation, in which every image is judged once, says **{interval(check.facts.grouped)}**: trust "
        "that more."
        if check
        else "Trust cross-validation more, where every image is judged once: measure it under Near-duplicates, above."
    )
    moved = expert.either("score of its kind", "accuracy of its class")
    st.info(
        f"{which}: {named}{more}. A single photo can move the {moved} by {100 / max(fewest, 1):.0f} points. "
        f"{expert.either('More photos help.', advice)}",
        icon=":material/straighten:",
    )


def draw_holdout(dataset: Dataset) -> None:
    """Say how many images the holdout has, and how to add to it."""
    if dataset.holdout:
        what = expert.either("extra exam photo", "holdout photo")
        st.markdown(
            f"**{amounts.count(dataset.holdout, what)}**: never trained on, they tell how the model does on "
            "photos from other days and other cameras."
        )
    else:
        st.caption(
            f"No {expert.either('extra exam photos (holdout)', 'holdout')} yet. Photos from other days or another "
            f"camera are the hardest and most honest test: choose {expert.either('them', 'holdout')} beside the drop "
            f"zone, then drop them in folders of the same {expert.kinds('class')} names."
        )


def refusal(store: Store, dataset: Dataset) -> str | None:
    """Say why a data set cannot be trained on, or None if it can."""
    try:
        count_sides(store, dataset)
    except DatasetError as problem:
        return str(problem)
    return None


def chosen_settings() -> HeadSettings:
    """Return a head's settings with the choices that stand for the split."""
    return HeadSettings(
        validation_split=selection.validation_share(),
        seed=selection.seed(),
        later_share=selection.later_share(),
        parts=selection.parts(),
    )


def count_sides(store: Store, dataset: Dataset) -> dict[str, Sides] | None:
    """Return how many images of each class go where under the choices; raise DatasetError with advice.

    None stands for a large data set that has not been looked through yet.
    """
    settings = chosen_settings()
    if not is_large(dataset):
        return _count(*_state(store, dataset), settings.to_json())
    kept = ask(store, dataset, settings)
    division = kept and kept.divisions.get(division_key(settings))
    if isinstance(division, str):
        raise DatasetError(division)
    return {label: Sides(*each) for label, each in division.items()} if division else None


def image_size(store: Store, dataset: Dataset, row: Backbone) -> int:
    """Return the image size in pixels that suits a data set and a backbone."""
    if not is_large(dataset):
        return _image_size(*_state(store, dataset), row.name)
    kept = ask(store, dataset, chosen_settings())
    return fit_image_size(kept.middle_side if kept else measure_middle_side(store.sample(dataset.id, SAMPLE)), row)


def count_dated(store: Store, dataset: Dataset) -> int:
    """Return how many images say when they were taken."""
    if is_large(dataset):
        kept = ask(store, dataset, chosen_settings())
        return kept.dated if kept else 0
    return _count_dated(*_state(store, dataset))


def count_parts(store: Store, dataset: Dataset) -> Given:
    """Return how many images came in the validation part of a ready-made split, and how many of them would leak."""
    if is_large(dataset):
        kept = ask(store, dataset, chosen_settings())
        return Given(kept.validation, kept.straddling, kept.others) if kept else Given(0, 0, 0)
    return _count_parts(*_state(store, dataset))


def keeps_parts(store: Store, dataset: Dataset) -> bool:
    """Say whether the validation photos are, by the choice that stands, those that came with the photos."""
    return selection.parts() == "theirs" and count_parts(store, dataset).validation > 0


def prepare(store: Store, dataset: Dataset) -> None:
    """Find the answers for the choices that stand before anyone chooses, so that they are held."""
    if is_large(dataset):
        ask(store, dataset)
        return
    state = _state(store, dataset)
    _count_dated(*state)
    _count_parts(*state)
    _image_size(*state, HeadSettings().backbone)
    _count(*state, HeadSettings().to_json())


def _state(store: Store, dataset: Dataset) -> State:
    return store.workspace.root, dataset.id, dataset.version, image_cache.compared(store, dataset)


# One answer for each question about each state of a data set, since a large one takes long to go through.
@st.cache_data(show_spinner=False, max_entries=100)
def _count(
    root: Path, dataset_id: str, version: int, compared: tuple[str, ...], settings_json: str
) -> dict[str, Sides]:
    images = image_cache.read(root, dataset_id, version, compared)
    parts = choose_split(Store(Workspace(root)), dataset_id, HeadSettings.from_json(settings_json), images)
    training, validation, later = (
        Counter(image.label for image in side) for side in (parts.training, parts.validation, parts.later)
    )
    return {label: Sides(training[label], validation[label], later[label]) for label in parts.labels}


@st.cache_data(show_spinner=False, max_entries=100)
def _image_size(root: Path, dataset_id: str, version: int, compared: tuple[str, ...], backbone: str) -> int:
    return recommend_image_size(image_cache.read(root, dataset_id, version, compared), find_backbone(backbone))


@st.cache_data(show_spinner=False, max_entries=100)
def _count_dated(root: Path, dataset_id: str, version: int, compared: tuple[str, ...]) -> int:
    return sum(image.taken_at is not None for image in image_cache.read(root, dataset_id, version, compared))


@st.cache_data(show_spinner=False, max_entries=100)
def _count_parts(root: Path, dataset_id: str, version: int, compared: tuple[str, ...]) -> Given:
    images = image_cache.read(root, dataset_id, version, compared)
    validation = sum(image.part == "validation" for image in images)
    rules = grouping(Store(Workspace(root)), dataset_id) if validation else None
    others = sum(not image.part for image in images)
    return Given(validation, count_straddling(images, rules) if validation else 0, others)
