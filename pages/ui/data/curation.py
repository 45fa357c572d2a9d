"""What a person does with chosen pictures: their tiles in the grid, and the changes that its actions stand for."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.grid.grid import Action, Tile
from pages.ui.server.routes import picture_url
from pages.ui.words import amounts
from pages.ui.words.names import literal, sentence
from pages.ui.words.plain import LOOK_AGAIN, tell_quicker
from thaw.datasets import edits
from thaw.storage.edits import ClassGone, PhotosChanged
from thaw.storage.records import Dataset, Image
from thaw.storage.store import Store
from tlcore.errors import DatasetError

EXCLUDE = Action("exclude", "Exclude", "x")
IGNORE = Action("ignore", "Ignore", "i")


def move_to(dataset: Dataset, suggested: Iterable[str] = ()) -> Action:
    """Return the action that gives pictures another class of the data set, the commonest of `suggested` first."""
    often = Counter(suggested)
    return Action("move", "Move to", "m", tuple(sorted(dataset.classes, key=lambda label: -often[label])))


def tile(image: Image, caption: str = "", badge: str = "") -> Tile:
    """Return an image as a tile of the grid; the name goes without its folders, which would fill the line."""
    return Tile(
        image.id,
        picture_url("thumbnail", image),
        picture_url("image", image),
        image.name.rpartition("/")[2],
        caption or image.label or expert.kinds("no class"),
        badge,
    )


def exclude(store: Store, dataset: Dataset, ids: Iterable[str]) -> None:
    """Exclude images of the data set as it was shown, and say so."""
    change(
        lambda: edits.exclude_images(store, dataset.id, ids, dataset),
        lambda done: f"{amounts.count(done, 'image')} excluded",
    )


def move(store: Store, dataset: Dataset, ids: Iterable[str], label: str) -> None:
    """Give images of the data set as it was shown another class, and say so."""
    change(
        lambda: edits.move_images(store, dataset.id, ids, label, dataset),
        lambda done: f"{amounts.count(done, 'image')} moved to {literal(label)}",
    )


def agree(store: Store, dataset: Dataset, suggested: Mapping[str, str], ids: Iterable[str]) -> None:
    """Give images the classes that are suggested for them, by id, and say so; without one an image stays as it is."""
    by_class: defaultdict[str, list[str]] = defaultdict(list)
    left: list[str] = []
    for image_id in ids:
        (by_class[suggested[image_id]] if image_id in suggested else left).append(image_id)
    if by_class:
        change(
            lambda: sum(
                edits.move_images(store, dataset.id, members, label, dataset) for label, members in by_class.items()
            ),
            lambda done: f"{amounts.count(done, 'image')} moved to {_name(list(by_class))}",
        )
    if left:
        st.toast(
            f"{amounts.count(len(left), 'image')} left as before: {expert.kinds('no other class is suggested')}.",
            icon=":material/info:",
        )


def _name(labels: list[str]) -> str:
    """Name a class, or say of how many it is the one that is suggested for each photo."""
    return literal(labels[0]) if len(labels) == 1 else f"what is suggested, {len(labels):,} {expert.kinds('classes')}"


def change(make: Callable[[], int], tell: Callable[[int], str]) -> bool:
    """Make a change to a data set and say what was done, or why it could not be: another tab may have been quicker.
    Return whether anything was done."""
    try:
        done = make()
    except (PhotosChanged, ClassGone) as problem:
        st.toast(f"{tell_quicker(problem, literal)} {LOOK_AGAIN}", icon=":material/group:", duration="long")
    except DatasetError as problem:
        st.toast(sentence(str(problem)), icon=":material/error:", duration="long")
    else:
        if not done:
            st.toast("Nothing changed: it is so already.", icon=":material/info:")
            return False
        st.toast(f"{tell(done)}. It can be undone.", icon=":material/check:")
        return True
    return False
