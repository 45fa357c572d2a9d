"""The person's own grouping rules: a pattern in file names and the seconds of a burst, tried out before kept."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.data import split_choice
from pages.ui.page import failure, image_cache
from pages.ui.words import amounts
from pages.ui.words.names import literal, sentence
from thaw.datasets import edits
from thaw.storage.records import Dataset, Image
from thaw.storage.store import Store
from thaw.summaries.summary import is_large
from tlcore.errors import DatasetError, SettingsError
from tlcore.splits.groups import GroupRules, group_images

RULES = "rules of groups"
LARGEST = 3
LONGEST_BURST_S = 3600
EXAMPLE = "{group}_*"
SEPARATORS = "_-"


@dataclass(frozen=True)
class Preview:
    """What rules would join: groups and images by the pattern, its largest subjects, and groups by any likeness."""

    subjects: int
    named: int
    largest: tuple[tuple[str, int], ...]
    groups: int


def draw(store: Store, dataset: Dataset) -> None:
    """Draw the rules, what they would join, and the button that keeps them."""
    present = edits.grouping(store, dataset.id)
    st.header("Photos of one subject or one burst", anchor=False)
    st.markdown(
        "Ten photos of the same dog are ten chances to learn that dog by heart. If file names tell what belongs "
        "together, say how, and Thaw keeps each subject on one side of the split."
    )
    name = example_name(store, dataset)
    left, right = st.columns([3, 2])
    pattern = left.text_input(
        "Pattern of the file names",
        present.pattern,
        placeholder=suggest(name),
        key=f"pattern {dataset.id} {present.pattern}",
        help="{group} stands for what names the subject, * for anything, ? for one character. Empty: no such rule.",
    )
    left.caption(explain(name))
    seconds = present.burst_seconds
    dated = split_choice.count_dated(store, dataset)
    if dated:
        seconds = right.number_input(
            "Seconds between photos of a burst",
            0,
            LONGEST_BURST_S,
            int(present.burst_seconds),
            key=f"burst {dataset.id} {present.burst_seconds}",
            help=expert.kinds(
                "Photos of one class that were taken within so many seconds of one another stay together. 0: no rule."
            ),
        )
        right.caption(f"{dated:,} of {amounts.count(dataset.included, 'image')} say when they were taken.")
    try:
        rules = GroupRules(pattern.strip(), float(seconds))
    except SettingsError as problem:
        st.warning(sentence(str(problem)), icon=":material/warning:")
        return
    if rules != GroupRules() and is_large(dataset):
        st.caption("Of so many photos what the rules join is told once they are kept.")
    elif rules != GroupRules():
        st.markdown(tell(preview(image_cache.images(store, dataset), rules), rules))
    if st.button("Keep these rules", icon=":material/save:", disabled=rules == present, key=f"rules {dataset.id}"):
        save(store, dataset, rules)
    failure.show_kept(RULES)


def save(store: Store, dataset: Dataset, rules: GroupRules) -> None:
    """Keep the rules, and draw the page by them."""
    try:
        edits.set_grouping(store, dataset.id, rules)
    except DatasetError as problem:
        failure.keep(RULES, problem)
    else:
        failure.keep(RULES, None)
        st.rerun()


def suggest(name: str) -> str:
    """Return a pattern that fits a file name such as "anna_03.jpg"."""
    return next((f"{{group}}{mark}*" for mark in SEPARATORS if mark in name.strip(SEPARATORS)), EXAMPLE)


def explain(name: str) -> str:
    """Say by an example what a pattern reads from a file name."""
    pattern = suggest(name)
    subject = GroupRules(pattern).subject(name)
    if subject is None:
        name, subject = "anna_03.jpg", "anna"
    return f"For example, {literal(pattern)} reads {literal(subject)} from {literal(name)}."


def tell(tried: Preview, rules: GroupRules) -> str:
    """Say what rules would join."""
    words = []
    if rules.pattern:
        words.append(
            f"The pattern fits {amounts.count(tried.named, 'file name')} and makes "
            f"**{amounts.count(tried.subjects, 'group')}** of two or more."
        )
        if tried.largest:
            named = ", ".join(f"{literal(subject)} ({number:,})" for subject, number in tried.largest)
            words.append(f"The largest: {named}.")
    words.append(
        f"With copies and {expert.said('near-duplicates')}, that is {amounts.count(tried.groups, 'group')} in all."
    )
    return " ".join(words)


def example_name(store: Store, dataset: Dataset) -> str:
    """Return a file name of the data set."""
    first = store.images(dataset.id, limit=1)
    return first[0].name.rpartition("/")[2] if first else ""


def preview(images: Sequence[Image], rules: GroupRules) -> Preview:
    """Try rules out on images."""
    subjects = Counter(subject for image in images if (subject := rules.subject(image.name)) is not None)
    groups = Counter(group_images(images, rules))
    several = [(subject, number) for subject, number in subjects.most_common() if number > 1]
    return Preview(
        len(several), subjects.total(), tuple(several[:LARGEST]), sum(number > 1 for number in groups.values())
    )
