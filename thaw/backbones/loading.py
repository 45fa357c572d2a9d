"""Loads a backbone for a job, with the weights that this workspace knows, and keeps what is the same for every job."""

import dataclasses
import importlib.metadata
import json
from pathlib import Path
from typing import Any

from thaw.backbones.known_weights import recognise
from thaw.backbones.weights import fetch
from thaw.cluster.keeping import find_keeping
from thaw.cluster.spreading import find_spread
from thaw.jobs.reporter import Reporter
from thaw.storage.workspace import Workspace
from tlcore.features.frozen import freeze_up_to, uses_onnx
from tlcore.files import write_atomically
from tlcore.models import loading
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import find_backbone
from tlcore.models.loading import LoadedBackbone
from tlcore.models.plan import pooled_cut
from tlcore.models.weights import is_local
from tlcore.settings import HeadSettings


def load_backbone(
    reporter: Reporter, row: Backbone, image_size: int, expected_sha256: str | None = None
) -> LoadedBackbone:
    """Fetch a backbone's weights and build it (`tlcore.models.loading.load_backbone`); raise Stopped on request.

    What it makes of many photos is computed on the cluster that the person has chosen, and kept in the store, if any.

    Raises WeightsError for a file other than the one that this workspace first used, or than `expected_sha256`.
    """
    workspace = reporter.store.workspace
    loaded = loading.load_backbone(
        row,
        image_size,
        reporter.progress,
        reporter.check_stop,
        expected_sha256,
        lambda row, path: recognise(workspace, row, path),
        fetch,
    )
    return dataclasses.replace(loaded, spread=find_spread(reporter), keeping=find_keeping(reporter))


def list_layers(loaded: LoadedBackbone, caches: Path) -> list[dict[str, Any]]:
    """Describe the layers of a backbone, which for one size of images are the same whatever it learns from: they are
    kept in `caches`."""
    path = caches / f"layers-{loaded.row.name}-{loaded.image_size}-{importlib.metadata.version('keras')}.json"
    if path.exists():
        return list(json.loads(path.read_text(encoding="utf-8")))
    from tlcore.models.layers import describe_layers

    layers = describe_layers(loaded.row, loaded.backbone)
    write_atomically(path, json.dumps(layers).encode())
    return layers


def get_ready(workspace: Workspace) -> None:
    """Make what the first run of a workspace would find missing: the network of the default backbone for ONNX Runtime,
    compared with Keras, and the list of its layers; nothing where its weights are not on this machine."""
    row = find_backbone(HeadSettings().backbone)
    if not is_local(row) or not uses_onnx():
        return
    loaded = loading.load_backbone(row, row.input_size, recognise=lambda row, path: recognise(workspace, row, path))
    frozen = freeze_up_to(workspace.features, loaded, pooled_cut(row))
    frozen.forward([])
    frozen.verify([])
    list_layers(loaded, workspace.features)
