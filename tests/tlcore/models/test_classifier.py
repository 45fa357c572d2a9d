"""One model, and the same model cut in two: equal predictions at every depth, and nothing frozen ever moves."""

import functools

import keras
import numpy as np
import pytest

from tests.support.models.backbones import IMAGES, PRETRAINED, TRANSFORMER, built, pictures, row_of, size_of
from tests.support.pictures.families import each_backbone
from tlcore.errors import SettingsError
from tlcore.models import classifier as models
from tlcore.models.backbones import BACKBONES
from tlcore.models.backend import freeze
from tlcore.models.keras_graph import name_tensor
from tlcore.settings import HeadSettings
from tlcore.training.phases import compile_model
from tlcore.training.snapshots import name_variables, read_variables, trainable

# One network stands for each way in which layers hang together: the pretrained one for residual sums, MobileNetV3 for
# squeeze-excite, arithmetic between layers and preprocessing in the network, DenseNet for concatenations of all that
# came before, ConvNeXt for LayerNormalization and layers of its own, a small transformer for attention, VGG16 for a
# plain chain. Those alike come later.
ALIKE = ("mobilenet-v2",)
EACH = [PRETRAINED, TRANSFORMER, *each_backbone("efficientnet-lite0", later=ALIKE)]
# DenseNet and ConvNeXt take ten seconds each at all depths; what is peculiar to them, many tensors at a cut and layers
# of its own, is tested below.
NETWORKS = [
    PRETRAINED,
    TRANSFORMER,
    *each_backbone("efficientnet-lite0", later=(*ALIKE, "densenet121", "convnext-tiny")),
]
# Not a plain chain of layers, where one tensor crosses everywhere.
BRANCHING = [PRETRAINED, TRANSFORMER, *each_backbone("efficientnet-lite0", "vgg16", later=ALIKE)]
SETTINGS = HeadSettings(dropout=0.0)


@functools.cache
def assembled(network):
    row, backbone = row_of(network), built(network)
    keras.utils.set_random_seed(4)
    head = models.build_head(row.features, 3, SETTINGS)
    return head, models.assemble(row, backbone, head, size_of(network))


@functools.cache
def expected(network):
    """Return the assembled model's predictions, which vary enough to tell a wrong wiring."""
    _, model = assembled(network)
    predicted = np.asarray(model(pictures(size_of(network)), training=False))
    assert predicted.std(axis=0).max() > 0.01
    return predicted


def cut_at(backbone, boundary):
    """Return the cut at a given boundary, whatever it costs."""
    tensors = models.crossing_tensors(backbone, boundary)
    names = tuple(name_tensor(tensor) for tensor in tensors)
    shapes = tuple(tuple(tensor.shape[1:]) for tensor in tensors)
    return models.Cut(boundary, names, shapes, ("float32",) * len(shapes))


def lower_of(network, cut):
    return models.lower_model(row_of(network), built(network), cut, size_of(network))


def upper_of(network, cut, folded=True):
    return models.upper_model(row_of(network), built(network), cut, assembled(network)[0], folded)


def cross(network, cut):
    """Return the tensors that cross: the pictures themselves where the cut is below the first layer."""
    images = pictures(size_of(network))
    if cut.names == (models.PIXELS,):
        return [images]
    return [np.asarray(tensor) for tensor in keras.tree.flatten(lower_of(network, cut)(images, training=False))]


def predict_in_two(network, cut, folded=True):
    tensors = cross(network, cut)
    assert [tensor.shape for tensor in tensors] == [(IMAGES, *shape) for shape in cut.shapes]
    return np.asarray(upper_of(network, cut, folded)(tensors, training=False))


def boundaries(backbone):
    """Return a boundary at which one tensor crosses, and the one of all that are looked at where most do."""
    layers = len(backbone.layers)
    counts = {index: len(models.crossing_tensors(backbone, index)) for index in range(2, layers, 1 + layers // 150)}
    narrow = [index for index, count in counts.items() if count == 1]
    wide = sorted(counts, key=lambda index: (-counts[index], -index))
    return [narrow[len(narrow) // 3], wide[0]]


@pytest.mark.parametrize("network", NETWORKS)
def test_the_cached_path_predicts_what_the_assembled_model_does_at_every_depth(network):
    row, backbone = row_of(network), built(network)
    layers = len(backbone.layers)
    for top in (0, 1, min(38, layers - 1), layers // 2, layers):
        models.freeze_below_top(backbone, top)
        cut = models.find_cut(row, backbone, size_of(network))
        for folded in (False, True):
            # Random weights amplify rounding from layer to layer, which pretrained ones do not.
            tolerance = 2e-3 if folded and network != PRETRAINED else 1e-5
            predicted = predict_in_two(network, cut, folded)
            np.testing.assert_allclose(predicted, expected(network), atol=tolerance, rtol=0, err_msg=f"top {top}")


@pytest.mark.parametrize("network", BRANCHING)
def test_a_cut_inside_a_block_is_as_exact_as_one_between_blocks(network):
    backbone = built(network)
    chosen = boundaries(backbone)
    assert max(len(models.crossing_tensors(backbone, boundary)) for boundary in chosen) > 1
    for boundary in chosen:
        predicted = predict_in_two(network, cut_at(backbone, boundary), folded=False)
        np.testing.assert_allclose(predicted, expected(network), atol=1e-5, rtol=0, err_msg=f"boundary {boundary}")


@pytest.mark.parametrize("network", BRANCHING)
def test_freezing_the_graph_into_constants_changes_only_the_last_digits(network):
    backbone = built(network)
    inside = next(index for index in range(20, 99) if len(models.crossing_tensors(backbone, index)) > 1)
    cut = cut_at(backbone, inside)
    frozen, plain = freeze(lower_of(network, cut))(pictures(size_of(network))), cross(network, cut)
    assert [tensor.shape for tensor in frozen] == [(IMAGES, *shape) for shape in cut.shapes]
    assert all(tensor.dtype == np.float32 for tensor in frozen)
    for one, other in zip(frozen, plain, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3 * np.abs(other).max(), rtol=0)
    # Random weights amplify rounding from layer to layer, which pretrained ones do not.
    tolerance = 1e-5 if network == PRETRAINED else 2e-3
    np.testing.assert_allclose(
        np.asarray(upper_of(network, cut)(frozen, training=False)), expected(network), atol=tolerance, rtol=0
    )


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    "network",
    [
        "nasnet-mobile",
        "densenet121",
        "inception-v3",
        "xception",
        "convnext-tiny",
        "mobilenet-v3-small",
        "vgg16",
        TRANSFORMER,
    ],
)
def test_every_boundary_cuts_exactly(network):
    backbone = built(network)
    for boundary in range(2, len(backbone.layers)):
        predicted = predict_in_two(network, cut_at(backbone, boundary), folded=False)
        np.testing.assert_allclose(predicted, expected(network), atol=1e-5, rtol=0, err_msg=f"boundary {boundary}")


@pytest.mark.parametrize("network", EACH)
def test_what_crosses_a_boundary_is_all_that_is_needed_above_it_and_made_below(network):
    backbone = built(network)
    made_by = {
        layer.name: [tensor._keras_history.operation.name for tensor in layer._inbound_nodes[0].input_tensors]
        for layer in backbone.layers
    }
    names = [layer.name for layer in backbone.layers]
    # At every boundary, or every second or third of a long network: what is compared grows with its square.
    for boundary in range(1, len(names) + 1, 1 + len(names) // 150):
        below, above = set(names[:boundary]), names[boundary:]
        needed = {parent for name in above for parent in made_by[name] if parent in below}
        needed |= {names[-1]} & below
        crossing = [name_tensor(tensor) for tensor in models.crossing_tensors(backbone, boundary)]
        assert sorted(crossing) == sorted(needed)


@pytest.mark.parametrize("network", EACH)
def test_the_cut_is_never_above_the_first_layer_that_trains(network):
    row, backbone = row_of(network), built(network)
    for top in range(0, len(backbone.layers) + 1, 13):
        models.freeze_below_top(backbone, top)
        cut = models.find_cut(row, backbone, size_of(network))
        trains = [index for index, layer in enumerate(backbone.layers) if layer.trainable_variables]
        assert cut.boundary <= min(trains, default=len(backbone.layers))
        assert len(cut.names) == len(cut.shapes) == len(cut.dtypes) == len(set(cut.names))
        assert (cut.names == (models.POOLED,)) == (not trains)


@pytest.mark.parametrize("network", EACH)
def test_batch_normalization_never_trains_and_the_rest_follows_the_depth(network):
    backbone = built(network)
    layers = len(backbone.layers)
    for top in {*range(0, layers, 1 + layers // 50), layers - 1, layers}:
        models.freeze_below_top(backbone, top)
        for index, layer in enumerate(backbone.layers):
            norm = isinstance(layer, keras.layers.BatchNormalization)
            assert layer.trainable == (index >= layers - top and not norm)
            if norm or index < layers - top:
                assert layer.trainable_variables == []


def test_more_layers_than_there_are_is_refused():
    backbone = built(PRETRAINED)
    with pytest.raises(SettingsError, match=r"between 0 and 141 layers.*layers=142"):
        models.freeze_below_top(backbone, 142)


def test_all_layers_train_from_the_pixels_and_none_from_pooled_features():
    row, backbone = BACKBONES["efficientnet-lite0"], built(PRETRAINED)
    models.freeze_below_top(backbone, 141)
    assert models.find_cut(row, backbone, 48) == models.Cut(0, (models.PIXELS,), ((48, 48, 3),), ("uint8",))
    models.freeze_below_top(backbone, 0)
    assert models.find_cut(row, backbone, 48) == models.Cut(141, (models.POOLED,), ((1280,),), ("float32",))


@pytest.mark.parametrize("network", NETWORKS)
def test_the_backbone_stays_in_inference_mode_while_it_trains(network):
    row, backbone = row_of(network), built(network)
    models.freeze_below_top(backbone, len(backbone.layers))
    upper = upper_of(network, models.find_cut(row, backbone, size_of(network)))
    before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in backbone.non_trainable_variables]
    training = np.asarray(upper([pictures(size_of(network))], training=True))
    np.testing.assert_allclose(training, expected(network), atol=5e-5, rtol=0)
    for variable, value in zip(backbone.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), value)


@pytest.mark.parametrize(
    ("network", "top"),
    [
        (PRETRAINED, 38),
        (TRANSFORMER, 20),
        ("mobilenet-v3-small", 30),
        pytest.param("efficientnetv2-b0", 30, marks=pytest.mark.slow),
        pytest.param("resnet50", 20, marks=pytest.mark.slow),
    ],
)
def test_training_moves_what_is_unfrozen_and_not_one_bit_of_the_rest(network, top):
    row, size, backbone = row_of(network), size_of(network), built(network)
    untrained = backbone.get_weights()
    keras.utils.set_random_seed(6)
    head = models.build_head(row.features, 3, HeadSettings())
    models.freeze_below_top(backbone, top)
    cut = models.find_cut(row, backbone, size)
    lower, upper = models.lower_model(row, backbone, cut, size), models.upper_model(row, backbone, cut, head)
    whole = models.assemble(row, backbone, head, size)
    named = name_variables(backbone, head)
    before = read_variables(named)
    features = keras.tree.flatten(lower(pictures(size), training=False))
    said_before = np.asarray(whole(pictures(size), training=False))

    compile_model(upper, "softmax", 1e-3)
    upper.fit(tuple(features), np.arange(IMAGES) % 3, batch_size=3, epochs=2, verbose=0)

    after, trained = read_variables(named), set(trainable(named))
    statistics = [
        f"backbone/{index}/{position}"
        for index, layer in enumerate(backbone.layers)
        if isinstance(layer, keras.layers.BatchNormalization)
        for position in range(len(layer.weights))
    ]
    assert len(statistics) > 50 or network == TRANSFORMER
    assert not trained & set(statistics)
    assert {"head/0", "head/1"} < trained
    for key in named:
        assert (before[key].tobytes() == after[key].tobytes()) == (key not in trained), key
    said_after = np.asarray(whole(pictures(size), training=False))
    assert np.abs(said_after - said_before).max() > 1e-3
    np.testing.assert_allclose(said_after, np.asarray(upper(features, training=False)), atol=1e-5, rtol=0)
    # Other tests go on with the same network.
    backbone.set_weights(untrained)


@pytest.mark.parametrize("classes", [1, 3])
def test_a_sigmoid_is_for_two_classes_only(classes):
    with pytest.raises(SettingsError, match=rf"two classes.*{classes} classes.*softmax"):
        models.build_head(8, classes, HeadSettings(output="sigmoid"))


def test_the_head_has_the_units_that_were_asked_for():
    features = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    softmax = models.build_head(8, 4, HeadSettings())
    sigmoid = models.build_head(8, 2, HeadSettings(output="sigmoid"))
    hidden = models.build_head(8, 4, HeadSettings(hidden_units=16))
    assert [softmax.count_params(), sigmoid.count_params(), hidden.count_params()] == [36, 9, 8 * 16 + 16 + 16 * 4 + 4]
    np.testing.assert_allclose(np.asarray(softmax(features)).sum(axis=1), 1, rtol=1e-6)
    assert sigmoid(features).shape == (5, 1)
    assert np.asarray(hidden.layers[1](features)).min() >= 0


def test_dropout_acts_while_training_only():
    head = models.build_head(64, 3, HeadSettings(dropout=0.5))
    features = np.ones((4, 64), np.float32)
    np.testing.assert_array_equal(head(features, training=False)[0], head(features, training=False)[1])
    dropped = np.asarray(head(features, training=True))
    assert np.abs(dropped[0] - dropped[1]).max() > 0
