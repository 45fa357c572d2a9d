"""Loads a backbone of the table: fetches its weights, checks that they are the ones a run began with, builds it."""

from dataclasses import dataclass
from pathlib import Path

from thaw.jobs.reporter import Reporter
from tlcore.errors import WeightsError
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import Backbone
from tlcore.models.backend import keras
from tlcore.models.weights import fetch, recognise


@dataclass(frozen=True)
class LoadedBackbone:
    """A backbone with its pretrained weights; it sees images as squares of `image_size` pixels."""

    row: Backbone
    backbone: keras.Model
    image_size: int
    weights_sha256: str


def load_backbone(
    reporter: Reporter, row: Backbone, image_size: int, expected_sha256: str | None = None
) -> LoadedBackbone:
    """Fetch a backbone's weights and build it; raise Stopped on request.

    Raises WeightsError for other weights than `expected_sha256`, those of the run's phase 1: its head would not fit
    these features.
    """
    reporter.progress("fetching the backbone's weights", 0, 0)
    path, sha256 = _fetch_weights(reporter, row)
    if expected_sha256 not in (None, sha256):
        raise WeightsError(
            f"Expected the weights with which this run was trained. Received: another file, {path}. "
            "Restore that file, or train a new run."
        )
    reporter.progress("building the backbone", 0, 0)
    return LoadedBackbone(row, build_backbone(row, image_size, path), image_size, sha256)


def _fetch_weights(reporter: Reporter, row: Backbone) -> tuple[Path, str]:
    def tell(done: int, total: int) -> None:
        reporter.check_stop()
        reporter.progress("downloading the backbone's weights (bytes)", done, total)

    path = fetch(row, tell)
    return path, recognise(reporter.store.workspace, row, path)
