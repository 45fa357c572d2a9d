"""What the options of a picker are called: each differently, since Streamlit knows an option by its words alone.

Two options of the same words were one to it: a click anywhere on the page made it choose the first of them.
"""

import unicodedata
from collections.abc import Callable, Iterable
from typing import TypeVar

from pages.ui.words import amounts
from pages.ui.words.names import visible
from thaw.storage.records import Dataset

Option = TypeVar("Option")


def distinct(options: Iterable[Option], *tellings: Callable[[Option], str]) -> Callable[[Option], str]:
    """Return what to call each option, for a picker's `format_func`.

    The first telling says it. Options of which that says what looks the same get in brackets what the first of the
    others says that tells all of them apart, else what the last one says, such as an id. No telling should hold what
    changes while the person works, such as a count: to Streamlit the option that was chosen is gone then.
    """
    first, *others = tellings
    named = {option: first(option) for option in options}
    for alike in _alike(named):
        for option, words in _tell_apart(alike, others).items():
            named[option] = f"{named[option]} ({words})"
    for alike in _alike(named):
        for number, option in enumerate(alike, 1):
            named[option] = f"{named[option]} #{number}"
    return named.__getitem__


def class_names(labels: Iterable[str]) -> Callable[[str], str]:
    """Return what to call each class."""
    return distinct(labels, visible, ascii)


def dataset_names(datasets: Iterable[Dataset]) -> Callable[[str], str]:
    """Return what to call each data set, by its id: its name, and of those with one name the minute in which each was
    made, else the second, the number of images or the id."""
    by_id = {each.id: each for each in datasets}
    return distinct(
        by_id,
        lambda each: visible(by_id[each].name),
        lambda each: amounts.moment(by_id[each].created_at),
        lambda each: amounts.time_of_day(by_id[each].created_at),
        lambda each: amounts.count(by_id[each].accepted, "image"),
        str,
    )


def _alike(named: dict[Option, str]) -> list[list[Option]]:
    groups: dict[str, list[Option]] = {}
    for option, words in named.items():
        groups.setdefault(_looks(words), []).append(option)
    return [group for group in groups.values() if len(group) > 1]


def _looks(words: str) -> str:
    """Return what is seen of words: a browser draws several spaces as one, and nothing of a joiner."""
    if words.isascii():
        return " ".join(words.split())
    seen = "".join(each for each in unicodedata.normalize("NFC", words) if unicodedata.category(each) != "Cf")
    return " ".join(seen.split())


def _tell_apart(alike: list[Option], tellings: list[Callable[[Option], str]]) -> dict[Option, str]:
    told: dict[Option, str] = {}
    for telling in tellings:
        told = {option: telling(option) for option in alike}
        if len(set(map(_looks, told.values()))) == len(alike):
            break
    return told
