"""Has TensorFlow trace a training step while ONNX Runtime computes what the step will learn from.

To trace the graph of a step takes a second of one core, and neither waits for the other: together they take less time
than one after the other.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from tlcore.features.batches import CachedBatches
from tlcore.features.frozen import on_gpu
from tlcore.features.inputs import Materials, encode_labels
from tlcore.models.backend import OUT_OF_MEMORY, keras, trains_by_graphs
from tlcore.models.plan import Cut
from tlcore.splits.class_weights import number_weights
from tlcore.training.snapshots import read_start, write_start


@contextmanager
def rehearsing(model: keras.Model, materials: Materials, cut: Cut) -> Iterator[None]:
    """Let a thread train a compiled model for one step of one blank image while the body runs; then undo that step.

    When the body is over the model and its optimizer are as they were, bit by bit, and a `fit` on the tensors at `cut`
    begins at once. On a GPU, where the body has the device to itself, nothing is rehearsed.
    """
    if on_gpu() or not trains_by_graphs():
        yield
        return
    start = read_start(model)
    optimizer = [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.optimizer.variables]
    with ThreadPoolExecutor(1) as pool:
        rehearsal = pool.submit(_train_once, model, materials, cut)
        yield
    rehearsal.result()
    write_start(model, start)
    for variable, value in zip(model.optimizer.variables, optimizer, strict=True):
        variable.assign(value)


def _train_once(model: keras.Model, materials: Materials, cut: Cut) -> None:
    tensors = [np.zeros((1, *shape), dtype) for shape, dtype in zip(cut.shapes, cut.dtypes, strict=True)]
    targets = encode_labels(materials.split.training[:1], materials.split.labels, materials.settings)
    blank = CachedBatches(tensors, np.zeros((1, 1), np.int64), targets, 1, 0, 1, shuffle=False)
    weights = number_weights(materials.settings, materials.split)
    try:
        model.fit(blank, validation_data=blank, class_weight=weights, shuffle=False, verbose=0)
    except OUT_OF_MEMORY:
        # The phase itself meets with that too, and knows what to do.
        return
