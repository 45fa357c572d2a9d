"""What trains, written faster: the same answers and gradients as layer by layer, and only where that is so."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.models.backbones import IMAGES, PRETRAINED, built, pictures, row_of, size_of
from tlcore.models import classifier as models
from tlcore.models.folding import FoldedConvolution, fold
from tlcore.settings import HeadSettings
from tlcore.training.phases import compile_model


def gradients(model, tensors, classes):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(classes, model(tensors, training=False)))
    return {
        variable.path: np.asarray(gradient)
        for variable, gradient in zip(
            model.trainable_variables,
            tape.gradient(loss, [each.value for each in model.trainable_variables]),
            strict=True,
        )
    }


@pytest.mark.parametrize(("network", "top"), [(PRETRAINED, 38), (PRETRAINED, 141), ("mobilenet-v3-small", 60)])
def test_the_gradients_are_those_of_the_layers_one_by_one(network, top):
    row, backbone, size = row_of(network), built(network), size_of(network)
    keras.utils.set_random_seed(1)
    head = models.build_head(row.features, 3, HeadSettings(dropout=0.0))
    models.freeze_below_top(backbone, top)
    cut = models.find_cut(row, backbone, size)
    tensors = [pictures(size)]
    if cut.names != (models.PIXELS,):
        tensors = keras.tree.flatten(models.lower_model(row, backbone, cut, size)(tensors[0], training=False))
    fast, plain = (models.upper_model(row, backbone, cut, head, folded=folded) for folded in (True, False))
    assert any(isinstance(layer, FoldedConvolution) for layer in fast._flatten_layers())
    found, expected = (gradients(model, tensors, np.arange(IMAGES) % 3) for model in (fast, plain))
    assert found.keys() == expected.keys()
    assert len(found) > 10
    largest = max(np.abs(each).max() for each in expected.values())
    for path, gradient in expected.items():
        np.testing.assert_allclose(found[path], gradient, atol=1e-4 * largest, rtol=1e-2, err_msg=path)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("side", "kernel", "stride", "dilation"), [(7, 5, 1, 1), (8, 3, 2, 1), (9, 5, 2, 1), (8, 3, 1, 2)]
)
def test_a_depthwise_convolution_has_tensorflows_own_gradients(side, kernel, stride, dilation, padding):
    inputs = keras.Input((side, side, 6))
    layer = keras.layers.DepthwiseConv2D(kernel, stride, padding, depth_multiplier=2, dilation_rate=dilation)
    norm = keras.layers.BatchNormalization()
    outputs = norm(layer(inputs))
    chance = np.random.default_rng(0)
    norm.set_weights([chance.uniform(0.5, 2, 12).astype(np.float32) for _ in range(4)])
    layer.set_weights([layer.get_weights()[0], chance.normal(size=12).astype(np.float32)])
    norm.trainable = False
    plain = keras.Model(inputs, outputs)
    folded = fold(plain, plain.inputs, 1, plain.outputs)
    pixels = tf.constant(chance.normal(size=(4, side, side, 6)).astype(np.float32))
    weigh = tf.constant(chance.normal(size=(4, *outputs.shape[1:])).astype(np.float32))
    answers = []
    for model in (plain, folded):
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            said = model(pixels, training=False)
            total = tf.reduce_sum(said * weigh)
        answers.append([said, *tape.gradient(total, [pixels, layer.kernel.value, layer.bias.value])])
    for one, other in zip(*answers, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4)
    assert isinstance(folded.layers[1], FoldedConvolution)


def shared(convolution, norm):
    return [norm(convolution), convolution]


def trained(convolution, norm):
    outputs = norm(convolution)
    norm.trainable = True
    return [outputs]


@pytest.mark.parametrize("join", [shared, trained])
def test_what_is_used_besides_or_trains_is_not_folded(join):
    inputs = keras.Input((6, 6, 3))
    norm = keras.layers.BatchNormalization(trainable=False)
    joined = join(keras.layers.Conv2D(4, 1)(inputs), norm)
    outputs = keras.layers.Add()(joined) if len(joined) > 1 else joined[0]
    whole = keras.Model(inputs, outputs)
    same = fold(whole, whole.inputs, 1, whole.outputs)
    pixels = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    assert not any(isinstance(layer, FoldedConvolution) for layer in same.layers)
    np.testing.assert_array_equal(same(pixels, training=False), whole(pixels, training=False))


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_a_training_step_is_traced_once(output):
    model = models.build_head(8, 2, HeadSettings(output=output))
    compile_model(model, output, 1e-3)
    step, traced = model.train_step, []

    def count(data):
        traced.append(data)
        return step(data)

    model.train_step = count
    classes = np.arange(12) % 2
    targets = classes.astype(np.float32)[:, None] if output == "sigmoid" else classes
    features = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    history = model.fit(features, targets, batch_size=4, epochs=2, verbose=0).history
    assert len(traced) == 1
    assert 0 <= history["accuracy"][0] <= 1
