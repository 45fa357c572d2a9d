"""The only place that touches Keras's private graph: what an operation was called on, which made a tensor, and the
names that Keras makes up; and to the one layer that it has and does not offer. A release of Keras may change any of it;
test_keras_graph.py says in words what broke."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tlcore.models.backend import keras

# Names that Keras counts up over the life of a process, so that a second InceptionV3 starts at 'conv2d_94'.
_COUNTED_NAME = re.compile(
    r"(activation|add|average_pooling2d|batch_normalization|concatenate|conv2d|cropping2d|layer_normalization"
    r"|max_pooling2d|multiply|normalization|re_lu|rescaling|zero_padding2d)(?:_(\d+))?$"
)


def list_inputs(layer: "keras.Layer") -> Sequence[Any]:
    """Return the Keras tensors that a layer was called on when its own model was built.

    To build another model calls shared layers again and so adds nodes; the first is the layer's own.
    """
    tensors: Sequence[Any] = layer._inbound_nodes[0].input_tensors
    return tensors


def list_arguments(operation: "keras.Operation") -> tuple[Any, ...]:
    """Return the arguments without a name that an operation was first called with, tensors and numbers alike."""
    arguments: tuple[Any, ...] = operation._inbound_nodes[0].arguments.args
    return arguments


def scale_layer(width: int, name: str) -> "keras.Layer":
    """Return a layer that multiplies each of `width` channels by a weight of its own, 1.0 at first.

    Keras has it for ConvNeXt alone; a file of a model that has it opens wherever Keras is.
    """
    from tlcore.models.backend import keras

    layer: keras.Layer = keras.src.applications.convnext.LayerScale(1.0, width, name=name)
    return layer


def call_again(layer: "keras.Layer", tensors: Sequence[Any]) -> Any:
    """Call a layer on other tensors in the way in which its own model called it.

    What adds tensors up takes them as one list; attention takes queries and values one by one.
    """
    if len(list_arguments(layer)) > 1:
        return layer(*tensors)
    return layer(list(tensors) if len(tensors) > 1 else tensors[0])


class Call(NamedTuple):
    """One call of a layer in a network: a name of its own, the layer, and the names of the calls whose outputs it was
    given. A layer that is called once bears its own name."""

    name: str
    layer: "keras.Operation"
    inputs: tuple[str, ...]


def list_calls(model: "keras.Model") -> list[Call]:
    """List the calls of a model's layers, each after those that it needs; a layer that is shared is called several
    times. The layers that stand for its inputs come too, without inputs of their own."""
    calls: dict[tuple[int, int], Call] = {}
    times: Counter[str] = Counter()

    def visit(tensor: Any) -> str:
        layer, place, _ = tensor._keras_history
        if (id(layer), place) not in calls:
            inputs = tuple(map(visit, layer._inbound_nodes[place].input_tensors))
            times[layer.name] += 1
            name = layer.name if times[layer.name] == 1 else f"{layer.name} {times[layer.name]}"
            calls[id(layer), place] = Call(name, layer, inputs)
        return calls[id(layer), place].name

    for each in model.outputs:
        visit(each)
    return list(calls.values())


def find_maker(tensor: Any) -> "keras.Operation":
    """Return the operation that made a Keras tensor."""
    return tensor._keras_history.operation


def name_tensor(tensor: Any) -> str:
    """Name a Keras tensor by the layer that makes it, with an index where that layer makes several."""
    history = tensor._keras_history
    return history.operation.name if history.tensor_index == 0 else f"{history.operation.name}:{history.tensor_index}"


def list_changing(model: "keras.Model") -> list[Any]:
    """Return the variables that training changes but the optimizer's: those that train, the seeds of dropout, and the
    averages of BatchNormalization where that is not frozen."""
    seeds = [variable for variable in model.variables if "seed_generator" in variable.path]
    learning = [each for each in model._flatten_layers() if hasattr(each, "moving_mean") and each.trainable]
    averages = [variable for each in learning for variable in (each.moving_mean, each.moving_variance)]
    return [*model.trainable_variables, *seeds, *averages]


def settle_names(names: Iterable[str]) -> dict[str, str]:
    """Map each name that Keras counts up within a process ("add", "add_1", ...) to the one of a fresh process."""
    counted: dict[str, list[tuple[int, str]]] = {}
    settled = {name: name for name in names}
    for name in settled:
        found = _COUNTED_NAME.match(name)
        if found:
            counted.setdefault(found[1], []).append((int(found[2] or 0), name))
    for kind, members in counted.items():
        for position, (_, name) in enumerate(sorted(members)):
            settled[name] = f"{kind}_{position}" if position else kind
    return settled
