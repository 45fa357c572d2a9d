"""A network that keeps less of a batch: the same answers, gradients and training, less kept, and the same variables."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.models.backbones import IMAGES, PRETRAINED, built, pictures, row_of, size_of
from tlcore.models import classifier as models
from tlcore.models.layers import describe_layers
from tlcore.models.plan import kept_bytes, plan_pieces
from tlcore.models.rematerialisation import find_rematerialised
from tlcore.settings import HeadSettings
from tlcore.training.phases import compile_model
from tlcore.training.recovery import Incidents

CLASSES = np.arange(IMAGES) % 2
# Of branches that join, of several tensors between blocks, of LayerNormalization, of sums.
NETWORKS = [PRETRAINED, "nasnet-mobile", "convnext-tiny", "resnet50"]


def prepare(network, top=None, folded=True):
    """Return a compiled model whose top layers train, and what it is to learn from: pictures, or noise at its cut."""
    row, backbone, size = row_of(network), built(network), size_of(network)
    keras.utils.set_random_seed(1)
    models.freeze_below_top(backbone, top or len(backbone.layers))
    cut = models.find_cut(row, backbone, size)
    head = models.build_head(row.features, 2, HeadSettings(dropout=0.0))
    model = models.upper_model(row, backbone, cut, head, folded)
    compile_model(model, "softmax", 1e-3)
    noise = np.random.default_rng(0)
    inputs = [noise.normal(size=(IMAGES, *shape)).astype(np.float32) for shape in cut.shapes]
    return model, inputs if top else [pictures(size)]


def gradients(model, inputs):
    """Return the loss and the gradients of every variable that trains, as a graph computes them."""

    @tf.function
    def run(tensors):
        with tf.GradientTape() as tape:
            said = model(tensors[0] if len(tensors) == 1 else tensors, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(CLASSES, said))
        return loss, tape.gradient(loss, [each.value for each in model.trainable_variables])

    loss, found = run([tf.constant(each) for each in inputs])
    return float(loss), [np.asarray(each) for each in found]


@pytest.mark.parametrize(
    ("network", "folded"),
    [
        (PRETRAINED, True),
        (PRETRAINED, False),
        *(pytest.param(network, True, marks=pytest.mark.slow) for network in NETWORKS[1:]),
    ],
)
def test_what_is_computed_twice_has_the_same_loss_and_gradients(network, folded):
    model, inputs = prepare(network, folded=folded)
    expected, wanted = gradients(model, inputs)
    part, names = find_rematerialised(model), [each.path for each in model.trainable_variables]
    assert part.rematerialise()
    loss, found = gradients(model, inputs)
    assert [each.path for each in model.trainable_variables] == names
    assert loss == pytest.approx(expected, rel=1e-6)
    largest = max(float(np.abs(each).max()) for each in wanted)
    for name, one, other in zip(names, found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * largest, rtol=1e-3, err_msg=name)


def test_a_training_has_the_same_losses():
    untrained, losses = built(PRETRAINED).get_weights(), []
    for rematerialised in (False, True):
        built(PRETRAINED).set_weights(untrained)
        model, inputs = prepare(PRETRAINED, top=60)
        if rematerialised:
            assert find_rematerialised(model).rematerialise()
            compile_model(model, "softmax", 1e-3)
        fitted = model.fit(inputs, CLASSES, batch_size=IMAGES, epochs=4, shuffle=False, verbose=0)
        losses.append(fitted.history["loss"])
    # Other tests go on with the same network.
    built(PRETRAINED).set_weights(untrained)
    assert losses[0][-1] < losses[0][0]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_only_what_goes_into_pieces_is_kept():
    model, _ = prepare(PRETRAINED)
    part = find_rematerialised(model)
    whole = part.bytes_per_image
    assert part.rematerialise()
    assert part.bytes_per_image < whole / 2
    assert not part.rematerialise(), "it does so already"


def test_memory_that_runs_out_is_kept_less_of_before_batches_are_halved():
    model, _ = prepare(PRETRAINED)
    part, kept = find_rematerialised(model), []
    incidents = Incidents(keep=lambda incidents: kept.append(list(incidents.out_of_memory)))
    before = part.bytes_per_image
    assert not incidents.rematerialised
    assert incidents.make_room(part, 32, 3) == 32
    assert incidents.rematerialised
    assert incidents.make_room(part, 32, 3) == 16
    first, second = kept[-1]
    assert (first.rematerialised, first.next_batch_size) == (True, 32)
    assert first.saved_bytes == 32 * (before - part.bytes_per_image)
    assert (second.rematerialised, second.next_batch_size) == (False, 16)
    assert second.saved_bytes == 16 * part.bytes_per_image
    assert incidents.make_room(None, 16, 4) == 8
    assert kept[-1][-1].saved_bytes is None
    assert Incidents(out_of_memory=kept[-1]).rematerialised, "as a phase that is resumed finds it"


def test_what_is_too_little_to_divide_is_not_computed_twice():
    model, _ = prepare(PRETRAINED, top=3)
    incidents = Incidents()
    assert incidents.make_room(find_rematerialised(model), 32, 1) == 16
    assert not incidents.rematerialised


def test_pieces_are_whole_blocks_and_keep_least():
    row = row_of(PRETRAINED)
    layers = describe_layers(row, built(PRETRAINED))
    starts = plan_pieces(layers, 1)
    assert starts[0] == 1
    assert starts == sorted(set(starts))
    assert all(layers[start]["block"] != layers[start - 1]["block"] for start in starts[1:])
    blocks = [1, *(i for i in range(2, len(layers)) if layers[i]["block"] != layers[i - 1]["block"])]
    others = [[1], blocks, *([1, place] for place in blocks[1:])]
    # It is sought to a thousandth.
    assert kept_bytes(layers, starts) <= 1.001 * min(kept_bytes(layers, other) for other in others)


def test_layers_that_keep_a_few_bytes_are_divided_too():
    layer = {"kind": "Conv2D", "activation_bytes": 4, "cut_bytes": 1}
    layers = [layer | {"block": f"block {number // 2}"} for number in range(8)]

    assert plan_pieces(layers, 0)[0] == 0
    assert kept_bytes(layers, plan_pieces(layers, 0)) < kept_bytes(layers, [0])
