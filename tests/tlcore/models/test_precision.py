"""Half precision: float16 inside, float32 outside and in the weights, and near enough the same numbers."""

import keras
import numpy as np

from tlcore.models.backbones import BACKBONES
from tlcore.models.backend import gains_from_half_precision, use_half_precision
from tlcore.models.classifier import build_head, find_cut, freeze_below_top, row_channels, upper_model
from tlcore.models.inverted_residuals import build_network
from tlcore.settings import HeadSettings
from tlcore.training.phases import compile_model


def test_a_cpu_never_computes_in_half_precision():
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        assert not gains_from_half_precision()


def test_half_precision_reaches_the_layers_above_the_cut_and_nothing_else():
    keras.utils.set_random_seed(0)
    row = BACKBONES["efficientnet-lite0"]
    backbone = build_network(row.name, 32)
    head = build_head(row_channels(backbone), 3, HeadSettings(dropout=0.0))
    freeze_below_top(backbone, 3)
    cut = find_cut(row, backbone, 32)
    model = upper_model(row, backbone, cut, head, folded=False)
    inputs = [np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32) for shape in cut.shapes]
    full = model.predict(inputs, verbose=0)

    use_half_precision(model, backbone, cut.boundary)
    compile_model(model, "softmax", 1e-3)
    half = model.predict(inputs, verbose=0)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, full, atol=0.01)
    assert not np.array_equal(half, full), "nothing was computed in half precision"
    assert {layer.compute_dtype for layer in backbone.layers[cut.boundary :]} == {"float16"}
    assert {layer.compute_dtype for layer in backbone.layers[: cut.boundary]} == {"float32"}
    assert {variable.dtype for variable in model.variables if "seed" not in variable.path} == {"float32"}

    losses = model.fit(inputs, np.arange(6) % 3, epochs=8, verbose=0).history["loss"]
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
