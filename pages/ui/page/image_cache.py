"""The images of a data set, read once for everything that a page asks about them."""

from pathlib import Path

import streamlit as st

from thaw.storage.records import Dataset, Image, JobKind
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace

COMPARING: tuple[JobKind, ...] = ("check", "head")


def images(store: Store, dataset: Dataset) -> list[Image]:
    """Return the images that take part in training, as they stand; they are held, and must not be changed."""
    return read(store.workspace.root, dataset.id, dataset.version, compared(store, dataset))


def compared(store: Store, dataset: Dataset) -> tuple[str, ...]:
    """Return what changes whenever images may have been compared by their features.

    That changes their groups, while the data set keeps its version.
    """
    return tuple(
        f"{job.id} {job.status}" for kind in COMPARING for job in store.jobs(kind) if job.dataset_id == dataset.id
    )


# 32,000 images take most of a second to read and 50 MB to hold: for one data set at a time that is well spent.
@st.cache_resource(show_spinner=False, max_entries=1)
def read(root: Path, dataset_id: str, version: int, compared: tuple[str, ...]) -> list[Image]:
    """Return the same as `images`, for what is itself kept by these four."""
    return Store(Workspace(root)).images(dataset_id)
