"""How the photos of a data set that is taken away are divided into folders: not at all, anew, or as a run had them."""

from dataclasses import dataclass, replace

from thaw.datasets.run_split import choose_split, read_sides
from thaw.storage.store import Store
from tlcore.errors import RunError, SettingsError
from tlcore.settings import HeadSettings

TRAIN, VALIDATION, TEST, HOLDOUT, UNUSED, EXCLUDED = "train", "validation", "test", "holdout", "unused", "excluded"
# What a side of a run's split is called in folders and tables, where other programs look for these words.
SIDES = {"training": TRAIN, "validation": VALIDATION, "later": TEST, "holdout": HOLDOUT}
FOLDERS = frozenset({TRAIN, VALIDATION, TEST, HOLDOUT, UNUSED, EXCLUDED})


@dataclass(frozen=True)
class SplitChoice:
    """Which split divides the photos: that of the run `run_id`, or one with the `share` (0..1) for validation and
    `later_share` of the newest, by `seed`; with neither there is none."""

    run_id: str | None = None
    share: float | None = None
    seed: int = HeadSettings().seed
    later_share: float = 0.0

    @property
    def divides(self) -> bool:
        return self.run_id is not None or self.share is not None


def read_division(text: str | None, seed: int | None = None, later_share: float = 0.0) -> SplitChoice:
    """Return the division that a person named by a run's id or a share; raise SettingsError for anything else."""
    chosen = SplitChoice() if seed is None else SplitChoice(seed=seed)
    if text is None:
        return chosen
    if text.startswith("run-"):
        return replace(chosen, run_id=text)
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise SettingsError(
            f"Expected the id of a run, or a share for validation between 0 and 1, such as 0.2. Received: {text!r}."
        )
    return replace(chosen, share=share, later_share=later_share)


def place_images(store: Store, dataset_id: str, division: SplitChoice) -> dict[str, str]:
    """Return by id on which side each image of a data set lies; those that no split knows are left out.

    Raises RunError for a run of another data set or one that has not divided its photos yet, and DatasetError, with
    advice, where the data set cannot be divided.
    """
    if division.run_id is not None:
        run = store.run(division.run_id)
        recorded = read_sides(store, run.id) if run.dataset_id == dataset_id else None
        if recorded is None:
            raise RunError(
                f"Expected a run of this data set that has divided its photos. Received: {run.id!r}. Choose another."
            )
        return {image_id: SIDES[side] for side, entries in recorded.items() for image_id, _ in entries}
    if division.share is None:
        return {}
    settings = HeadSettings(validation_split=division.share, seed=division.seed, later_share=division.later_share)
    parts = choose_split(store, dataset_id, settings)
    return {image.id: SIDES[side] for side in ("training", "validation", "later") for image in getattr(parts, side)}
