"""How long a backbone takes for an image on this machine. Keras is imported only where that is measured."""

import statistics
import time

import numpy as np

from tlcore.models.backbone_table import Backbone

BATCH = 32
MEASURE_S = 4.0


def measure(row: Backbone) -> float:
    """Return the milliseconds that one image takes through the frozen backbone, at its native size in batches of 32.

    The median of the batches that fit into `MEASURE_S`, one at least, after one that warms up. The weights are random:
    the arithmetic is the same whatever their values, so that nothing needs to be downloaded.
    """
    from tlcore.models.architectures import build_backbone
    from tlcore.models.classifier import lower_model, pooled_cut
    from tlcore.models.inference import freeze

    backbone = build_backbone(row, row.input_size, None)
    forward = freeze(lower_model(row, backbone, pooled_cut(row), row.input_size))
    size = (BATCH, row.input_size, row.input_size, 3)
    images = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    forward(images)
    batches: list[float] = []
    while sum(batches) < MEASURE_S:
        started = time.perf_counter()
        forward(images)
        batches.append(time.perf_counter() - started)
    return 1000 * statistics.median(batches) / BATCH
