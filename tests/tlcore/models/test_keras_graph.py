"""What Thaw needs of Keras's private graph: where a test fails, a release of Keras has changed what it says."""

import keras
import numpy as np
import pytest

from tlcore.models import keras_graph

ADVICE = "Mend `tlcore.models.keras_graph`, or install the Keras of requirements.txt."


@pytest.fixture(scope="module")
def model():
    """A network with a branch, a sum, a number that is added, a layer that is called twice, and dropout."""
    inputs = keras.Input((4,), name="in")
    left = keras.layers.Dense(3, name="left")(inputs)
    joined = keras.layers.Add(name="joined")([left, keras.layers.Dense(3, name="right")(inputs)])
    moved = joined + 3.0
    return keras.Model(inputs, keras.layers.Dense(2, name="out")(keras.layers.Dropout(0.5, name="drop")(moved)))


def names(tensors):
    return [keras_graph.name_tensor(tensor) for tensor in tensors]


def test_a_layer_knows_the_tensors_that_it_was_called_on(model):
    assert names(keras_graph.list_inputs(model.get_layer("joined"))) == ["left", "right"], (
        "Keras no longer lists, in `layer._inbound_nodes[0].input_tensors`, the tensors a layer was called on when "
        f"its model was built. Without them no network can be cut in two. {ADVICE}"
    )
    assert names(keras_graph.list_inputs(model.get_layer("left"))) == ["in"]
    assert list(keras_graph.list_inputs(model.get_layer("in"))) == []


def test_the_first_node_stays_the_models_own_when_its_layers_are_called_again(model):
    other = keras.Input((4,), name="other")
    keras.Model(other, model(other))
    model.get_layer("left")(other)
    assert names(keras_graph.list_inputs(model.get_layer("left"))) == ["in"], (
        "Keras no longer puts a layer's calls into `_inbound_nodes` in their order: what a layer of the backbone was "
        f"called on is mistaken for a later call, of an upper model. {ADVICE}"
    )


def test_a_tensor_knows_the_layer_that_made_it(model):
    assert keras_graph.find_maker(model.get_layer("left").output) is model.get_layer("left"), (
        "Keras no longer says in `tensor._keras_history.operation` which layer made a tensor. Without it nobody knows "
        f"which tensors cross a cut. {ADVICE}"
    )


def test_each_call_of_a_layer_that_is_shared_is_listed_after_what_it_needs():
    shared = keras.layers.Dense(3, name="shared")
    inputs = [keras.Input((4,), name="left"), keras.Input((4,), name="right")]
    joined = keras.layers.Add(name="joined")([shared(inputs[0]), shared(inputs[1])])
    model = keras.Model(inputs, joined)
    other = keras.Input((4,), name="other")
    # Called once more, by another model.
    keras.Model(other, shared(other))
    calls = keras_graph.list_calls(model)
    assert {call.name: call.inputs for call in calls} == {
        "left": (),
        "shared": ("left",),
        "right": (),
        "shared 2": ("right",),
        "joined": ("shared", "shared 2"),
    }, (
        "Keras no longer says in `tensor._keras_history` by which call of a layer a tensor was made: a detector's "
        f"head, whose levels share layers, cannot be written down. {ADVICE}"
    )
    assert [call.name for call in calls][-1] == "joined"
    assert calls[1].layer is shared


def test_an_operation_knows_the_number_that_was_added(model):
    (added,) = [
        operation
        for operation in model.operations
        if type(operation).__name__ == "Add" and "joined" not in operation.name
    ]
    tensor, number = keras_graph.list_arguments(added)
    assert (names([tensor]), number) == (["joined"], 3.0), (
        "Keras no longer keeps, in `operation._inbound_nodes[0].arguments.args`, what an operation like `x + 3.0` was "
        f"called with. The MobileNetV3 networks cannot be rebuilt from layers without it. {ADVICE}"
    )


def test_a_layer_is_called_again_as_its_own_model_called_it():
    inputs = keras.Input((5, 4), name="in")
    attention = keras.layers.MultiHeadAttention(2, 2, name="attention")
    both = keras.layers.Add(name="both")([inputs, attention(inputs, inputs)])
    model = keras.Model(inputs, keras.layers.Dense(2, name="out")(both))
    batch = keras.ops.convert_to_tensor(np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32))
    made = {"in": batch}
    for name in ("attention", "both", "out"):
        layer = model.get_layer(name)
        below = [made[each] for each in names(keras_graph.list_inputs(layer))]
        made[name] = keras_graph.call_again(layer, below)
    np.testing.assert_array_equal(made["out"], model(batch), err_msg=f"A block of attention cannot be cut. {ADVICE}")


def test_the_seeds_of_dropout_are_among_what_training_changes(model):
    trained = len(model.trainable_variables)
    changing = keras_graph.list_changing(model)
    assert len(changing) == trained + 1, (
        "Keras no longer names the variable of a random seed `.../seed_generator/...`. A resumed phase draws other "
        f"dropout than an undisturbed one. {ADVICE}"
    )
    seed = changing[-1]
    before = np.array(keras.ops.convert_to_numpy(seed))
    model(np.ones((2, 4), np.float32), training=True)
    assert not np.array_equal(before, keras.ops.convert_to_numpy(seed)), f"The seed does not change with use. {ADVICE}"


def test_names_that_keras_counts_up_are_those_of_a_fresh_process():
    built = []
    for _ in range(2):
        inputs = keras.Input((8, 8, 3))
        first = keras.layers.Conv2D(2, 1)(inputs)
        outputs = keras.layers.Conv2D(2, 1)(first)
        settled = keras_graph.settle_names(layer.name for layer in keras.Model(inputs, outputs).layers[1:])
        built.append(list(settled.values()))
    assert built == [["conv2d", "conv2d_1"]] * 2, (
        "Keras no longer makes up names like `conv2d`, `conv2d_1`: a backbone's layers would have other names in every "
        f"process, and blocks could not be told. {ADVICE}"
    )
    assert keras_graph.settle_names(["block1_conv", "add_7", "add_9"]) == {
        "block1_conv": "block1_conv",
        "add_7": "add",
        "add_9": "add_1",
    }


def test_keras_still_has_the_layer_that_scales_channels():
    try:
        scaled = keras_graph.scale_layer(3, "scale")
    except AttributeError:
        pytest.fail(f"Keras has no LayerScale any more where ConvNeXt had it: transformers cannot be built. {ADVICE}")
    scaled.build((None, 3))
    scaled.set_weights([np.array([1, 2, 3], np.float32)])
    assert scaled(np.ones((1, 3), np.float32)).numpy().tolist() == [[1, 2, 3]]
