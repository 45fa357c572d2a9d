"""Loads a backbone for a job, with the weights that this workspace knows."""

from thaw.backbones.known_weights import recognise
from thaw.backbones.weights import fetch
from thaw.jobs.reporter import Reporter
from tlcore.models import loading
from tlcore.models.backbone_table import Backbone
from tlcore.models.loading import LoadedBackbone


def load_backbone(
    reporter: Reporter, row: Backbone, image_size: int, expected_sha256: str | None = None
) -> LoadedBackbone:
    """Fetch a backbone's weights and build it (`tlcore.models.loading.load_backbone`); raise Stopped on request.

    Raises WeightsError for a file other than the one that this workspace first used, or than `expected_sha256`.
    """
    workspace = reporter.store.workspace
    return loading.load_backbone(
        row,
        image_size,
        reporter.progress,
        reporter.check_stop,
        expected_sha256,
        lambda row, path: recognise(workspace, row, path),
        fetch,
    )
