"""The division of a data set into training and validation images: how it is chosen, and what comes to each side."""

from collections import Counter
from pathlib import Path

import streamlit as st

from pages.ui import amounts, selection
from pages.ui.names import sentence, visible
from tlcore.errors import DatasetError
from tlcore.records import Dataset
from tlcore.splits import recommend_image_size, split
from tlcore.store import Store
from tlcore.workspace import Workspace


def choose(store: Store, dataset: Dataset) -> None:
    """Draw the validation share and the seed, and how many images of each class go to each side."""
    st.subheader("Training and validation", anchor=False)
    left, right = st.columns([3, 1])
    share = left.slider(
        "Validation share",
        *selection.SHARES,
        selection.validation_share(),
        0.05,
        format="percent",
        help="Images that the model never learns from. They show how well it does on photos it has not seen.",
    )
    seed = right.number_input(
        "Seed", 0, selection.LARGEST_SEED, selection.seed(), help="The same seed gives the same split and training."
    )
    selection.choose("validation", f"{share:g}")
    selection.choose("seed", str(seed))
    try:
        sides = count_sides(store, dataset)
    except DatasetError as problem:
        st.warning(sentence(str(problem)), icon=":material/warning:")
        return
    training, held_out = (sum(side[part] for side in sides.values()) for part in (0, 1))
    st.markdown(
        f"**{amounts.count(training, 'image')}** to learn from, **{held_out:,}** held out for validation, the same "
        "share of every class."
    )
    rows = [
        {"class": visible(label), "training": taught, "validation": tested} for label, (taught, tested) in sides.items()
    ]
    with st.expander("Images of each class", icon=":material/table_rows:"):
        st.dataframe(rows, hide_index=True, alt="Training and validation images of each class")


def refusal(store: Store, dataset: Dataset) -> str | None:
    """Say why a data set cannot be trained on, or None if it can."""
    try:
        count_sides(store, dataset)
    except DatasetError as problem:
        return str(problem)
    return None


def count_sides(store: Store, dataset: Dataset) -> dict[str, tuple[int, int]]:
    """Return training and validation images of each class under the choices; raise DatasetError with advice."""
    return _count(store.workspace.root, dataset.id, selection.validation_share(), selection.seed())


def image_size(store: Store, dataset: Dataset, input_size: int) -> int:
    """Return the image size in pixels that suits a data set and a backbone of native `input_size`."""
    return _image_size(store.workspace.root, dataset.id, input_size)


# A data set never changes once it is there, and a large one takes seconds to read: one answer for each question.
@st.cache_data(show_spinner=False, max_entries=100)
def _count(root: Path, dataset_id: str, share: float, seed: int) -> dict[str, tuple[int, int]]:
    parts = split(Store(Workspace(root)).images(dataset_id), share, seed)
    training, validation = (Counter(image.label for image in side) for side in (parts.training, parts.validation))
    return {label: (training[label], validation[label]) for label in parts.labels}


@st.cache_data(show_spinner=False, max_entries=100)
def _image_size(root: Path, dataset_id: str, input_size: int) -> int:
    return recommend_image_size(Store(Workspace(root)).images(dataset_id), input_size)
