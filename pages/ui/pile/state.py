"""What the Pile page knows as it is drawn: how the pile stands, and what is suggested for each of its photos."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from thaw.labelling.pile import Pile, look_at, read_sorting
from thaw.labelling.suggest import SURE, Suggestions, suggest
from thaw.storage.records import Dataset
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace


@dataclass(frozen=True)
class Looked:
    """A pile with what is suggested for a row each of its sorting; None before anything has been named."""

    pile: Pile
    suggested: Suggestions | None

    def margins(self, places: np.ndarray) -> np.ndarray | None:
        """Return how certain the suggestions of some rows are, float32 (n,), None without suggestions."""
        return None if self.suggested is None else self.suggested.margins[places]

    def sure(self) -> dict[str, str]:
        """Return by id what is suggested for the photos that wait, where it is sure."""
        if self.suggested is None or len(self.suggested.labels) < 2:
            return {}
        classes, confidence = self.suggested.classes, self.suggested.confidence
        chosen = [place for place in self.pile.places if confidence[place] >= SURE]
        return {self.pile.sorting.ids[place]: classes[place] for place in chosen}

    def guess(self, places: np.ndarray) -> tuple[str, float] | None:
        """Return the class that is suggested for most of some rows, and the mean share that it has there."""
        if self.suggested is None or not len(places):
            return None
        shares = self.suggested.shares[places].mean(axis=0)
        return self.suggested.labels[int(shares.argmax())], float(shares.max())


def look(store: Store, dataset: Dataset) -> Looked | None:
    """Return how the pile of a data set stands, or None before it has been sorted."""
    sorting = read_sorting(store, dataset.id)
    return None if sorting is None else _look(store.workspace.root, dataset.id, dataset.version, sorting.key)


# The head learns for some hundredths of a second: not again at each click that changes nothing.
@st.cache_resource(show_spinner=False, max_entries=4)
def _look(root: Path, dataset_id: str, version: int, key: str) -> Looked | None:
    store = Store(Workspace(root))
    sorting = read_sorting(store, dataset_id)
    if sorting is None:
        return None
    pile = look_at(store, dataset_id, sorting)
    return Looked(pile, suggest(sorting.directions, pile.named))
