"""Half precision: float16 inside, float32 outside and in the weights, and near enough the same numbers."""

import keras
import numpy as np
import pytest

from tests.support.models.transformers import shrink
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import BACKBONES
from tlcore.models.backend import gains_from_half_precision, use_half_precision
from tlcore.models.classifier import build_head, find_cut, freeze_below_top, row_channels, upper_model
from tlcore.settings import HeadSettings
from tlcore.training.phases import compile_model


def test_a_cpu_never_computes_in_half_precision():
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        assert not gains_from_half_precision()


# The second has attention among what trains, which is made of layers of its own.
@pytest.mark.parametrize(("row", "side", "top"), [(BACKBONES["efficientnet-lite0"], 32, 3), (shrink(), 42, 16)])
def test_half_precision_reaches_the_layers_above_the_cut_and_nothing_else(row, side, top):
    keras.utils.set_random_seed(0)
    backbone = build_backbone(row, side, None)
    head = build_head(row_channels(backbone), 3, HeadSettings(dropout=0.0))
    freeze_below_top(backbone, top)
    cut = find_cut(row, backbone, side)
    model = upper_model(row, backbone, cut, head, folded=False)
    inputs = [np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32) for shape in cut.shapes]
    full = model.predict(inputs, verbose=0)

    use_half_precision(model, backbone, cut.boundary)
    compile_model(model, "softmax", 1e-3)
    half = model.predict(inputs, verbose=0)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, full, atol=0.01)
    assert not np.array_equal(half, full), "nothing was computed in half precision"
    above = backbone.layers[cut.boundary :]
    products = [each.query_dense for each in above if isinstance(each, keras.layers.MultiHeadAttention)]
    assert {layer.compute_dtype for layer in (*above, *products)} == {"float16"}
    assert len(products) == (row.transformer is not None)
    assert {layer.compute_dtype for layer in backbone.layers[: cut.boundary]} == {"float32"}
    assert {variable.dtype for variable in model.variables if "seed" not in variable.path} == {"float32"}

    losses = model.fit(inputs, np.arange(6) % 3, epochs=8, verbose=0).history["loss"]
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
