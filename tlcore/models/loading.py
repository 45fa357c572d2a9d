"""Loads a backbone of the table: fetches its weights, checks that they are the ones a run began with, has it built.

Keras is imported only to build it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tlcore.errors import WeightsError
from tlcore.models.backbone_table import Backbone
from tlcore.models.weights import Fetch, fetch, sha256_of
from tlcore.progress import CheckStop, Keeping, Progress, Spread, Stage, ignore_progress, never_stop

if TYPE_CHECKING:
    from tlcore.models.backend import keras

Recognise = Callable[[Backbone, Path], str]
"""Returns the sha256 of a backbone's weights file; raises WeightsError for one that is not to be trusted."""


@dataclass(frozen=True)
class LoadedBackbone:
    """A backbone with its pretrained weights; it sees images as squares of `image_size` pixels.

    `build` makes its network out of the file `weights`, the same one every time: nobody waits for these seconds where
    all features are cached. A row without pretrained weights has no file, an empty hash, and is random as Keras's seed
    is when it is first built. `spread` computes the features of many photos elsewhere, where there is such a place, and
    `keeping` says where they are kept for other machines.
    """

    row: Backbone
    build: "Callable[[], keras.Model]"
    weights: Path | None
    image_size: int
    weights_sha256: str
    spread: Spread | None = field(default=None, kw_only=True, compare=False)
    keeping: Keeping | None = field(default=None, kw_only=True, compare=False)

    @property
    def backbone(self) -> "keras.Model":
        """The network, built when it is first asked for."""
        return self.build()


def hash_weights(row: Backbone, path: Path) -> str:
    """Return the sha256 of a weights file, whatever it is."""
    return sha256_of(path)


def load_backbone(
    row: Backbone,
    image_size: int,
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
    expected_sha256: str | None = None,
    recognise: Recognise = hash_weights,
    fetch: Fetch = fetch,
) -> LoadedBackbone:
    """Fetch a backbone's weights by `fetch`, build it when it is first used; raises Stopped where `check_stop` does.

    Raises WeightsError for other weights than `expected_sha256`, those of an earlier phase: its head would not fit
    these features.
    """

    def tell(done: int, total: int) -> None:
        check_stop()
        progress(Stage.DOWNLOADING_WEIGHTS, done, total)

    path: Path | None = None
    sha256 = ""
    if not row.fresh:
        progress(Stage.FETCHING_WEIGHTS, 0, 0)
        path = fetch(row, tell)
        sha256 = recognise(row, path)
    if expected_sha256 not in (None, sha256):
        raise WeightsError(
            f"Expected the weights with which this run was trained. Received: another file, {path}. "
            "Restore that file, or train a new run."
        )

    @cache
    def build() -> "keras.Model":
        from tlcore.models.architectures import build_backbone

        progress(Stage.BUILDING_BACKBONE, 0, 0)
        return build_backbone(row, image_size, path)

    return LoadedBackbone(row, build, path, image_size, sha256)
