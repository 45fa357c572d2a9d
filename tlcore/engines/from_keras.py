"""Takes a network of Keras's apart into plain layers, from the pixels to the tensors at a cut."""

from collections.abc import Iterable
from typing import Any

from tlcore.models.backbone_table import Backbone
from tlcore.models.backend import keras
from tlcore.models.classifier import POOLED, Cut, crossing_tensors
from tlcore.models.keras_graph import find_maker, list_calls, list_inputs
from tlcore.models.plan import Network, PlainLayer
from tlcore.models.preprocessing import plan_normalisation


def plan_cut(row: Backbone, backbone: keras.Model, cut: Cut, image_size: int) -> Network:
    """Return the frozen part below a cut; `cut` is not that of the pixels themselves."""
    if cut.names == (POOLED,):
        layers = plan_backbone(row, backbone, backbone.outputs)
        layers.append(PlainLayer(POOLED, "GlobalAveragePooling2D", {}, (layers[-1].name,)))
        return Network(image_size, layers, (POOLED,))
    tensors = crossing_tensors(backbone, cut.boundary)
    return Network(image_size, plan_backbone(row, backbone, tensors), tuple(find_maker(each).name for each in tensors))


def plan_tapped(row: Backbone, tapped: keras.Model, head: keras.Model, image_size: int) -> Network:
    """Return a backbone with several outputs and what a head makes of them; layers that the head shares come once for
    each call."""
    layers = plan_backbone(row, tapped, tapped.outputs)
    ends = {
        find_maker(given).name: find_maker(made).name for given, made in zip(head.inputs, tapped.outputs, strict=True)
    }
    for call in list_calls(head):
        if call.name in ends:
            continue
        # The head's names are its own, and may be a backbone's too.
        name = f"{head.name}/{call.name}"
        layers.append(_plain(call.layer, tuple(ends[each] for each in call.inputs), name))
        ends[call.name] = name
    return Network(image_size, layers, tuple(ends[find_maker(each).name] for each in head.outputs))


def plan_backbone(row: Backbone, backbone: keras.Model, tensors: Iterable[Any]) -> list[PlainLayer]:
    """Return the normalisation and those layers of a backbone that make `tensors`, in order."""
    needed: set[int] = set()
    waiting = [find_maker(tensor) for tensor in tensors]
    while waiting:
        layer = waiting.pop()
        if id(layer) not in needed:
            needed.add(id(layer))
            waiting += [find_maker(tensor) for tensor in list_inputs(layer)]
    planned = plan_normalisation(row)
    ends = {backbone.layers[0].name: planned[-1].name}
    for layer in backbone.layers[1:]:
        if id(layer) not in needed:
            continue
        inputs = tuple(ends[find_maker(tensor).name] for tensor in list_inputs(layer))
        parts = layer.layers if isinstance(layer, keras.Sequential) else [layer]
        for part in parts:
            name = layer.name if part is parts[-1] else f"{layer.name}/{part.name}"
            planned.append(_plain(part, inputs, name))
            inputs = (name,)
        ends[layer.name] = layer.name
    return planned


def _plain(layer: keras.Layer, inputs: tuple[str, ...], name: str | None = None) -> PlainLayer:
    config = layer.get_config()
    if "activation" in config:
        config["activation"] = layer.activation.__name__
    return PlainLayer(name or layer.name, type(layer).__name__, config, inputs, layer.get_weights())
