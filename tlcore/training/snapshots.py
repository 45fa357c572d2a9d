"""Weights of a Keras model as plain arrays: by name, and the snapshot from which a phase resumes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.errors import RunError
from tlcore.files import Arrays, load_arrays, save_arrays
from tlcore.models.backend import keras
from tlcore.models.keras_graph import list_changing
from tlcore.training.history import Standing

Variables = dict[str, Any]


def name_variables(backbone: keras.Model | None, head: keras.Model) -> Variables:
    """Name every weight of a classifier, or without a backbone of its head, by position ("backbone/37/0", "head/1").

    Unlike Keras's own names, which count up within a process, these are the same in every process.
    """
    named = name_weights(backbone) if backbone else {}
    return named | {f"head/{index}": variable for index, variable in enumerate(head.weights)}


def name_weights(backbone: keras.Model) -> Variables:
    """Name every weight of a backbone as `name_variables` does."""
    return {
        f"backbone/{layer}/{index}": variable
        for layer, member in enumerate(backbone.layers)
        for index, variable in enumerate(member.weights)
    }


def trainable(named: Variables) -> Variables:
    """Keep those named weights that train."""
    return {name: variable for name, variable in named.items() if variable.trainable}


def read_variables(named: Variables) -> Arrays:
    """Copy the values of named variables."""
    return {name: _copy(variable) for name, variable in named.items()}


def write_variables(named: Variables, arrays: Mapping[str, np.ndarray]) -> None:
    """Assign `arrays` to the variables of the same names; raise RunError unless every array fits one."""
    for name, array in arrays.items():
        if name not in named or tuple(named[name].shape) != array.shape:
            raise RunError(
                f"Expected weights that fit this model. Received: {name!r} of shape {array.shape}, which has no place "
                "in it. The run was made by another version; train it again."
            )
        named[name].assign(array)


def save_snapshot(path: Path, model: keras.Model, standing: Standing, best: Arrays) -> None:
    """Write all that a resumed phase needs to go on as if nothing had happened: trained and random-seed variables,
    the optimizer's, how the phase stands, and the best weights unless they are the present ones."""
    arrays = {f"now/{index}": _copy(variable) for index, variable in enumerate(_state(model))}
    if standing.best_epoch != standing.epoch:
        arrays |= {f"best/{name}": array for name, array in best.items()}
    save_arrays(path, arrays | {"standing": np.array(json.dumps(asdict(standing)))})


def load_snapshot(path: Path, model: keras.Model) -> tuple[Standing, Arrays] | None:
    """Restore `model` and its optimizer; return how the phase stood and its best weights, or None without a file.

    The best weights are empty where the present ones are the best. Raises RunError, and leaves `model` as it is, for
    what another network has left.
    """
    if not path.exists():
        return None
    arrays, variables = load_arrays(path), _state(model)
    kept = [arrays.get(f"now/{index}") for index in range(len(variables))]
    if any(array is None or array.shape != tuple(one.shape) for array, one in zip(kept, variables, strict=True)):
        raise RunError(
            "Expected where this training was paused. Received: that of another network, since it was paused by "
            "another version. Train it again from its beginning."
        )
    for variable, array in zip(variables, kept, strict=True):
        variable.assign(array)
    standing = Standing(**json.loads(str(arrays["standing"])))
    best = {name.removeprefix("best/"): array for name, array in arrays.items() if name.startswith("best/")}
    return standing, best


def read_start(model: keras.Model) -> list[np.ndarray]:
    """Copy what training changes of a model but its optimizer: trained and random-seed variables, in their order."""
    return [_copy(variable) for variable in list_changing(model)]


def write_start(model: keras.Model, start: Sequence[np.ndarray]) -> None:
    """Put back what `read_start` copied from the same model."""
    for variable, array in zip(list_changing(model), start, strict=True):
        variable.assign(array)


def _state(model: keras.Model) -> list[Any]:
    model.optimizer.build(model.trainable_variables)
    return [*list_changing(model), *model.optimizer.variables]


def _copy(variable: Any) -> np.ndarray:
    # What Keras hands out may be the variable's own memory, which the next step overwrites.
    return np.array(keras.ops.convert_to_numpy(variable))
